// What the engine remembers of the log: the clicks of the horizon and the indexes over them. How far back that
// has to go, and how it is forgotten, is here; what it is used for, in the files of the rules.
import { Bots } from './bots.js';
import { ClickRows, FLAG, NONE } from './click-rows.js';
import { DoubleClicks } from './double-clicks.js';
import { Duplicates } from './duplicates.js';
import { BUCKET_MS, type Method } from './method.js';
import type { Checkpoint } from './ports.js';
import { Totals } from './totals.js';

export class Memory {
  readonly rows = new ClickRows();
  readonly duplicates = new Duplicates(this.rows);
  readonly doubleClicks: DoubleClicks;
  readonly bots: Bots;
  readonly totals = new Totals();
  /** Clicks of event times before this are forgotten. */
  floorMs = -Infinity;

  /** `changed(row, flagsBefore)` is told of every click that is judged differently than before. */
  constructor(
    private readonly method: Method,
    changed: (row: number, flagsBefore: number) => void,
  ) {
    this.doubleClicks = new DoubleClicks(this.rows, method.doubleClickMs, changed);
    this.bots = new Bots(
      this.rows,
      { windowMs: method.botWindowMs, threshold: method.botThreshold },
      changed,
    );
  }

  get bytes(): number {
    const { rows, duplicates, doubleClicks, bots, totals } = this;
    return rows.bytes + duplicates.bytes + doubleClicks.bytes + bots.bytes + totals.bytes;
  }

  /** The floor that memory needs if clicks at or after `horizonMs` may still come. */
  floorFor(horizonMs: number): number {
    const { botWindowMs, doubleClickMs } = this.method;
    // Verdicts may change back to one window before the horizon; cells are whole minutes; and to give those
    // clicks the same verdict when memory is rebuilt takes the clicks of one more window, or an open period.
    const changesMs = minuteOf(horizonMs - botWindowMs);
    return minuteOf(Math.min(changesMs - botWindowMs, horizonMs - doubleClickMs));
  }

  /** Whether memory holds all that a click of this event time needs. */
  reachesBackFor(eventTimeMs: number): boolean {
    const { botWindowMs, doubleClickMs } = this.method;
    // Nearly always: the click is younger than all that rounding to minutes could make of the floor.
    const surelyMs = this.floorMs + Math.max(2 * botWindowMs, doubleClickMs) + 2 * BUCKET_MS;
    return eventTimeMs >= surelyMs || this.floorFor(eventTimeMs) >= this.floorMs;
  }

  /**
   * Minutes from here on have all their clicks in memory, with all that is needed to judge them. Those between the
   * floor and this are final: they are only there for the others' sake.
   */
  exactFrom(floorMs: number): number {
    return minuteOf(floorMs + this.method.botWindowMs + BUCKET_MS - 1);
  }

  /** The least step of the floor that is worth a walk through all clicks. */
  get floorStepMs(): number {
    const horizonMs = this.method.watermarkDelayMs + this.method.allowedLatenessMs;
    return Math.max(BUCKET_MS, minuteOf(horizonMs / 8));
  }

  /** Forgets clicks and cells before `floorMs`; returns the double-click periods that reach past it. */
  forgetBefore(floorMs: number): Checkpoint['openPeriods'] {
    const { rows } = this;
    const reachMs = floorMs + this.method.doubleClickMs;
    const crossing: number[] = [];
    // Freed after the walk: cutting the lists reads the rows that go with them.
    const gone: number[] = [];
    for (let row = 0; row < rows.used; row++) {
      const flags = rows.flags[row]!;
      if (flags & FLAG.free) continue;
      const timeMs = rows.timeMs[row]!;
      if (timeMs >= floorMs) {
        if (flags & FLAG.double && timeMs < reachMs && timeMs - rows.sinceMs[row]! < floorMs)
          crossing.push(row);
        continue;
      }
      if (!(flags & FLAG.pairCut)) this.doubleClicks.cut(row, floorMs);
      if (!(flags & FLAG.ipCut)) this.bots.cut(row, floorMs);
      this.duplicates.forget(row);
      gone.push(row);
    }
    for (const row of gone) rows.free(row);
    this.totals.forgetBefore(floorMs);
    this.floorMs = floorMs;
    // One a pair: its oldest click left.
    return crossing
      .filter((row) => rows.olderOfPair[row] === NONE)
      .map((row) => ({
        hash: Array.from(rows.pairHash.subarray(4 * row, 4 * row + 4)) as [number, number, number, number],
        openedMs: rows.timeMs[row]! - rows.sinceMs[row]!,
      }));
  }
}

function minuteOf(ms: number): number {
  return Math.floor(ms / BUCKET_MS) * BUCKET_MS;
}
