// One commit: everything is handed over into temporary tables, and one transaction moves it into the store.
// The transaction's text is made of what there is to do, so that an idle commit costs next to nothing.
import { BUCKET_MS } from '../../core/method.js';
import type {
  CellColumns,
  Checkpoint,
  Commit,
  LedgerChange,
  PartitionPosition,
} from '../../core/ports/commit.js';
import { LEDGER_COLUMNS, packOpenPeriods } from '../../core/stored-rows.js';
import { appendColumns, appendLists } from './columns.js';
import type { Dictionary, DimensionNumbers } from './dictionary.js';
import { stageLetters, stageNames, withdrawLetters } from './letters.js';
import {
  BIGINT,
  BLOB,
  DOUBLE,
  DuckDBBlobValue,
  type DuckDBConnection,
  INTEGER,
  UINTEGER,
  USMALLINT,
} from './node-api.js';

const INSERT_DIMENSIONS = `
  INSERT INTO ads FROM new_ads;
  INSERT INTO places FROM new_places;`;

const LISTS = 'unnest(minute) AS minute, unnest(ad) AS ad, unnest(place) AS place, unnest(clicks) AS clicks';

const MERGE_LEDGER = `
  CREATE OR REPLACE TEMP TABLE merged_ledger AS
    SELECT partition, minute, ${LEDGER_COLUMNS.map((name) => `sum(${name})::BIGINT AS ${name}`).join(', ')}
    FROM (FROM new_ledger UNION ALL FROM ledger SEMI JOIN new_ledger USING (partition, minute))
    GROUP BY partition, minute;
  DELETE FROM ledger USING new_ledger AS changed
    WHERE ledger.partition = changed.partition AND ledger.minute = changed.minute;
  INSERT INTO ledger FROM merged_ledger WHERE greatest(${LEDGER_COLUMNS.join(', ')}) > 0;`;

const MOVE_POSITIONS = `
  DELETE FROM positions WHERE partition IN (SELECT partition FROM new_positions);
  INSERT INTO positions FROM new_positions;`;

const REPLACE_CHECKPOINT = `
  DELETE FROM checkpoint;
  INSERT INTO checkpoint FROM new_checkpoint;`;

export interface CommitNumbers {
  /** Of the commit itself. */
  commit: number;
  /** Of its first event of dead letters. */
  arrival: number;
}

/** Hands the commit over and gives the statements that make it so. */
export async function stageCommit(
  connection: DuckDBConnection,
  commit: Commit,
  dictionary: Dictionary,
  { commit: number, arrival }: CommitNumbers,
): Promise<string> {
  const statements: string[] = [];
  if (commit.cells.count > 0) {
    const numbers = await dictionary.numbersOf(commit.cells.dimensions);
    statements.push(INSERT_DIMENSIONS, ...(await stageCells(connection, commit.cells, numbers)));
  }
  if (commit.ledger.length > 0) {
    await stageLedger(connection, commit.ledger);
    statements.push(MERGE_LEDGER);
  }
  if (commit.withdrawn.length > 0) {
    await stageNames(connection, commit.withdrawn);
    statements.push(withdrawLetters(arrival));
  }
  if (commit.deadLetters.length > 0) {
    await stageLetters(connection, commit.deadLetters, arrival + commit.withdrawn.length);
    statements.push('INSERT INTO dead_letters FROM new_letters;');
  }
  if (commit.positions.length > 0) {
    await stagePositions(connection, commit.positions);
    statements.push(MOVE_POSITIONS);
  }
  if (commit.checkpoint) {
    await stageCheckpoint(connection, commit.checkpoint);
    statements.push(REPLACE_CHECKPOINT);
  }
  statements.push(
    `UPDATE meta SET value = '${commit.complete}' WHERE name = 'complete';`,
    `UPDATE meta SET value = '${number}' WHERE name = 'commits';`,
  );
  return statements.join('\n');
}

