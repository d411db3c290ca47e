// Reading the store. Every answer comes from one repeatable-read transaction, so it is of one commit and neither
// waits for the writer nor holds it up.
import type pg from 'pg';
import type { Method } from '../../core/method.js';
import type { PartitionPosition, Standing, StoredState } from '../../core/ports/commit.js';
import type { LedgerCounts, StoreReader, TotalsQuery, TotalsRow } from '../../core/ports/store.js';
import { LEDGER_COLUMNS, ledgerCountsOf, positionOf, unpackOpenPeriods } from '../../core/stored-rows.js';
import { countLetters, readLetters } from './letters.js';
import { rowsOf } from './session.js';
import { totalsStatement } from './totals-sql.js';

/** Rows of one page of an answer. */
const PAGE_ROWS = 10_000;
/** Time texts that are remembered. */
const REMEMBERED_MAX = 50_000;

const LEDGER_SUMS = [LEDGER_COLUMNS.join(' + '), ...LEDGER_COLUMNS]
  .map((count) => `sum(${count})`)
  .join(', ');

/** Runs `work` in a read transaction on a connection of its own. */
export type Read = <T>(work: (client: pg.ClientBase) => Promise<T>) => Promise<T>;

/** A connection in a read transaction, for answers in pages. Release it. */
export type Lease = () => Promise<{
  client: pg.ClientBase;
  /** Waits for a promise; the server's complaints become UserErrors. */
  explained<T>(promise: Promise<T>): Promise<T>;
  release(): Promise<void>;
}>;

/** Answers by these connections. */
export function createReader({ read, lease }: { read: Read; lease: Lease }): Omit<StoreReader, 'close'> {
  return {
    state: () => read(readState),
    standing: () => read(readStanding),
    async query(query) {
      const rows: TotalsRow[] = [];
      for await (const page of readPages(lease, query)) for (const row of page) rows.push(row);
      return rows;
    },
    pages: (query) => readPages(lease, query),
    ledger: (period) => read((client) => readLedger(client, period)),
    ledgerByPartition: () => read(readLedgerByPartition),
    deadLetters: (filter) => read((client) => readLetters(client, filter)),
    deadLetterCounts: () => read(countLetters),
  };
}

/** What the store knows when a run starts. */
export async function readState(client: pg.ClientBase): Promise<StoredState> {
  const [checkpoint] = await rowsOf(client, 'SELECT floor, open_periods FROM checkpoint');
  return {
    ...(await readStanding(client)),
    checkpoint: checkpoint && {
      floorMs: Number(checkpoint[0]),
      openPeriods: unpackOpenPeriods(checkpoint[1] as Buffer),
    },
  };
}

async function readStanding(client: pg.ClientBase): Promise<Standing> {
  const [identity] = await rowsOf(client, 'SELECT method, method_hash, source_identity FROM identity');
  const [writer] = await rowsOf(client, 'SELECT commits FROM writer');
  return {
    commits: Number(writer?.[0] ?? 0),
    positions: await readPositions(client),
    method: identity && (identity[0] as Method),
    methodHash: identity && String(identity[1]),
    sourceIdentity: identity && String(identity[2]),
  };
}

async function readPositions(client: pg.ClientBase): Promise<PartitionPosition[]> {
  const rows = await rowsOf(
    client,
    `SELECT partition, position, max_event_time, rewind_offset, rewind_max_event_time
     FROM positions ORDER BY partition`,
  );
  return rows.map(positionOf);
}

/** Streams the answer through a cursor: the server sorts, here are never more rows than a page. */
async function* readPages(lease: Lease, query: TotalsQuery): AsyncGenerator<TotalsRow[]> {
  const { sql, values, columns } = totalsStatement(query);
  const timeTexts = new Map<number, string>();
  const { client, explained, release } = await lease();
  try {
    await explained(client.query(`DECLARE pages NO SCROLL CURSOR FOR ${sql}`, values));
    for (;;) {
      const rows = await explained(rowsOf(client, `FETCH ${PAGE_ROWS} FROM pages`));
      if (rows.length > 0) yield rows.map((row) => totalsRow(row, columns, timeTexts));
      if (rows.length < PAGE_ROWS) return;
    }
  } finally {
    await release();
  }
}

function totalsRow(
  row: readonly unknown[],
  columns: ReturnType<typeof totalsStatement>['columns'],
  timeTexts: Map<number, string>,
): TotalsRow {
  const answer: TotalsRow = {};
  for (let index = 0; index < columns.length; index++) {
    const { name, isTime } = columns[index];
    answer[name] = isTime ? timeText(row[index] as number, timeTexts) : (row[index] as string);
  }
  answer.clicks = row[columns.length] as number;
  return answer;
}

/** `2026-02-22T10:00:00Z` */
function timeText(seconds: number, known: Map<number, string>): string {
  let text = known.get(seconds);
  if (text === undefined) {
    text = `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(seconds, text);
  }
  return text;
}

async function readLedger(
  client: pg.ClientBase,
  period: { fromMs: number | undefined; toMs: number | undefined } | undefined,
): Promise<LedgerCounts> {
  const { fromMs, toMs } = period ?? {};
  const conditions = ['true'];
  if (fromMs !== undefined || toMs !== undefined) conditions.push('minute >= 0');
  if (fromMs !== undefined) conditions.push(`minute >= ${Math.ceil(fromMs)}`);
  if (toMs !== undefined) conditions.push(`minute < ${Math.ceil(toMs)}`);
  const [row] = await rowsOf(client, `SELECT ${LEDGER_SUMS} FROM ledger WHERE ${conditions.join(' AND ')}`);
  return ledgerCountsOf(row!);
}

async function readLedgerByPartition(client: pg.ClientBase): Promise<Map<number, LedgerCounts>> {
  const sql = `SELECT partition, ${LEDGER_SUMS} FROM ledger GROUP BY partition ORDER BY partition`;
  const rows = await rowsOf(client, sql);
  return new Map(rows.map(([partition, ...counts]) => [Number(partition), ledgerCountsOf(counts)]));
}
