// Bookkeeping beside the totals: backfilled periods, closed invoices and their adjustments. Each is one transaction
// under the lock of writers, so that it is before or after a commit of a living run, never amid one.
import type pg from 'pg';
import type {
  AdjustmentLine,
  BillingLine,
  ClosedPeriod,
  Revision,
  StoreBooks,
} from '../../core/ports/books.js';
import { billingLineOf, closedPeriodOf, revisionOf } from '../../core/stored-rows.js';
import { UserError } from '../../errors.js';
import { markLetters } from './letters.js';
import type { Read } from './reader.js';
import { replacePeriod } from './replace-period.js';
import { rowsOf } from './session.js';
import { writeSnapshot } from './snapshot.js';

/** Runs `work` in a write transaction that holds the lock of writers. */
export type Write = <T>(work: (client: pg.ClientBase) => Promise<T>) => Promise<T>;

export type BooksReader = Pick<StoreBooks, 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

/** The part of the books that only reads. */
export function createBooksReader({ read }: { read: Read }): BooksReader {
  return {
    snapshot: (directory, period) => read((client) => writeSnapshot(client, directory, period)),
    revisions: () => read(readRevisions),
    closedPeriods: () => read(readClosedPeriods),
    adjustments: () => read(readAdjustments),
  };
}

/** All of the books. */
export function createBooks({ read, write }: { read: Read; write: Write }): StoreBooks {
  return {
    ...createBooksReader({ read }),
    replacePeriod: (replacement) =>
      write(async (client) => {
        await replacePeriod(client, replacement);
        await addAdjustments(client, replacement.adjustments);
      }),
    closePeriod: (period) => write((client) => closePeriod(client, period)),
    addAdjustments: (lines) => write((client) => addAdjustments(client, lines)),
    markRedriven: (letters, atMs) => write((client) => markLetters(client, letters, atMs)),
  };
}

async function readRevisions(client: pg.ClientBase): Promise<Revision[]> {
  const rows = await rowsOf(
    client,
    `SELECT revision, from_time, to_time, recorded_at, method_hash, positions, too_late_admitted, adjustments
     FROM revisions ORDER BY revision`,
  );
  return rows.map((row) => revisionOf(row, (value) => value));
}

async function closePeriod(client: pg.ClientBase, period: ClosedPeriod): Promise<void> {
  const { periodId, fromMs, toMs, closedAtMs, methodHash, lines } = period;
  const [overlapping] = await rowsOf(
    client,
    `SELECT period_id FROM closed_periods
     WHERE period_id = $1 OR (from_time < $3 AND to_time > $2) ORDER BY from_time LIMIT 1`,
    [periodId, fromMs, toMs],
  );
  if (overlapping) {
    throw new UserError(`period ${periodId} overlaps ${String(overlapping[0])}, which is closed`, {
      hint: 'A closed period never changes; what changed since is in its adjustments.',
    });
  }
  await client.query('INSERT INTO closed_periods VALUES ($1, $2, $3, $4, $5)', [
    ...[periodId, fromMs, toMs, closedAtMs, methodHash],
  ]);
  await client.query(
    `INSERT INTO billing_lines (period_id, line, campaign_id, clicks, price_per_click, amount, currency)
     SELECT $1, * FROM unnest($2::int[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])`,
    [periodId, lines.map((_, line) => line), ...moneyColumns(lines)],
  );
}

function moneyColumns(lines: readonly BillingLine[]): unknown[] {
  return [
    lines.map(({ campaignId }) => campaignId),
    lines.map(({ clicks }) => clicks),
    lines.map(({ pricePerClick }) => pricePerClick),
    lines.map(({ amount }) => amount),
    lines.map(({ currency }) => currency),
  ];
}

async function readClosedPeriods(client: pg.ClientBase): Promise<ClosedPeriod[]> {
  const lines = new Map<string, BillingLine[]>();
  for (const [periodId, ...line] of await rowsOf(
    client,
    `SELECT period_id, campaign_id, clicks, price_per_click, amount, currency FROM billing_lines
     ORDER BY period_id, line`,
  )) {
    const known = lines.get(String(periodId)) ?? [];
    lines.set(String(periodId), known);
    known.push(billingLineOf(line));
  }
  const rows = await rowsOf(
    client,
    `SELECT period_id, from_time, to_time, closed_at, method_hash FROM closed_periods ORDER BY from_time`,
  );
  return rows.map((row) => closedPeriodOf(row, lines.get(String(row[0])) ?? []));
}

async function addAdjustments(client: pg.ClientBase, lines: readonly AdjustmentLine[]): Promise<void> {
  await client.query(
    `INSERT INTO adjustments
       (period_id, campaign_id, clicks, price_per_click, amount, currency, cause, recorded_at)
     SELECT period_id, campaign_id, clicks, price_per_click, amount, currency, cause, recorded_at
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
       WITH ORDINALITY AS added (period_id, campaign_id, clicks, price_per_click, amount, currency, cause,
         recorded_at, line)
     ORDER BY added.line`,
    [
      lines.map(({ periodId }) => periodId),
      ...moneyColumns(lines),
      lines.map(({ cause }) => cause),
      lines.map(({ recordedAtMs }) => recordedAtMs),
    ],
  );
}

async function readAdjustments(client: pg.ClientBase): Promise<AdjustmentLine[]> {
  const rows = await rowsOf(
    client,
    `SELECT period_id, cause, recorded_at, campaign_id, clicks, price_per_click, amount, currency
     FROM adjustments ORDER BY line`,
  );
  return rows.map(([periodId, cause, recordedAt, ...line]) => ({
    ...billingLineOf(line),
    periodId: String(periodId),
    cause: String(cause),
    recordedAtMs: Number(recordedAt),
  }));
}
