// What the store should hold: the plain recomputation, except in periods that were backfilled. There a minute is
// as the last backfill that covers it left it: judged in a world where the too-late clicks of that backfill, and of
// those before it, were in time, up to the positions that each had seen.
import { BUCKET_MS, type Method } from '../core/method.js';
import type { Revision } from '../core/ports/books.js';
import type { Admission } from './judge-sql.js';
import type { Period, PositionMap, RecordedFile } from './lake-reader.js';
import { prepare, recompute } from './recompute.js';
import type { BatchSession } from './session.js';

export interface UniverseOptions {
  files: readonly RecordedFile[];
  method: Method;
  positions: PositionMap;
  period: Period | undefined;
  revisions: readonly Revision[];
  /**
   * Watermark by partition, where the store may lack cells that are still in memory: a cell is open if one of its
   * records is of a partition whose watermark has not reached the end of the minute. Undefined: none is open.
   */
  watermarks: PositionMap | undefined;
  onStep?: (step: string) => void;
}

/** A period and the number of the last revision that covers it. */
export interface Layer extends Period {
  revision: number;
}

/** The parts of `within` that revisions cover, each with the last one; in order of time, not overlapping. */
export function layersOf(revisions: readonly Revision[], within: Period | undefined): Layer[] {
  const layers: Layer[] = [];
  const edges = new Set(revisions.flatMap(({ fromMs, toMs }) => [fromMs, toMs]));
  if (within) for (const edge of [within.fromMs, within.toMs]) edges.add(edge);
  const sorted = [...edges].sort((a, b) => a - b);
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [fromMs, toMs] = [sorted[i]!, sorted[i + 1]!];
    if (within && (fromMs < within.fromMs || toMs > within.toMs)) continue;
    const last = revisions.findLast((revision) => revision.fromMs <= fromMs && revision.toMs >= toMs);
    if (!last) continue;
    const before = layers.at(-1);
    if (before?.toMs === fromMs && before.revision === last.revision) before.toMs = toMs;
    else layers.push({ fromMs, toMs, revision: last.revision });
  }
  return layers;
}

/** Whose too-late clicks count in the world of a revision. */
export function admissionsUpTo(revisions: readonly Revision[], revision: number): Admission[] {
  return revisions
    .filter((earlier) => earlier.revision <= revision)
    .map(({ fromMs, toMs, positions }) => ({
      fromMs,
      toMs,
      positions: new Map(positions.map(({ partition, position }) => [partition, position])),
    }));
}

/**
 * Prepares the session and makes these temporary tables, of the period or of everything:
 * `batch_cells` (minute, ad, place, clicks), `batch_ledger` (columns as in a Snapshot), and `batch_judged`
 * (part, off, t, verdict) of the records that are neither invalid nor billable, `open_cells` (minute, ad, place).
 * `ads`, `places` and `partitions` stay as `recompute` made them.
 */
export async function recomputeUniverse(session: BatchSession, options: UniverseOptions): Promise<void> {
  const { files, method, positions, period, revisions, onStep } = options;
  const common = { files, method, positions, ...(onStep ? { onStep } : {}) };
  await prepare(session);
  await recompute(session, { ...common, period, admissions: [] });
  const within = period ? `t >= ${period.fromMs} AND t < ${period.toMs}` : 'true';
  await session.run(`
    ALTER TABLE cells RENAME TO batch_cells;
    ALTER TABLE ledger RENAME TO batch_ledger;
    CREATE OR REPLACE TEMP TABLE batch_judged AS ${judgedOf(within)};
    CREATE OR REPLACE TEMP TABLE open_cells (minute BIGINT, ad BIGINT, place BIGINT);`);
  for (const [partition, watermarkMs] of options.watermarks ?? []) {
    await session.run(`INSERT INTO open_cells SELECT DISTINCT ${MINUTE}, ad, place FROM clicks
      WHERE part = ${partition} AND ${MINUTE} + ${BUCKET_MS} > ${watermarkMs} AND ${within};`);
  }
  for (const layer of layersOf(revisions, period)) {
    onStep?.(`as backfilled by revision ${layer.revision}`);
    const { fromMs, toMs } = layer;
    const admissions = admissionsUpTo(revisions, layer.revision);
    await recompute(session, { ...common, period: { fromMs, toMs }, admissions });
    await session.run(`
      DELETE FROM batch_cells WHERE minute >= ${fromMs} AND minute < ${toMs};
      DELETE FROM batch_ledger WHERE minute >= ${fromMs} AND minute < ${toMs};
      DELETE FROM batch_judged WHERE t >= ${fromMs} AND t < ${toMs};
      INSERT INTO batch_cells FROM cells;
      INSERT INTO batch_ledger FROM ledger;
      INSERT INTO batch_judged ${judgedOf(`t >= ${fromMs} AND t < ${toMs}`)};`);
  }
}

const MINUTE = `t // ${BUCKET_MS} * ${BUCKET_MS}`;

const judgedOf = (within: string): string =>
  `SELECT part, rid - base AS off, t, verdict FROM judged JOIN partitions USING (part) WHERE ${within}`;
