// One reconciliation: a snapshot of the store, the recomputation up to its positions, the comparison, and the
// clicks by campaign that bills are made of.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Method, VERDICTS } from '../core/method.js';
import type { ClosedPeriod, CopyAudit, Revision, Snapshot, StoreBooks } from '../core/ports/books.js';
import { UserError } from '../errors.js';
import { type Comparison, clicksByCampaign, compare } from './compare.js';
import { type LakeAccess, openLakeUpTo } from './lake-access.js';
import type { Period, PositionMap, RecordedFile } from './lake-reader.js';
import { type BatchSession, openSession } from './session.js';
import { recomputeUniverse } from './universe.js';

/** A backfill can come between the snapshot and the list of revisions: then both are taken again. */
const SNAPSHOT_ATTEMPTS_MAX = 5;

export interface ReconcileOptions extends LakeAccess {
  /** Opens the store to read; it is closed again before the recomputation begins. */
  openStore: () => Promise<StoreToRead>;
  /** Whole minutes; undefined: everything. */
  period: Period | undefined;
  /** How many differences are listed, and how many records of each. */
  sample: number;
  /** Called before the work begins; throws to refuse. */
  check?: (snapshot: TakenSnapshot, closedPeriods: readonly ClosedPeriod[]) => void;
  onStep?: (step: string) => void;
}

export type StoreToRead = Pick<StoreBooks, 'audit' | 'snapshot' | 'revisions' | 'closedPeriods'> & {
  close(): Promise<void>;
};

export interface Reconciliation extends Comparison {
  agree: boolean;
  period: Period | undefined;
  method: Method;
  methodHash: string;
  /** Up to where both sides counted. `watermarkMs` is -Infinity where no countable record has come. */
  positions: { partition: number; position: number; watermarkMs: number }[];
  /** Billable clicks of the period by campaign. */
  campaigns: Map<string, number>;
  /** Closed periods inside the period that hold no open cell, with their billable clicks by campaign as they are now. */
  closed: { period: ClosedPeriod; campaigns: Map<string, number> }[];
  /** Backfills that were taken into account. */
  revisions: Revision[];
  /** Whether the store's tables say the same; undefined: it has one. */
  copies: CopyAudit | undefined;
  /** What else a person should know. */
  notes: string[];
}

/** What the store held at one commit. */
export interface TakenSnapshot extends Snapshot {
  method: Method;
  methodHash: string;
  /** Of partitions that have records. */
  positions: PositionMap;
  revisions: Revision[];
}

/** Takes a snapshot together with the revisions that it holds. UserError: the store has counted nothing yet. */
export async function takeSnapshot(
  books: Pick<StoreBooks, 'snapshot' | 'revisions'>,
  folder: string,
  period: Period | undefined,
): Promise<TakenSnapshot> {
  for (let attempt = 1; attempt <= SNAPSHOT_ATTEMPTS_MAX; attempt++) {
    const revisions = await books.revisions();
    const snapshot = await books.snapshot(folder, { fromMs: period?.fromMs, toMs: period?.toMs });
    if ((await books.revisions()).length !== revisions.length) continue;
    const { method, methodHash, positions } = snapshot.state;
    if (!method || !methodHash) {
      throw new UserError('the store has counted nothing yet', { hint: 'Count first: click-agg run.' });
    }
    const counted = positions.filter(({ position }) => position > 0);
    return {
      ...snapshot,
      method,
      methodHash,
      revisions,
      positions: new Map(counted.map(({ partition, position }) => [partition, position])),
    };
  }
  throw new UserError('the store is being backfilled all the time', { hint: 'Try again when that is done.' });
}

/** Watermark by partition at a snapshot; -Infinity where no countable record has come. */
export function watermarksOf({ state, method }: TakenSnapshot): Map<number, number> {
  return new Map(
    state.positions
      .filter(({ position }) => position > 0)
      .map(({ partition, maxEventTimeMs }) => [partition, maxEventTimeMs - method.watermarkDelayMs]),
  );
}

