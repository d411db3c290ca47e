// Reading the store. Every answer comes from one transaction on a connection of its own, so it is of one commit
// and neither waits for the writer nor holds it up.
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { Method } from '../../core/method.js';
import type {
  Checkpoint,
  LedgerCounts,
  PartitionPosition,
  StoredState,
  StoreReader,
  TotalsQuery,
  TotalsRow,
} from '../../core/ports.js';
import { numberColumn, textColumn } from './answer-columns.js';
import { openPeriodsOf } from './commit.js';
import type { StoreFile } from './file.js';
import { readLetters } from './letters.js';
import { rowsOf } from './sql.js';
import { totalsStatement } from './totals-sql.js';

/** Rows of one page of an answer, about. */
const PAGE_ROWS = 10_000;

const LEDGER_SUMS = `
  sum(invalid + too_late + duplicate + double_click + bot + billable)::DOUBLE, sum(invalid)::DOUBLE,
  sum(too_late)::DOUBLE, sum(duplicate)::DOUBLE, sum(double_click)::DOUBLE, sum(bot)::DOUBLE,
  sum(billable)::DOUBLE`;

/** Answers from an open file. */
export function createReader(file: StoreFile): Omit<StoreReader, 'close'> {
  return {
    state: () => file.read(readState),
    async query(query) {
      const rows: TotalsRow[] = [];
      for await (const page of readPages(file, query)) for (const row of page) rows.push(row);
      return rows;
    },
    pages: (query) => readPages(file, query),
    ledger: (period) => file.read((connection) => readLedger(connection, period)),
    ledgerByPartition: () => file.read(readLedgerByPartition),
    deadLetters: (filter) => file.read((connection) => readLetters(connection, filter)),
    deadLetterCounts: () => file.read(countLetters),
  };
}

/** What the store knows when a run starts. */
export async function readState(connection: DuckDBConnection): Promise<StoredState> {
  const meta = new Map((await rowsOf(connection, 'FROM meta')).map(([name, value]) => [name, String(value)]));
  const method = meta.get('method');
  return {
    positions: await readPositions(connection),
    checkpoint: await readCheckpoint(connection),
    methodHash: meta.get('method_hash'),
    method: method === undefined ? undefined : (JSON.parse(method) as Method),
    sourceIdentity: meta.get('source_identity'),
  };
}

async function readPositions(connection: DuckDBConnection): Promise<PartitionPosition[]> {
  const rows = await rowsOf(connection, 'FROM positions ORDER BY partition');
  return rows.map(([partition, position, maxEventTime, rewindOffset, rewindMaxEventTime]) => ({
    partition: Number(partition),
    position: Number(position),
    maxEventTimeMs: Number(maxEventTime),
    rewindOffset: Number(rewindOffset),
    rewindMaxEventTimeMs: Number(rewindMaxEventTime),
  }));
}

async function readCheckpoint(connection: DuckDBConnection): Promise<Checkpoint | undefined> {
  const [row] = await rowsOf(connection, 'FROM checkpoint');
  if (!row) return undefined;
  const [floor, periods] = row;
  const bytes = periods instanceof DuckDBBlobValue ? periods.bytes : new Uint8Array();
  return { floorMs: Number(floor), openPeriods: openPeriodsOf(bytes) };
}

/** Streams the answer: DuckDB sorts, here are never more rows than a page. */
async function* readPages(file: StoreFile, query: TotalsQuery): AsyncGenerator<TotalsRow[]> {
  const { sql, parameters, columns } = totalsStatement(query);
  const connection = await file.connect();
  try {
    const result = await file.explained(connection.stream(sql, parameters));
    let page: TotalsRow[] = [];
    for (;;) {
      const chunk = await file.explained(result.fetchChunk());
      if (!chunk || chunk.rowCount === 0) break;
      appendRows(page, chunk, columns);
      if (page.length < PAGE_ROWS) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  } finally {
    connection.closeSync();
  }
}

/** Adds the rows of a chunk: texts, and clicks as the last column. */
function appendRows(page: TotalsRow[], chunk: DuckDBDataChunk, names: readonly string[]): void {
  const clicks = numberColumn(chunk, names.length - 1);
  const columns = names.slice(0, -1).map((_, column) => textColumn(chunk, column));
  for (let i = 0; i < clicks.length; i++) {
    const row: TotalsRow = {};
    for (let column = 0; column < columns.length; column++) row[names[column]] = columns[column][i];
    row.clicks = clicks[i];
    page.push(row);
  }
}

async function readLedger(
  connection: DuckDBConnection,
  period: { fromMs: number | undefined; toMs: number | undefined } | undefined,
): Promise<LedgerCounts> {
  const { fromMs, toMs } = period ?? {};
  const conditions = ['true'];
  if (fromMs !== undefined || toMs !== undefined) conditions.push('minute >= 0');
  if (fromMs !== undefined) conditions.push(`minute >= ${Math.ceil(fromMs)}`);
  if (toMs !== undefined) conditions.push(`minute < ${Math.ceil(toMs)}`);
  const [row] = await rowsOf(
    connection,
    `SELECT ${LEDGER_SUMS} FROM ledger WHERE ${conditions.join(' AND ')}`,
  );
  return countsOf(row ?? []);
}

async function readLedgerByPartition(connection: DuckDBConnection): Promise<Map<number, LedgerCounts>> {
  const sql = `SELECT partition, ${LEDGER_SUMS} FROM ledger GROUP BY partition ORDER BY partition`;
  const rows = await rowsOf(connection, sql);
  return new Map(rows.map(([partition, ...counts]) => [Number(partition), countsOf(counts)]));
}

function countsOf(row: readonly DuckDBValue[]): LedgerCounts {
  const [records, invalid, tooLate, duplicate, doubleClick, bot, billable] = row.map((value) =>
    Number(value),
  );
  return {
    records,
    invalid,
    too_late: tooLate,
    duplicate,
    double_click: doubleClick,
    bot,
    billable,
  };
}

async function countLetters(
  connection: DuckDBConnection,
): Promise<{ verdict: string; reason: string; count: number }[]> {
  const rows = await rowsOf(
    connection,
    `SELECT verdict, CASE WHEN verdict = 'invalid' THEN reason ELSE '' END AS reason, count(*)::DOUBLE
     FROM dead_letters GROUP BY ALL ORDER BY 3 DESC, 1, 2`,
  );
  return rows.map(([verdict, reason, count]) => ({
    verdict: String(verdict),
    reason: String(reason),
    count: Number(count),
  }));
}
