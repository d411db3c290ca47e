// Bookkeeping beside the totals: snapshots for the recomputation, backfilled periods, closed invoices and their
// adjustments. Each is one transaction.
import { join } from 'node:path';
import type {
  AdjustmentLine,
  BillingLine,
  ClosedPeriod,
  PeriodReplacement,
  Revision,
  Snapshot,
  StoreBooks,
} from '../../core/ports/books.js';
import { billingLineOf, closedPeriodOf, LEDGER_COLUMNS, revisionOf } from '../../core/stored-rows.js';
import { UserError } from '../../errors.js';
import { appendColumns } from './columns.js';
import type { StoreFile } from './file.js';
import { stageNames } from './letters.js';
import { BIGINT, type DuckDBConnection, type DuckDBValue, INTEGER, VARCHAR } from './node-api.js';
import { readState } from './reader.js';
import { numberOf, quoted, rowsOf } from './sql.js';
import { minuteConditions } from './totals-sql.js';

/** Carries out `work` in a write transaction, after those that were asked for before. */
export type Transact = <T>(work: (connection: DuckDBConnection) => Promise<T>) => Promise<T>;

export type BooksReader = Pick<StoreBooks, 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

const COUNTS = LEDGER_COLUMNS.join(', ');

/** The part of the books that only reads. */
export function createBooksReader(file: StoreFile): BooksReader {
  return {
    snapshot: (directory, period) => file.read((connection) => writeSnapshot(connection, directory, period)),
    revisions: () => file.read(readRevisions),
    closedPeriods: () => file.read(readClosedPeriods),
    adjustments: () => file.read(readAdjustments),
  };
}

/** All of the books. `changed` is called when numbers were given to ads by another way than a commit. */
export function createBooks(file: StoreFile, transact: Transact, changed: () => void): StoreBooks {
  return {
    ...createBooksReader(file),
    replacePeriod: (replacement) =>
      transact(async (connection) => {
        changed();
        await replacePeriod(connection, replacement);
      }),
    closePeriod: (period) => transact((connection) => closePeriod(connection, period)),
    addAdjustments: (lines) => transact((connection) => addAdjustments(connection, lines)),
    markRedriven: (letters, atMs) =>
      transact(async (connection) => {
        await connection.run('TRUNCATE named_letters');
        await stageNames(connection, letters);
        await connection.run(`
          UPDATE dead_letters SET redriven_at = ${Math.trunc(atMs)} FROM named_letters AS named
          WHERE dead_letters.partition = named.partition AND dead_letters."offset" = named."offset";
          TRUNCATE named_letters;`);
      }),
  };
}

async function writeSnapshot(
  connection: DuckDBConnection,
  directory: string,
  period: { fromMs: number | undefined; toMs: number | undefined },
): Promise<Snapshot> {
  const totalsFile = join(directory, 'totals.parquet');
  const ledgerFile = join(directory, 'ledger.parquet');
  const state = await readState(connection);
  const [complete] = await rowsOf(connection, `SELECT value FROM meta WHERE name = 'complete'`);
  await connection.run(`
    COPY (
      SELECT minute::BIGINT * 60000 AS minute, ad_id, campaign_id, country, device_type, clicks::BIGINT AS clicks
      FROM cells JOIN ads USING (ad) JOIN places USING (place)
      WHERE ${minuteConditions(period).join(' AND ')}
    ) TO ${quoted(totalsFile)} (FORMAT parquet);
    COPY (SELECT partition, minute, ${COUNTS} FROM ledger) TO ${quoted(ledgerFile)} (FORMAT parquet);`);
  return { state, complete: complete?.[0] === 'true', totalsFile, ledgerFile };
}

async function replacePeriod(connection: DuckDBConnection, replacement: PeriodReplacement): Promise<void> {
  const { fromMs, toMs, totalsFile, ledgerFile, ledgerBeforeFile, revision } = replacement;
  const last = await numberOf(connection, 'SELECT max(revision) FROM revisions');
  if (revision.revision !== last + 1) {
    throw new UserError(`another backfill became revision ${last} meanwhile`, { hint: 'Run it again.' });
  }
  if (ledgerBeforeFile !== undefined) await requireSameLedger(connection, ledgerBeforeFile, replacement);
  const outside = await numberOf(
    connection,
    `SELECT count(*) FROM read_parquet(${quoted(totalsFile)}) WHERE minute < ${fromMs} OR minute >= ${toMs}`,
  );
  if (outside > 0) throw new Error(`${outside} cells to be written are outside of the period`);
  await connection.run(`
    CREATE TEMP TABLE replacement AS
      SELECT (minute // 60000)::UINTEGER AS minute, ad_id, campaign_id, country, device_type, clicks
      FROM read_parquet(${quoted(totalsFile)}) WHERE clicks > 0;
    INSERT INTO ads
      SELECT (SELECT coalesce(max(ad), 0) FROM ads) + row_number() OVER (), ad_id, campaign_id
      FROM (SELECT DISTINCT ad_id, campaign_id FROM replacement) ANTI JOIN ads USING (ad_id, campaign_id);
    INSERT INTO places
      SELECT (SELECT coalesce(max(place), 0) FROM places) + row_number() OVER (), country, device_type
      FROM (SELECT DISTINCT country, device_type FROM replacement)
      ANTI JOIN places USING (country, device_type);
    DELETE FROM cells WHERE ${minuteConditions(replacement).join(' AND ')};
    INSERT INTO cells
      SELECT minute, ad, place, clicks FROM replacement
      JOIN ads USING (ad_id, campaign_id) JOIN places USING (country, device_type) ORDER BY minute;
    DROP TABLE replacement;
    DELETE FROM ledger WHERE minute >= ${fromMs} AND minute < ${toMs};
    INSERT INTO ledger
      SELECT partition, minute, ${COUNTS} FROM read_parquet(${quoted(ledgerFile)})
      WHERE minute >= ${fromMs} AND minute < ${toMs};`);
  const { recordedAtMs, methodHash, positions, tooLateAdmitted, adjustments } = revision;
  await connection.run(
    `INSERT INTO revisions VALUES ($1, ${fromMs}, ${toMs}, ${recordedAtMs}, $2, $3, ${tooLateAdmitted}, $4)`,
    [revision.revision, methodHash, JSON.stringify(positions), JSON.stringify(adjustments)],
  );
  await addAdjustments(connection, replacement.adjustments);
}

