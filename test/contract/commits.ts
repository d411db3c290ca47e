// Commits for the tests of stores, made by a seed, so that the totals a store should hold are known.
import { VERDICTS, type Verdict } from '../../src/core/method.js';
import type { Cell, CellColumns, Commit, DeadLetter, LedgerChange } from '../../src/core/ports/commit.js';

export const MINUTE_MS = 60_000;
export const START_MS = Date.UTC(2026, 1, 22, 10);

/** A pseudo-random number in [0, 1) by a seed: mulberry32. */
export function randomBy(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type WrittenCell = Cell & { rewrite?: boolean };

/** Cells as the columns of a commit. */
export function columnsOf(cells: readonly WrittenCell[]): CellColumns {
  const dimensions: [string, string, string, string][] = [];
  const indexes = new Map<string, number>();
  const dimension = new Int32Array(cells.length);
  cells.forEach(({ adId, campaignId, country, deviceType }, i) => {
    const key = JSON.stringify([adId, campaignId, country, deviceType]);
    const index = indexes.get(key) ?? dimensions.push([adId, campaignId, country, deviceType]) - 1;
    indexes.set(key, index);
    dimension[i] = index;
  });
  return {
    count: cells.length,
    minuteMs: Float64Array.from(cells, ({ minuteMs }) => minuteMs),
    dimension,
    clicks: Int32Array.from(cells, ({ clicks }) => clicks),
    rewrite: Uint8Array.from(cells, ({ rewrite }) => (rewrite ? 1 : 0)),
    dimensions,
  };
}

/** A commit with only what is given. */
export function commitOf(parts: Partial<Omit<Commit, 'cells'>> & { cells?: readonly WrittenCell[] }): Commit {
  return {
    ledger: [],
    deadLetters: [],
    withdrawn: [],
    positions: [],
    checkpoint: undefined,
    complete: false,
    ...parts,
    cells: columnsOf(parts.cells ?? []),
  };
}

export function ledgerChange(
  partition: number,
  minuteMs: number,
  counts: Partial<Record<Verdict, number>>,
): LedgerChange {
  const all = Object.fromEntries(VERDICTS.map((verdict) => [verdict, counts[verdict] ?? 0]));
  return { partition, minuteMs, counts: all as Record<Verdict, number> };
}

export function deadLetter(parts: Partial<DeadLetter> & { partition: number; offset: number }): DeadLetter {
  return {
    verdict: 'invalid',
    reason: 'country',
    eventTimeMs: undefined,
    appendTimeMs: undefined,
    clickId: undefined,
    adId: undefined,
    campaignId: undefined,
    ipAddress: undefined,
    key: undefined,
    value: undefined,
    valueBytes: undefined,
    ...parts,
  };
}

export function cell(parts: Partial<WrittenCell> = {}): WrittenCell {
  return {
    minuteMs: START_MS,
    adId: 'ad-1',
    campaignId: 'campaign-1',
    country: 'DE',
    deviceType: 'mobile',
    clicks: 1,
    ...parts,
  };
}

/**
 * The `step`-th commit of a life in which every commit writes some new cells, rewrites some of the last one's,
 * and books as many billable records as the totals gain: at any moment, the sum of the ledger's billable is the
 * sum of the totals, and the position is ten times the number of commits.
 */
export function commitOfLife(step: number): Commit {
  const random = randomBy(step);
  const before = step === 0 ? [] : freshCells(step - 1);
  const fresh = freshCells(step);
  const changed = before
    .filter(() => random() < 0.5)
    .map((old) => ({ ...old, clicks: random() < 0.3 ? 0 : old.clicks + 1, rewrite: true, gain: old.clicks }));
  const gain =
    fresh.reduce((sum, { clicks }) => sum + clicks, 0) +
    changed.reduce((sum, now) => sum + now.clicks - now.gain, 0);
  return commitOf({
    cells: [...fresh, ...changed],
    ledger: [ledgerChange(step % 3, START_MS, { billable: gain })],
    positions: [
      {
        partition: 0,
        position: (step + 1) * 10,
        maxEventTimeMs: START_MS + step,
        rewindOffset: step * 10,
        rewindMaxEventTimeMs: -Infinity,
      },
    ],
  });
}

function freshCells(step: number): WrittenCell[] {
  const random = randomBy(1_000_000 + step);
  return Array.from({ length: 1 + Math.floor(random() * 200) }, (_, i) =>
    cell({
      minuteMs: START_MS + step * MINUTE_MS,
      adId: `ad-${Math.floor(random() * 50)}`,
      campaignId: `campaign-${i}`,
      clicks: 1 + Math.floor(random() * 9),
    }),
  );
}
