// A backfill: a closed period is recomputed with its too-late clicks admitted, and what comes out replaces its
// totals and its ledger in the store, with a revision that says what changed. Done again, it finds nothing to
// change and leaves no revision.
import { join } from 'node:path';
import { BUCKET_MS, type Method, VERDICTS } from '../core/method.js';
import type { AdjustmentLine, ClosedPeriod, Revision, StoreBooks } from '../core/ports/books.js';
import { EVERYTHING, type LedgerCounts, type TotalsQuery, type TotalsRow } from '../core/ports/store.js';
import { invariant, UserError } from '../errors.js';
import { adjustmentsFor, type PriceList, periodIdOf, revisionLines } from './billing.js';
import { compare } from './compare.js';
import { type LakeAccess, openLakeUpTo } from './lake-access.js';
import type { Period } from './lake-reader.js';
import { prepare, recompute } from './recompute.js';
import { type TakenSnapshot, takeSnapshot, watermarksOf, withSession } from './reconcile.js';
import { isoSecond } from './report.js';
import { type BatchSession, quote } from './session.js';
import { admissionsUpTo } from './universe.js';

/** The store as a backfill needs it. */
export type BackfillStore = Pick<
  StoreBooks,
  'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments' | 'addAdjustments' | 'replacePeriod'
> & {
  query(query: TotalsQuery): Promise<TotalsRow[]>;
  close(): Promise<void>;
};

export interface BackfillOptions extends LakeAccess {
  /** Opens the store to read; it is closed again before the recomputation begins. */
  openStore: () => Promise<Omit<BackfillStore, 'addAdjustments' | 'replacePeriod'>>;
  /** Opens the store to write, when there is something to be written. */
  openBooks: () => Promise<BackfillStore>;
  /** Whole minutes. */
  period: Period;
  prices: PriceList;
  /** Only tell what would change. */
  dryRun: boolean;
  nowMs: number;
  /** Called with the method that the store was counted by; throws to refuse. */
  checkMethod?: (method: Method) => void;
  onStep?: (step: string) => void;
}

export interface Backfill {
  period: Period;
  methodHash: string;
  /** False: everything was admitted before, or there is no too-late click. */
  changed: boolean;
  /** What was recorded (or would be); undefined when nothing changed. */
  revision: Revision | undefined;
  /** The period's ledger before and after. */
  before: LedgerCounts;
  after: LedgerCounts;
  /** Cells that changed. */
  cells: number;
  /** Credits and debits for closed periods, those of late clicks that nobody had recorded yet too. */
  adjustments: AdjustmentLine[];
}

/** Carries out a backfill. UserError: the period is not closed yet, the lake lags, or the store has changed meanwhile. */
export async function backfill(options: BackfillOptions): Promise<Backfill> {
  return withSession(options.signal, async (session, folder) => {
    const { period, onStep } = options;
    onStep?.('taking a snapshot of the store');
    const store = await options.openStore();
    let snapshot: TakenSnapshot;
    let closed: BilledPeriod[];
    let earlier: AdjustmentLine[];
    try {
      snapshot = await takeSnapshot(store, folder, period);
      options.checkMethod?.(snapshot.method);
      refuseOpenPeriod(period, snapshot);
      closed = await billedPeriods(store, period);
      earlier = await store.adjustments();
    } finally {
      await store.close();
    }
    const lake = await openLakeUpTo(snapshot.positions, options);
    try {
      const plan = await plannedRevision(session, options, snapshot, lake.files);
      return await carryOut(session, options, { ...plan, snapshot, closed, earlier, folder });
    } finally {
      lake.release();
    }
  });
}

/** First watermark at which nothing can change in the period any more but by a backfill. */
export function backfillableFrom(period: Period, method: Method): number {
  // A bot's window that begins in the period ends so much later; its last minute must be final too.
  const lastMinuteEndMs = Math.ceil((period.toMs + method.botWindowMs) / BUCKET_MS) * BUCKET_MS;
  return lastMinuteEndMs + method.allowedLatenessMs;
}

function refuseOpenPeriod(period: Period, snapshot: TakenSnapshot): void {
  const finalFromMs = backfillableFrom(period, snapshot.method);
  for (const [partition, watermarkMs] of watermarksOf(snapshot)) {
    if (watermarkMs === Number.NEGATIVE_INFINITY || watermarkMs > finalFromMs) continue;
    throw new UserError(
      `${periodIdOf(period)} can't be backfilled yet: late clicks of it still count. The watermark of partition ` +
        `${partition} is at ${isoSecond(watermarkMs)}, it must be past ${isoSecond(finalFromMs)}`,
      { hint: `Backfill up to an earlier --to, or when newer clicks have moved every watermark past it.` },
    );
  }
}

/** A closed period that a backfill touches, with its clicks by campaign as they are now. */
interface BilledPeriod {
  period: ClosedPeriod;
  campaigns: Map<string, number>;
}

async function billedPeriods(
  store: Pick<BackfillStore, 'closedPeriods' | 'query'>,
  within: Period,
): Promise<BilledPeriod[]> {
  const touched = (await store.closedPeriods()).filter(
    ({ fromMs, toMs }) => fromMs < within.toMs && toMs > within.fromMs,
  );
  const billed: BilledPeriod[] = [];
  for (const period of touched) {
    const rows = await store.query({
      ...EVERYTHING,
      fromMs: period.fromMs,
      toMs: period.toMs,
      groupBy: ['campaign_id'],
    });
    const campaigns = new Map(rows.map((row) => [String(row.campaign_id), Number(row.clicks)]));
    billed.push({ period, campaigns });
  }
  return billed;
}