/** Too-late records still come for an old period: what was recomputed before the last of them would lose it. */
async function requireSameLedger(
  connection: DuckDBConnection,
  ledgerBeforeFile: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<void> {
  const rows = (ledger: string): string =>
    `SELECT partition, minute, ${COUNTS} FROM ${ledger} WHERE minute >= ${fromMs} AND minute < ${toMs}`;
  const [now, before] = [rows('ledger'), rows(`read_parquet(${quoted(ledgerBeforeFile)})`)];
  const changed = await numberOf(
    connection,
    `SELECT count(*) FROM ((${now} EXCEPT ${before}) UNION ALL (${before} EXCEPT ${now}))`,
  );
  if (changed > 0) {
    throw new UserError('records of the period were counted meanwhile', { hint: 'Run it again.' });
  }
}

async function readRevisions(connection: DuckDBConnection): Promise<Revision[]> {
  const rows = await rowsOf(connection, 'FROM revisions ORDER BY revision');
  return rows.map((row) => revisionOf(row, (value) => JSON.parse(String(value))));
}

async function closePeriod(connection: DuckDBConnection, period: ClosedPeriod): Promise<void> {
  const { periodId, fromMs, toMs, closedAtMs, methodHash, lines } = period;
  const [overlapping] = await rowsOf(
    connection,
    `SELECT period_id FROM closed_periods
     WHERE period_id = $1 OR (from_time < ${toMs} AND to_time > ${fromMs}) ORDER BY from_time LIMIT 1`,
    [periodId],
  );
  if (overlapping) {
    throw new UserError(`period ${periodId} overlaps ${String(overlapping[0])}, which is closed`, {
      hint: 'A closed period never changes; what changed since is in its adjustments.',
    });
  }
  await connection.run(`INSERT INTO closed_periods VALUES ($1, ${fromMs}, ${toMs}, ${closedAtMs}, $2)`, [
    periodId,
    methodHash,
  ]);
  await connection.run('TRUNCATE new_lines');
  await appendColumns(
    connection,
    'new_lines',
    [VARCHAR, INTEGER, VARCHAR, BIGINT, VARCHAR, VARCHAR, VARCHAR],
    [
      lines.map(() => periodId),
      lines.map((_, line) => line),
      lines.map(({ campaignId }) => campaignId),
      lines.map(({ clicks }) => BigInt(clicks)),
      lines.map(({ pricePerClick }) => pricePerClick),
      lines.map(({ amount }) => amount),
      lines.map(({ currency }) => currency),
    ],
  );
  await connection.run('INSERT INTO billing_lines FROM new_lines; TRUNCATE new_lines;');
}

async function readClosedPeriods(connection: DuckDBConnection): Promise<ClosedPeriod[]> {
  const lines = new Map<DuckDBValue, BillingLine[]>();
  for (const [periodId, , ...line] of await rowsOf(
    connection,
    'FROM billing_lines ORDER BY period_id, line',
  )) {
    const known = lines.get(periodId) ?? [];
    lines.set(periodId, known);
    known.push(billingLineOf(line));
  }
  const rows = await rowsOf(connection, 'FROM closed_periods ORDER BY from_time');
  return rows.map((row) => closedPeriodOf(row, lines.get(row[0]) ?? []));
}

async function addAdjustments(connection: DuckDBConnection, lines: readonly AdjustmentLine[]): Promise<void> {
  const first = await numberOf(connection, 'SELECT count(*) FROM adjustments');
  await connection.run('TRUNCATE new_adjustments');
  await appendColumns(
    connection,
    'new_adjustments',
    [BIGINT, VARCHAR, VARCHAR, BIGINT, VARCHAR, VARCHAR, VARCHAR, VARCHAR, BIGINT],
    [
      lines.map((_, line) => BigInt(first + line)),
      lines.map(({ periodId }) => periodId),
      lines.map(({ campaignId }) => campaignId),
      lines.map(({ clicks }) => BigInt(clicks)),
      lines.map(({ pricePerClick }) => pricePerClick),
      lines.map(({ amount }) => amount),
      lines.map(({ currency }) => currency),
      lines.map(({ cause }) => cause),
      lines.map(({ recordedAtMs }) => BigInt(recordedAtMs)),
    ],
  );
  await connection.run('INSERT INTO adjustments FROM new_adjustments; TRUNCATE new_adjustments;');
}

async function readAdjustments(connection: DuckDBConnection): Promise<AdjustmentLine[]> {
  const rows = await rowsOf(connection, 'FROM adjustments ORDER BY line');
  return rows.map(([, periodId, campaignId, clicks, price, amount, currency, cause, recordedAt]) => ({
    ...billingLineOf([campaignId, clicks, price, amount, currency]),
    periodId: String(periodId),
    cause: String(cause),
    recordedAtMs: Number(recordedAt),
  }));
}
