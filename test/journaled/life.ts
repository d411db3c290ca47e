// The life of a store by a seed: commits that change new and old minutes, ledger, letters and checkpoint, and what a store
// must hold after each of them, worked out in the plainest way.
import type { Cell, Checkpoint, Commit, DeadLetter } from '../../src/core/ports/commit.js';
import { NO_EVENT_TIME } from '../../src/core/ports/commit.js';
import {
  commitOf,
  deadLetter,
  ledgerChange,
  MINUTE_MS,
  randomBy,
  type WrittenCell,
} from '../contract/commits.js';

/** A little before midnight, and before the end of a month: hours, days and months begin in the middle of the life. */
const START_MS = Date.UTC(2026, 1, 28, 22, 30);

/** What a store holds after some commits. */
export interface Expected {
  /** Clicks by cell. */
  cells: ReadonlyMap<string, number>;
  /** Billable records by partition and minute. */
  ledger: ReadonlyMap<string, number>;
  /** Letters that are there: their offsets, the last one that came first. */
  letters: readonly number[];
  /** Letters as they came and went: `3`, `-3`. */
  events: readonly string[];
  checkpoint: Checkpoint | undefined;
}

export interface Life {
  commits: readonly Commit[];
  /** After so many commits; the first is of an empty store. */
  expected: readonly Expected[];
}

/** A life of so many commits. */
export function lifeOf(seed: number, length: number): Life {
  const random = randomBy(seed);
  const upTo = (count: number): number => Math.floor(random() * count);
  const cells = new Map<string, number>();
  const ledger = new Map<string, number>();
  let letters: number[] = [];
  const events: string[] = [];
  let checkpoint: Checkpoint | undefined;
  const commits: Commit[] = [];
  const expected: Expected[] = [{ cells: new Map(), ledger: new Map(), letters: [], events: [], checkpoint }];
  for (let step = 0; step < length; step++) {
    const written = new Map<string, WrittenCell>();
    for (let i = upTo(12); i >= 0; i--) {
      const one: Cell = {
        minuteMs: START_MS + (13 * step - 17 * upTo(3)) * MINUTE_MS,
        adId: `ad-${upTo(3)}`,
        campaignId: `campaign-${upTo(2)}`,
        ...{ country: ['DE', 'FR'][upTo(2)]!, deviceType: ['tv', 'mobile'][upTo(2)]!, clicks: upTo(4) },
      };
      const name = cellName(one);
      if (one.clicks > 0 || cells.has(name)) written.set(name, { ...one, rewrite: cells.has(name) });
    }
    let gain = 0;
    for (const [name, { clicks }] of written) {
      gain += clicks - (cells.get(name) ?? 0);
      if (clicks === 0) cells.delete(name);
      else cells.set(name, clicks);
    }
    const minuteMs = START_MS + 31 * upTo(4) * MINUTE_MS;
    const partition = upTo(2);
    add(ledger, `${partition} ${minuteMs}`, gain);
    const deadLetters = Array.from({ length: upTo(3) }, (_, i) => letterAt(10 * step + i));
    const withdrawn = letters.filter((offset) => random() < 0.3 && offset % 2 === 1);
    for (const offset of withdrawn) events.push(`-${offset}`);
    for (const { offset } of deadLetters) events.push(`${offset}`);
    letters = [
      ...deadLetters.map(({ offset }) => offset).reverse(),
      ...letters.filter((offset) => !withdrawn.includes(offset)),
    ];
    if (random() < 0.5) {
      const openPeriods = Array.from({ length: upTo(4) }, () => ({
        ...{ hash: [step, 2, 3, 4] as const, openedMs: step },
      }));
      checkpoint = { floorMs: step === 0 ? -Infinity : START_MS + step, openPeriods };
    }
    commits.push(
      commitOf({
        cells: [...written.values()],
        ledger: [
          ledgerChange(partition, minuteMs, { billable: gain }),
          ledgerChange(0, NO_EVENT_TIME, { invalid: deadLetters.length }),
        ],
        ...{ deadLetters, withdrawn: withdrawn.map((offset) => ({ partition: 0, offset })) },
        positions: [
          {
            ...{ partition: 0, position: step + 1, maxEventTimeMs: START_MS + step },
            ...{ rewindOffset: step, rewindMaxEventTimeMs: -Infinity },
          },
        ],
        checkpoint: checkpoint === expected.at(-1)!.checkpoint ? undefined : checkpoint,
        complete: step % 2 === 0,
      }),
    );
    const now = { cells: new Map(cells), ledger: new Map(ledger), letters, events: [...events], checkpoint };
    expected.push(now);
  }
  return { commits, expected };
}

/** Names a cell of any table. */
export function cellName({ minuteMs, adId, campaignId, country, deviceType }: Omit<Cell, 'clicks'>): string {
  return JSON.stringify([minuteMs, adId, campaignId, country, deviceType]);
}

function add(sums: Map<string, number>, name: string, gain: number): void {
  const sum = (sums.get(name) ?? 0) + gain;
  if (sum === 0) sums.delete(name);
  else sums.set(name, sum);
}

function letterAt(offset: number): DeadLetter {
  if (offset % 2 === 1) {
    return deadLetter({ partition: 0, offset, verdict: 'bot', reason: 'many', clickId: `c-${offset}` });
  }
  const value = Uint8Array.of(offset, 0, 255);
  return deadLetter({ partition: 0, offset, reason: `reason ${offset % 3}`, value, valueBytes: 3 });
}
