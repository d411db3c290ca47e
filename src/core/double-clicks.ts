// Double clicks: per user and ad, the first click opens a period; clicks within it don't count. The clicks of
// a pair (user, ad) in a slice are a list from newest to oldest. A click that comes in order is judged by the
// newest one before it alone; a late one is put in its place, and those after it are judged again until nothing
// changes. A period is no longer than a slice is wide: what a click can open or close ends in the next slice.
import { type ClickRows, FLAG, NONE } from './click-rows.js';
import type { Checkpoint } from './ports/commit.js';
import type { Slice } from './slices.js';

/** A late click looks for its place along this many newer ones; after that its pair is sorted as a whole. */
const WALK_MAX = 64;

interface Deferred {
  slice: Slice;
  rows: number[];
}

export class DoubleClicks {
  /** Rows that found their place too far down, by the newest row of their pair: settled at the end of the batch. */
  private deferred: { slice: Slice; row: number }[] = [];
  private readonly newer: number[] = [];
  /** Periods opened by clicks before memory's floor, while memory is rebuilt. */
  private carried = new Map<string, number>();

  /** `changed(row, before)` is told of every judged row whose flags changed. */
  constructor(
    private readonly rows: ClickRows,
    private readonly periodMs: number,
    private readonly changed: (row: number, flagsBefore: number) => void,
  ) {}

  carry(periods: Checkpoint['openPeriods']): void {
    this.carried = new Map(periods.map(({ hash, openedMs }) => [hash.join(), openedMs]));
  }

  insert(row: number, slice: Slice): void {
    const { rows } = this;
    const { pairs } = slice;
    const hash = rows.pairHash[4 * row]!;
    const slot = this.find(slice, row);
    const head = pairs.rowAt(slot);
    if (head === NONE) {
      pairs.insertAt(slot, hash, row);
      this.judge(row, this.openingBefore(row, slice));
      this.judgeNextSlice(row, slice);
    } else if (rows.compare(row, head) > 0) {
      rows.olderOfPair[row] = head;
      pairs.replaceRow(slot, row);
      this.judge(row, this.openingOf(head));
      this.judgeNextSlice(row, slice);
    } else {
      this.insertBelow(head, row, slice);
    }
  }

  private insertBelow(head: number, row: number, slice: Slice): void {
    const { rows, newer } = this;
    newer.length = 0;
    let above = head;
    newer.push(above);
    while (true) {
      const below = rows.olderOfPair[above]!;
      if (below === NONE || rows.compare(row, below) > 0) break;
      if (newer.length === WALK_MAX) {
        this.deferred.push({ slice, row });
        return;
      }
      newer.push(below);
      above = below;
    }
    const below = rows.olderOfPair[above]!;
    rows.olderOfPair[row] = below;
    rows.olderOfPair[above] = row;
    const openingMs = this.judge(
      row,
      below === NONE ? this.openingBefore(row, slice) : this.openingOf(below),
    );
    if (this.judgeAgain(newer, openingMs)) this.judgeNextSlice(head, slice);
  }

  /** Judges rows again, from the last (oldest) to the first, until one stays as it was. False: one did. */
  private judgeAgain(newestFirst: readonly number[], openingMs: number): boolean {
    const { rows } = this;
    let opening = openingMs;
    for (let k = newestFirst.length - 1; k >= 0; k--) {
      const row = newestFirst[k]!;
      const flagsBefore = rows.flags[row]!;
      const sinceBefore = rows.sinceMs[row]!;
      opening = this.judge(row, opening);
      if (rows.flags[row] === flagsBefore && rows.sinceMs[row] === sinceBefore) return false;
    }
    return true;
  }

  /** The newest click of a pair in a slice, `head`, is new or judged differently: judges the pair's clicks after it. */
  private judgeNextSlice(head: number, slice: Slice): void {
    const { rows } = this;
    let last = head;
    for (let next = slice.next; next; next = next.next) {
      const nextHead = next.pairs.rowAt(this.find(next, last));
      if (nextHead === NONE) return;
      const newestFirst: number[] = [];
      for (let row = nextHead; row !== NONE; row = rows.olderOfPair[row]!) newestFirst.push(row);
      if (!this.judgeAgain(newestFirst, this.openingOf(last))) return;
      last = nextHead;
    }
  }