/** New cells at the columns' front, rewritten ones at their back: two rows of lists. */
async function stageCells(
  connection: DuckDBConnection,
  cells: CellColumns,
  numbers: DimensionNumbers,
): Promise<string[]> {
  const { count } = cells;
  const minute = new Uint32Array(count);
  const ad = new Int32Array(count);
  const place = new Uint16Array(count);
  const clicks = new Int32Array(count);
  let front = 0;
  let back = count;
  let firstRewritten = Infinity;
  let lastRewritten = -Infinity;
  for (let i = 0; i < count; i++) {
    const rewrite = cells.rewrite[i] === 1;
    if (!rewrite && cells.clicks[i] === 0) continue;
    const at = rewrite ? --back : front++;
    const cellMinute = cells.minuteMs[i] / BUCKET_MS;
    const dimension = cells.dimension[i];
    minute[at] = cellMinute;
    ad[at] = numbers.ad[dimension];
    place[at] = numbers.place[dimension];
    clicks[at] = cells.clicks[i];
    if (!rewrite) continue;
    if (cellMinute < firstRewritten) firstRewritten = cellMinute;
    if (cellMinute > lastRewritten) lastRewritten = cellMinute;
  }
  const columns = [
    { type: UINTEGER, items: minute },
    { type: INTEGER, items: ad },
    { type: USMALLINT, items: place },
    { type: INTEGER, items: clicks },
  ];
  const statements: string[] = [];
  if (front > 0) {
    await appendLists(connection, 'staged_cells', { mark: false, from: 0, to: front }, columns);
    statements.push(`INSERT INTO cells SELECT ${LISTS} FROM staged_cells WHERE NOT rewrite;`);
  }
  if (back < count) {
    await appendLists(connection, 'staged_cells', { mark: true, from: back, to: count }, columns);
    statements.push(rewriteCells(firstRewritten, lastRewritten));
  }
  return statements;
}

/** Old rows go before the new ones come. The range of minutes lets DuckDB skip all that is older. */
function rewriteCells(firstMinute: number, lastMinute: number): string {
  return `
    CREATE OR REPLACE TEMP TABLE rewritten_cells AS SELECT ${LISTS} FROM staged_cells WHERE rewrite;
    DELETE FROM cells USING rewritten_cells AS rewritten
      WHERE cells.minute BETWEEN ${firstMinute} AND ${lastMinute}
        AND cells.minute = rewritten.minute AND cells.ad = rewritten.ad AND cells.place = rewritten.place;
    INSERT INTO cells FROM rewritten_cells WHERE clicks > 0;
    DROP TABLE rewritten_cells;`;
}

async function stageLedger(connection: DuckDBConnection, changes: readonly LedgerChange[]): Promise<void> {
  await appendColumns(
    connection,
    'new_ledger',
    [INTEGER, BIGINT, ...LEDGER_COLUMNS.map(() => BIGINT)],
    [
      changes.map(({ partition }) => partition),
      changes.map(({ minuteMs }) => BigInt(minuteMs)),
      ...LEDGER_COLUMNS.map((name) => changes.map(({ counts }) => BigInt(counts[name]))),
    ],
  );
}

async function stagePositions(
  connection: DuckDBConnection,
  positions: readonly PartitionPosition[],
): Promise<void> {
  await appendColumns(
    connection,
    'new_positions',
    [INTEGER, BIGINT, DOUBLE, BIGINT, DOUBLE],
    [
      positions.map(({ partition }) => partition),
      positions.map(({ position }) => BigInt(position)),
      positions.map(({ maxEventTimeMs }) => maxEventTimeMs),
      positions.map(({ rewindOffset }) => BigInt(rewindOffset)),
      positions.map(({ rewindMaxEventTimeMs }) => rewindMaxEventTimeMs),
    ],
  );
}

async function stageCheckpoint(connection: DuckDBConnection, checkpoint: Checkpoint): Promise<void> {
  const { floorMs, openPeriods } = checkpoint;
  await appendColumns(
    connection,
    'new_checkpoint',
    [DOUBLE, BLOB],
    [[floorMs], [new DuckDBBlobValue(packOpenPeriods(openPeriods))]],
  );
}