interface Plan {
  cells: number;
  before: LedgerCounts;
  after: LedgerCounts;
  /** Undefined: nothing would change. */
  revision: Revision | undefined;
}

/** Recomputes the period into `batch_cells` and `batch_ledger`, and says what differs from the store in `differing`. */
async function plannedRevision(
  session: BatchSession,
  { period, prices, nowMs, onStep }: BackfillOptions,
  snapshot: TakenSnapshot,
  files: Awaited<ReturnType<typeof openLakeUpTo>>['files'],
): Promise<Plan> {
  const { method, positions, revisions } = snapshot;
  const number = (revisions.at(-1)?.revision ?? 0) + 1;
  const admissions = [...admissionsUpTo(revisions, number), { ...period, positions }];
  await prepare(session);
  await recompute(session, { files, method, positions, period, admissions, ...(onStep ? { onStep } : {}) });
  await session.run(`ALTER TABLE cells RENAME TO batch_cells; ALTER TABLE ledger RENAME TO batch_ledger;`);
  const whole = { ...snapshot, complete: true };
  const found = await compare(session, { snapshot: whole, files, method, period, sample: 0 });
  const plan = { cells: found.differing, before: found.ledgerStream, after: found.ledger };
  if (found.differing === 0 && found.ledgerDiffering === 0) return { ...plan, revision: undefined };
  return {
    ...plan,
    revision: {
      revision: number,
      ...period,
      recordedAtMs: nowMs,
      methodHash: snapshot.methodHash,
      positions: [...positions].map(([partition, position]) => ({ partition, position })),
      tooLateAdmitted: found.ledgerStream.too_late - found.ledger.too_late,
      adjustments: revisionLines(await changeByCampaign(session, period), prices),
    },
  };
}

async function changeByCampaign(session: BatchSession, within: Period): Promise<Map<string, number>> {
  const rows = await session.rows(`SELECT campaign_id, sum(batch - stream)::BIGINT AS change
    FROM differing JOIN ads USING (ad) WHERE minute >= ${within.fromMs} AND minute < ${within.toMs}
    GROUP BY campaign_id ORDER BY campaign_id`);
  return new Map(rows.map((row) => [String(row.campaign_id), Number(row.change)]));
}

async function carryOut(
  session: BatchSession,
  options: BackfillOptions,
  plan: Plan & {
    snapshot: TakenSnapshot;
    closed: readonly BilledPeriod[];
    earlier: readonly AdjustmentLine[];
    folder: string;
  },
): Promise<Backfill> {
  const { period, dryRun, onStep } = options;
  const { snapshot, revision, folder, before, after, cells } = plan;
  const adjustments = await adjustmentsOf(session, options, plan);
  const result = { period, methodHash: snapshot.methodHash, before, after, cells, adjustments, revision };
  if (!dryRun && (revision || adjustments.length > 0)) {
    onStep?.('replacing');
    const totalsFile = join(folder, 'replacement-totals.parquet');
    const ledgerFile = join(folder, 'replacement-ledger.parquet');
    await session.run(`
      COPY (SELECT minute, ad_id, campaign_id, country, device_type, clicks FROM batch_cells
        JOIN ads USING (ad) JOIN places USING (place)) TO ${quote(totalsFile)} (FORMAT parquet);
      COPY (SELECT "partition", minute, ${VERDICTS.join(', ')} FROM batch_ledger) TO ${quote(ledgerFile)} (FORMAT parquet);`);
    const books = await options.openBooks();
    try {
      const ledgerBeforeFile = snapshot.ledgerFile;
      if (revision) {
        const files = { totalsFile, ledgerFile, ledgerBeforeFile };
        await books.replacePeriod({ ...period, ...files, revision, adjustments });
      } else await books.addAdjustments(adjustments);
    } finally {
      await books.close();
    }
  }
  return { ...result, changed: revision !== undefined };
}

/** For each closed period: first what nobody had recorded of its late clicks, then what this backfill changes. */
async function adjustmentsOf(
  session: BatchSession,
  { period, prices, nowMs }: BackfillOptions,
  {
    closed,
    earlier,
    revision,
  }: Plan & { closed: readonly BilledPeriod[]; earlier: readonly AdjustmentLine[] },
): Promise<AdjustmentLine[]> {
  const lines: AdjustmentLine[] = [];
  for (const { period: invoice, campaigns } of closed) {
    const late = { cause: 'late clicks', recordedAtMs: nowMs };
    const unrecorded = adjustmentsFor(invoice, earlier, campaigns, prices, late);
    lines.push(...unrecorded);
    if (!revision) continue;
    const shared = {
      fromMs: Math.max(invoice.fromMs, period.fromMs),
      toMs: Math.min(invoice.toMs, period.toMs),
    };
    invariant(shared.fromMs < shared.toMs, 'only closed periods that the backfill touches are adjusted');
    const after = new Map(campaigns);
    for (const [campaign, change] of await changeByCampaign(session, shared)) {
      after.set(campaign, (after.get(campaign) ?? 0) + change);
    }
    const cause = { cause: `backfill revision ${revision.revision}`, recordedAtMs: nowMs };
    lines.push(...adjustmentsFor(invoice, [...earlier, ...unrecorded], after, prices, cause));
  }
  return lines;
}