  /** Settles what `insert` deferred: sorts those pairs as a whole, so that a hot pair costs n log n a batch. */
  settle(): void {
    if (this.deferred.length === 0) return;
    const byPair = new Map<number, Deferred>();
    for (const { slice, row } of this.deferred) {
      const head = slice.pairs.rowAt(this.find(slice, row));
      const pair = byPair.get(head);
      if (pair) pair.rows.push(row);
      else byPair.set(head, { slice, rows: [row] });
    }
    this.deferred = [];
    for (const [head, added] of byPair) this.mergePair(head, added);
  }

  private mergePair(head: number, { slice, rows: added }: Deferred): void {
    const { rows } = this;
    added.sort((a, b) => rows.compare(a, b));
    const oldest = added[0]!;
    const newer: number[] = [];
    let below = head;
    while (below !== NONE && rows.compare(below, oldest) > 0) {
      newer.push(below);
      below = rows.olderOfPair[below]!;
    }
    // A deferred click is older than its pair's head, so the head stays the head.
    const merged = [...newer.reverse(), ...added].sort((a, b) => rows.compare(a, b));
    let openingMs = below === NONE ? this.openingBefore(oldest, slice) : this.openingOf(below);
    for (const row of merged) {
      rows.olderOfPair[row] = below;
      openingMs = this.judge(row, openingMs);
      below = row;
    }
    this.judgeNextSlice(head, slice);
  }

  /** Judges a row by the opening click before it; returns the opening time that holds after it. */
  private judge(row: number, openingMs: number): number {
    const { rows } = this;
    const before = rows.flags[row]!;
    const sinceMs = rows.timeMs[row]! - openingMs;
    const isDouble = sinceMs < this.periodMs;
    rows.sinceMs[row] = isDouble ? sinceMs : 0;
    const flags = isDouble ? before | FLAG.double : before & ~FLAG.double;
    if (flags !== before) {
      rows.flags[row] = flags;
      this.changed(row, before);
    }
    return isDouble ? openingMs : rows.timeMs[row]!;
  }

  /** When the period opened that holds after this row, epoch ms. */
  private openingOf(row: number): number {
    return this.rows.timeMs[row]! - this.rows.sinceMs[row]!;
  }

  /** The same before the oldest row of its pair in a slice. */
  private openingBefore(row: number, { previous }: Slice): number {
    const before = previous ? previous.pairs.rowAt(this.find(previous, row)) : NONE;
    if (before !== NONE) return this.openingOf(before);
    if (this.carried.size === 0) return -Infinity;
    return this.carried.get(this.rows.pairHash.subarray(4 * row, 4 * row + 4).join()) ?? -Infinity;
  }

  /** The slot of the row's pair in a slice, or the free slot where it belongs. */
  private find({ pairs }: Slice, row: number): number {
    const { pairHash } = this.rows;
    const at = 4 * row;
    const hash = pairHash[at]!;
    let slot = pairs.seek(pairs.first(hash), hash);
    for (let head = pairs.rowAt(slot); head !== NONE; head = pairs.rowAt(slot)) {
      const other = 4 * head;
      if (
        pairHash[other + 1] === pairHash[at + 1] &&
        pairHash[other + 2] === pairHash[at + 2] &&
        pairHash[other + 3] === pairHash[at + 3]
      ) {
        break;
      }
      slot = pairs.seek(pairs.next(slot), hash);
    }
    return slot;
  }

  /** The periods that clicks before the floor opened and that reach into `slice`, the first one that is kept. */
  periodsInto({ pairs }: Slice, floorMs: number): Checkpoint['openPeriods'] {
    const { rows } = this;
    const periods: { hash: [number, number, number, number]; openedMs: number }[] = [];
    for (const head of pairs.rows()) {
      let oldest = head;
      while (rows.olderOfPair[oldest] !== NONE) oldest = rows.olderOfPair[oldest]!;
      const openedMs = this.openingOf(oldest);
      if (openedMs >= floorMs) continue;
      const hash = Array.from(rows.pairHash.subarray(4 * oldest, 4 * oldest + 4));
      periods.push({ hash: hash as [number, number, number, number], openedMs });
    }
    return periods;
  }
}
