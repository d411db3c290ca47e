// Reading the store. Every answer comes from one transaction on a connection of its own, so it is of one commit
// and neither waits for the writer nor holds it up.
import { BUCKET_MS, type Method } from '../../core/method.js';
import type { Checkpoint, PartitionPosition, Standing, StoredState } from '../../core/ports/commit.js';
import type { LedgerCounts, StoreReader, TotalsQuery, TotalsRow } from '../../core/ports/store.js';
import {
  COUNTED_REASON,
  LEDGER_COLUMNS,
  ledgerCountsOf,
  positionOf,
  unpackOpenPeriods,
} from '../../core/stored-rows.js';
import { numberColumn, Remembered, textColumn } from './answer-columns.js';
import type { StoreFile } from './file.js';
import { readLetters } from './letters.js';
import { DuckDBBlobValue, type DuckDBConnection, type DuckDBDataChunk } from './node-api.js';
import { rowsOf } from './sql.js';
import { type AnswerColumn, totalsStatement } from './totals-sql.js';

/** Rows of one page of an answer, about. */
const PAGE_ROWS = 10_000;

const LEDGER_SUMS = [LEDGER_COLUMNS.join(' + '), ...LEDGER_COLUMNS]
  .map((count) => `sum(${count})::DOUBLE`)
  .join(', ');

/** Answers from an open file. */
export function createReader(file: StoreFile): Omit<StoreReader, 'close'> {
  return {
    state: () => file.read(readState),
    standing: () => file.read(readStanding),
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
  const meta = await readMeta(connection);
  return {
    ...(await readStanding(connection, meta)),
    checkpoint: await readCheckpoint(connection),
  };
}

async function readMeta(connection: DuckDBConnection): Promise<Map<unknown, string>> {
  return new Map((await rowsOf(connection, 'FROM meta')).map(([name, value]) => [name, String(value)]));
}

async function readStanding(connection: DuckDBConnection, known?: Map<unknown, string>): Promise<Standing> {
  const meta = known ?? (await readMeta(connection));
  const method = meta.get('method');
  return {
    positions: await readPositions(connection),
    methodHash: meta.get('method_hash'),
    sourceIdentity: meta.get('source_identity'),
    commits: Number(meta.get('commits') ?? 0),
    method: method === undefined ? undefined : (JSON.parse(method) as Method),
  };
}

async function readPositions(connection: DuckDBConnection): Promise<PartitionPosition[]> {
  const rows = await rowsOf(connection, 'FROM positions ORDER BY partition');
  return rows.map(positionOf);
}

async function readCheckpoint(connection: DuckDBConnection): Promise<Checkpoint | undefined> {
  const [row] = await rowsOf(connection, 'FROM checkpoint');
  if (!row) return undefined;
  const [floor, periods] = row;
  const bytes = periods instanceof DuckDBBlobValue ? periods.bytes : new Uint8Array();
  return { floorMs: Number(floor), openPeriods: unpackOpenPeriods(bytes) };
}

/** Streams the answer: DuckDB sorts, here are never more rows than a page. */
async function* readPages(file: StoreFile, query: TotalsQuery): AsyncGenerator<TotalsRow[]> {
  const { sql, parameters, columns } = totalsStatement(query);
  const texts = columns.map(() => new Remembered());
  const connection = await file.connect();
  try {
    const result = await file.explained(connection.stream(sql, parameters));
    let page: TotalsRow[] = [];
    for (;;) {
      const chunk = await file.explained(result.fetchChunk());
      if (!chunk || chunk.rowCount === 0) break;
      appendRows(page, chunk, columns, texts);
      if (page.length < PAGE_ROWS) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  } finally {
    connection.closeSync();
  }
}

function appendRows(
  page: TotalsRow[],
  chunk: DuckDBDataChunk,
  columns: readonly AnswerColumn[],
  texts: readonly Remembered[],
): void {
  const clicks = numberColumn(chunk, columns.length);
  const readers = columns.map((column, index) => textReader(chunk, column, texts[index]));
  for (let row = 0; row < clicks.length; row++) {
    const answer: TotalsRow = {};
    for (let column = 0; column < columns.length; column++)
      answer[columns[column].name] = readers[column](row);
    answer.clicks = clicks[row];
    page.push(answer);
  }
}

function textReader(
  chunk: DuckDBDataChunk,
  { isTime, index, keyIndex }: AnswerColumn,
  texts: Remembered,
): (row: number) => string {
  if (keyIndex === undefined) return textColumn(chunk, index);
  const keys = numberColumn(chunk, keyIndex);
  if (isTime) return (row) => texts.textOf(keys[row], () => timeText(keys[row]));
  const text = textColumn(chunk, index);
  return (row) => texts.textOf(keys[row], () => text(row));
}

/** `2026-02-22T10:00:00Z` */
function timeText(minute: number): string {
  return `${new Date(minute * BUCKET_MS).toISOString().slice(0, 19)}Z`;
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
  return ledgerCountsOf(row ?? []);
}

async function readLedgerByPartition(connection: DuckDBConnection): Promise<Map<number, LedgerCounts>> {
  const sql = `SELECT partition, ${LEDGER_SUMS} FROM ledger GROUP BY partition ORDER BY partition`;
  const rows = await rowsOf(connection, sql);
  return new Map(rows.map(([partition, ...counts]) => [Number(partition), ledgerCountsOf(counts)]));
}

async function countLetters(
  connection: DuckDBConnection,
): Promise<{ verdict: string; reason: string; count: number }[]> {
  const rows = await rowsOf(
    connection,
    `SELECT verdict, ${COUNTED_REASON} AS reason, count(*)::DOUBLE
     FROM dead_letters GROUP BY ALL ORDER BY 3 DESC, 1, 2`,
  );
  return rows.map(([verdict, reason, count]) => ({
    verdict: String(verdict),
    reason: String(reason),
    count: Number(count),
  }));
}
