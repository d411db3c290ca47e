// What the engine remembers of the log: the clicks of the horizon and the indexes over them. How far back that
// has to go, and how it is forgotten, is here; what it is used for, in the files of the rules.
import { Bots } from './bots.js';
import { ClickRows, NONE } from './click-rows.js';
import { IndexList } from './columns.js';
import type { DecodedBatch } from './decoded-batch.js';
import { DoubleClicks } from './double-clicks.js';
import { Duplicates } from './duplicates.js';
import { BUCKET_MS, type Method } from './method.js';
import type { Checkpoint } from './ports/commit.js';
import { Slices } from './slices.js';
import { Totals } from './totals.js';

/** Records, by their index in the batch, that neither double clicks nor bots are looked for among. Good until the next batch. */
export interface NoCandidates {
  redelivered: IndexList;
  marked: IndexList;
}

export class Memory {
  readonly rows = new ClickRows();
  readonly slices: Slices;
  readonly duplicates = new Duplicates(this.rows);
  readonly doubleClicks: DoubleClicks;
  readonly bots: Bots;
  readonly totals = new Totals();
  /** Clicks of event times before this are forgotten. */
  floorMs = -Infinity;
  private readonly redelivered = new IndexList();
  private readonly marked = new IndexList();
  private readonly candidates = new IndexList();

  /** `changed(row, flagsBefore)` is told of every click that is judged differently than before. */
  constructor(
    private readonly method: Method,
    changed: (row: number, flagsBefore: number) => void,
  ) {
    this.slices = new Slices(method);
    this.doubleClicks = new DoubleClicks(this.rows, method.doubleClickMs, changed);
    this.bots = new Bots(
      this.rows,
      { windowMs: method.botWindowMs, threshold: method.botThreshold },
      changed,
    );
  }

  get bytes(): number {
    return this.rows.bytes + this.slices.bytes + this.totals.bytes;
  }

  /** The floor that memory needs if clicks at or after `horizonMs` may still come: the start of a slice. */
  floorFor(horizonMs: number): number {
    const { botWindowMs, doubleClickMs } = this.method;
    const { widthMs } = this.slices;
    // Verdicts may change back to one window before the horizon; cells are whole minutes; and to give those
    // clicks the same verdict when memory is rebuilt takes the clicks of one more window, or an open period.
    const changesMs = minuteOf(horizonMs - botWindowMs);
    const neededMs = Math.min(changesMs - botWindowMs, horizonMs - doubleClickMs);
    return Math.floor(neededMs / widthMs) * widthMs;
  }

  /** Whether memory holds all that a click of this event time needs. */
  reachesBackFor(eventTimeMs: number): boolean {
    const { botWindowMs, doubleClickMs } = this.method;
    // Nearly always: the click is younger than all that rounding could make of the floor.
    const surelyMs =
      this.floorMs + Math.max(2 * botWindowMs, doubleClickMs) + BUCKET_MS + this.slices.widthMs;
    return eventTimeMs >= surelyMs || this.floorFor(eventTimeMs) >= this.floorMs;
  }

  /**
   * Minutes from here on have all their clicks in memory, with all that is needed to judge them. Those between the
   * floor and this are final: they are only there for the others' sake.
   */
  exactFrom(floorMs: number): number {
    return minuteOf(floorMs + this.method.botWindowMs + BUCKET_MS - 1);
  }

  /**
   * Takes the `countable` records of a batch in, judges the candidates among them, and adds their rows to `freshRows`.
   * Returns the records that are redeliveries, and those that are marked as invalid traffic.
   */
  admit(batch: DecodedBatch, countable: IndexList, freshRows: IndexList): NoCandidates {
    const { rows, slices, duplicates, doubleClicks, bots, totals } = this;
    const { redelivered, marked, candidates } = this;
    const heedsMarks = this.method.invalidTraffic === true;
    redelivered.clear();
    marked.clear();
    candidates.clear();
    for (let n = 0; n < countable.count; n++) {
      const i = countable.at(n);
      const row = duplicates.admit(slices.of(batch.eventTimeMs[i]!), batch, i);
      if (row === NONE) {
        redelivered.push(i);
      } else if (heedsMarks && batch.markLength[i] !== 0) {
        // Its row is only there for redeliveries to be known by: the other rules never come to it.
        rows.flags[row] = 0;
        marked.push(i);
      } else {
        candidates.push(i);
        freshRows.push(row);
      }
    }
    for (let n = 0; n < candidates.count; n++) {
      const i = candidates.at(n);
      rows.cell[freshRows.at(n)] = totals.cellOf(slices.of(batch.eventTimeMs[i]!), batch, i);
    }
    for (let n = 0; n < freshRows.count; n++) {
      const row = freshRows.at(n);
      doubleClicks.insert(row, slices.of(rows.timeMs[row]!));
    }
    doubleClicks.settle();
    for (let n = 0; n < freshRows.count; n++) {
      const row = freshRows.at(n);
      bots.insert(row, slices.of(rows.timeMs[row]!));
    }
    bots.settle();
    return { redelivered, marked };
  }

  /** Forgets clicks and cells before `floorMs`; returns the double-click periods that reach past it. */
  forgetBefore(floorMs: number): Checkpoint['openPeriods'] {
    const { rows, slices, totals } = this;
    for (const slice of slices.dropBefore(floorMs)) {
      rows.free(slice.ids.rows());
      totals.forget(slice);
    }
    this.bots.forgetBefore(floorMs / slices.widthMs);
    this.floorMs = floorMs;
    this.shrink();
    const first = slices.startingAt(floorMs);
    return first ? this.doubleClicks.periodsInto(first, floorMs) : [];
  }

  /** Gives memory back after a time with more clicks. Rows have other numbers then: no one else may hold any. */
  private shrink(): void {
    const renumbered = this.rows.shrink();
    if (!renumbered) return;
    for (const { ids, pairs, addresses } of this.slices.all()) {
      for (const table of [ids, pairs, addresses]) table.renumber(renumbered);
    }
  }
}

function minuteOf(ms: number): number {
  return Math.floor(ms / BUCKET_MS) * BUCKET_MS;
}