/** Runs `work` with a session and a folder that are gone afterwards. */
export async function withSession<T>(
  signal: AbortSignal | undefined,
  work: (session: BatchSession, folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'click-agg-snapshot-'));
  try {
    const session = await openSession({ temporaryParent: folder, ...(signal ? { signal } : {}) });
    try {
      return await work(session, folder);
    } finally {
      await session.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Recomputes and compares. Changes nothing. */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  return withSession(options.signal, async (session, folder) => {
    options.onStep?.('taking a snapshot of the store');
    const store = await options.openStore();
    let snapshot: TakenSnapshot;
    let closedPeriods: ClosedPeriod[];
    let copies: CopyAudit | undefined;
    try {
      snapshot = await takeSnapshot(store, folder, options.period);
      closedPeriods = await store.closedPeriods();
      const { fromMs, toMs } = options.period ?? { fromMs: undefined, toMs: undefined };
      copies = await store.audit?.({ fromMs, toMs }, options.sample);
    } finally {
      await store.close();
    }
    options.check?.(snapshot, closedPeriods);
    const lake = await openLakeUpTo(snapshot.positions, options);
    try {
      return await reconcileWith(session, { ...options, snapshot, closedPeriods, copies, files: lake.files });
    } finally {
      lake.release();
    }
  });
}

async function reconcileWith(
  session: BatchSession,
  options: ReconcileOptions & {
    snapshot: TakenSnapshot;
    closedPeriods: readonly ClosedPeriod[];
    copies: CopyAudit | undefined;
    files: readonly RecordedFile[];
  },
): Promise<Reconciliation> {
  const { snapshot, closedPeriods, copies, files, period, sample, onStep } = options;
  const { method, methodHash, positions, revisions } = snapshot;
  const watermarks = watermarksOf(snapshot);
  await recomputeUniverse(session, {
    ...{ files, method, positions, period, revisions },
    watermarks: snapshot.complete ? undefined : watermarks,
    ...(onStep ? { onStep } : {}),
  });
  onStep?.('comparing');
  const comparison = await compare(session, { snapshot, files, method, period, sample });
  return {
    agree: comparison.differing + comparison.ledgerDiffering + (copies?.differing ?? 0) === 0,
    copies,
    period,
    method,
    methodHash,
    positions: [...positions].map(([partition, position]) => ({
      partition,
      position,
      watermarkMs: watermarks.get(partition) ?? Number.NEGATIVE_INFINITY,
    })),
    campaigns: await clicksByCampaign(session, period),
    closed: await closedNow(session, closedPeriods, period),
    revisions: revisions.filter(
      (revision) => !period || (revision.fromMs < period.toMs && revision.toMs > period.fromMs),
    ),
    notes: comparison.ledgerDiffering === 0 ? [] : await missingRecords(session, files),
    ...comparison,
  };
}

async function closedNow(
  session: BatchSession,
  closedPeriods: readonly ClosedPeriod[],
  within: Period | undefined,
): Promise<Reconciliation['closed']> {
  const closed: Reconciliation['closed'] = [];
  for (const period of closedPeriods) {
    if (within && (period.fromMs < within.fromMs || period.toMs > within.toMs)) continue;
    const open = await session.number(
      `SELECT count(*) FROM open_cells WHERE minute >= ${period.fromMs} AND minute < ${period.toMs}`,
    );
    if (open === 0) closed.push({ period, campaigns: await clicksByCampaign(session, period) });
  }
  return closed;
}

/** Partitions of which the lake holds fewer records than the stream has counted, and why that may be. */
async function missingRecords(session: BatchSession, files: readonly RecordedFile[]): Promise<string[]> {
  const total = `sum(${VERDICTS.join(' + ')})::BIGINT`;
  const rows = await session.rows(`
    SELECT "partition" AS part, s.n AS stream, coalesce(b.n, 0) AS batch
    FROM (SELECT "partition", ${total} AS n FROM stream_ledger GROUP BY ALL) AS s
    LEFT JOIN (SELECT "partition", ${total} AS n FROM batch_ledger GROUP BY ALL) AS b USING ("partition")
    WHERE s.n > coalesce(b.n, 0) ORDER BY part`);
  return rows.map(({ part, stream, batch }) => {
    const own = files.filter(({ partition }) => partition === Number(part));
    const first = own.reduce(
      (least, { firstOffset }) => Math.min(least, firstOffset),
      Number.POSITIVE_INFINITY,
    );
    const begins = own.length === 0 ? 'it has none' : `its first is at offset ${first}`;
    return (
      `partition ${part}: the lake holds ${Number(stream) - Number(batch)} records fewer than the stream counted ` +
      `(${begins}). If retention removed them from the log before the lake was started, they can't be recomputed.`
    );
  });
}
