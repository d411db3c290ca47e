// A backfilled period takes the place of what was counted: all its totals and ledger rows, in one transaction.
import type pg from 'pg';
import type { PeriodReplacement } from '../../core/ports/books.js';
import { UserError } from '../../errors.js';
import { LEDGER_COLUMNS, rowsOfParquet, TOTALS_COLUMNS } from '../duckdb/table-files.js';
import { CopyRows, copyChunks } from './copy-rows.js';
import { DAY_MS, makePartitions } from './partitions.js';
import { rowsOf } from './session.js';
import { minuteConditions } from './totals-sql.js';

const LEDGER = LEDGER_COLUMNS.map(({ name }) => name).join(', ');

/** Replaces the period. UserError: another backfill came between, or its records were counted on meanwhile. */
export async function replacePeriod(client: pg.ClientBase, replacement: PeriodReplacement): Promise<void> {
  const { fromMs, toMs, totalsFile, ledgerFile, ledgerBeforeFile, revision } = replacement;
  const [[last] = []] = await rowsOf(client, 'SELECT coalesce(max(revision), 0) FROM revisions');
  if (revision.revision !== Number(last) + 1) {
    throw new UserError(`another backfill became revision ${Number(last)} meanwhile`, {
      hint: 'Run it again.',
    });
  }
  const inPeriod = `minute >= ${Math.trunc(fromMs)} AND minute < ${Math.trunc(toMs)}`;
  if (ledgerBeforeFile !== undefined) await requireSameLedger(client, ledgerBeforeFile, inPeriod);
  await client.query(`DELETE FROM totals WHERE ${minuteConditions(replacement)}`);
  await copyTotals(client, totalsFile, replacement);
  await client.query(`DELETE FROM ledger WHERE ${inPeriod}`);
  await copyLedger(client, 'ledger', ledgerFile, inPeriod);
  const { recordedAtMs, methodHash, positions, tooLateAdmitted, adjustments } = revision;
  await client.query('INSERT INTO revisions VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', [
    ...[revision.revision, fromMs, toMs, recordedAtMs, methodHash],
    ...[JSON.stringify(positions), tooLateAdmitted, JSON.stringify(adjustments)],
  ]);
}

/** Too-late records still come for an old period: what was recomputed before the last of them would lose it. */
async function requireSameLedger(
  client: pg.ClientBase,
  ledgerBeforeFile: string,
  inPeriod: string,
): Promise<void> {
  await client.query('CREATE TEMP TABLE ledger_before (LIKE ledger) ON COMMIT DROP');
  await copyLedger(client, 'ledger_before', ledgerBeforeFile, inPeriod);
  const [now, before] = ['ledger', 'ledger_before'].map(
    (table) => `SELECT ${LEDGER} FROM ${table} WHERE ${inPeriod}`,
  );
  const [[changed] = []] = await rowsOf(
    client,
    `SELECT count(*) FROM ((${now} EXCEPT ${before}) UNION ALL (${before} EXCEPT ${now})) AS changed`,
  );
  if (Number(changed) > 0) {
    throw new UserError('records of the period were counted meanwhile', { hint: 'Run it again.' });
  }
}

async function copyTotals(
  client: pg.ClientBase,
  path: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<void> {
  const days = new Set<number>();
  for await (const rows of rowsOfParquet(path, TOTALS_COLUMNS.slice(0, 1), 'clicks > 0')) {
    for (const [minute] of rows) {
      const minuteMs = Number(minute);
      if (minuteMs < fromMs || minuteMs >= toMs) {
        throw new Error('a cell to be written is outside of the period');
      }
      days.add(Math.floor(minuteMs / DAY_MS));
    }
  }
  await makePartitions(client, days);
  const chunks = copied(path, TOTALS_COLUMNS, 'clicks > 0', (rows, row) => {
    const [minute, adId, campaignId, country, deviceType, clicks] = row;
    rows.timestamptz(Number(minute));
    for (const text of [adId, campaignId, country, deviceType]) rows.text(String(text));
    rows.int4(Number(clicks));
  });
  await copyChunks(client, 'totals (minute, ad_id, campaign_id, country, device_type, clicks)', chunks);
}

async function copyLedger(
  client: pg.ClientBase,
  table: string,
  path: string,
  inPeriod: string,
): Promise<void> {
  const chunks = copied(path, LEDGER_COLUMNS, inPeriod, (rows, [partition, ...numbers]) => {
    rows.int4(Number(partition));
    for (const number of numbers) rows.int8(Number(number));
  });
  await copyChunks(client, `${table} (${LEDGER})`, chunks);
}

/** A file's rows as chunks to copy. */
async function* copied(
  path: string,
  columns: typeof TOTALS_COLUMNS,
  where: string,
  write: (rows: CopyRows, row: readonly unknown[]) => void,
): AsyncGenerator<Buffer> {
  const out = new CopyRows();
  for await (const rows of rowsOfParquet(path, columns, where)) {
    for (const row of rows) {
      out.row(columns.length);
      write(out, row);
    }
    yield* out.take();
  }
  yield* out.end();
}
