// Double clicks: per user and ad, the first click opens a period; clicks within it don't count. The clicks of
// a pair (user, ad) are a list from newest to oldest. A click that comes in order is judged by the newest one
// alone; a late one is put in its place, and those after it are judged again until nothing changes.
import { type ClickRows, FLAG, NONE } from './click-rows.js';
import type { Checkpoint } from './ports.js';
import { SlotTable } from './slot-table.js';

/** A late click looks for its place along this many newer ones; after that its pair is sorted as a whole. */
const WALK_MAX = 64;

export class DoubleClicks {
  private readonly table = new SlotTable();
  /** Rows that found their place too far down, to be settled pair by pair at the end of the batch. */
  private deferred: number[] = [];
  private readonly newer: number[] = [];
  /** Periods opened by clicks before memory's floor, while memory is rebuilt. */
  private carried = new Map<string, number>();

  /** `changed(row, before)` is told of every judged row whose flags changed. */
  constructor(
    private readonly rows: ClickRows,
    private readonly periodMs: number,
    private readonly changed: (row: number, flagsBefore: number) => void,
  ) {}

  get bytes(): number {
    return this.table.bytes;
  }

  carry(periods: Checkpoint['openPeriods']): void {
    this.carried = new Map(periods.map(({ hash, openedMs }) => [hash.join(), openedMs]));
  }

  insert(row: number): void {
    const { table, rows } = this;
    const hash = rows.pairHash[4 * row]!;
    const slot = this.find(row, hash);
    const head = table.rowAt(slot);
    if (head === NONE) {
      table.insertAt(slot, hash, row);
      this.judge(row, this.openingBefore(row));
    } else if (rows.compare(row, head) > 0) {
      rows.olderOfPair[row] = head;
      table.replaceRow(slot, row);
      this.judge(row, rows.timeMs[head]! - rows.sinceMs[head]!);
    } else {
      this.insertBelow(head, row);
    }
  }

  private insertBelow(head: number, row: number): void {
    const { rows, newer } = this;
    newer.length = 0;
    let above = head;
    newer.push(above);
    while (true) {
      const below = rows.olderOfPair[above]!;
      if (below === NONE || rows.compare(row, below) > 0) break;
      if (newer.length === WALK_MAX) {
        this.deferred.push(row);
        return;
      }
      newer.push(below);
      above = below;
    }
    const below = rows.olderOfPair[above]!;
    rows.olderOfPair[row] = below;
    rows.olderOfPair[above] = row;
    let openingMs = this.judge(
      row,
      below === NONE ? this.openingBefore(row) : rows.timeMs[below]! - rows.sinceMs[below]!,
    );
    for (let k = newer.length - 1; k >= 0; k--) {
      const later = newer[k]!;
      const before = rows.flags[later]!;
      const sinceBefore = rows.sinceMs[later]!;
      openingMs = this.judge(later, openingMs);
      if (rows.flags[later] === before && rows.sinceMs[later] === sinceBefore) break;
    }
  }

  /** Settles what `insert` deferred: sorts those pairs as a whole, so that a hot pair costs n log n a batch. */
  settle(): void {
    if (this.deferred.length === 0) return;
    const { rows, table } = this;
    const byPair = new Map<number, number[]>();
    for (const row of this.deferred) {
      const head = table.rowAt(this.find(row, rows.pairHash[4 * row]!));
      const list = byPair.get(head);
      if (list) list.push(row);
      else byPair.set(head, [row]);
    }
    this.deferred = [];
    for (const [head, added] of byPair) this.mergePair(head, added);
  }

  private mergePair(head: number, added: number[]): void {
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
    let openingMs = below === NONE ? this.openingBefore(oldest) : rows.timeMs[below]! - rows.sinceMs[below]!;
    for (const row of merged) {
      rows.olderOfPair[row] = below;
      openingMs = this.judge(row, openingMs);
      below = row;
    }
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

  private openingBefore(row: number): number {
    if (this.carried.size === 0) return -Infinity;
    return this.carried.get(this.rows.pairHash.subarray(4 * row, 4 * row + 4).join()) ?? -Infinity;
  }

  /** The slot of the row's pair, or the free slot where it belongs. */
  private find(row: number, hash: number): number {
    const { table, rows } = this;
    const { pairHash } = rows;
    const at = 4 * row;
    let slot = table.seek(table.first(hash), hash);
    for (let head = table.rowAt(slot); head !== NONE; head = table.rowAt(slot)) {
      const other = 4 * head;
      if (
        pairHash[other + 1] === pairHash[at + 1] &&
        pairHash[other + 2] === pairHash[at + 2] &&
        pairHash[other + 3] === pairHash[at + 3]
      ) {
        break;
      }
      slot = table.seek(table.next(slot), hash);
    }
    return slot;
  }

  /** Cuts the pair of `row` off below `floorMs`, and marks what is cut with `pairCut`. */
  cut(row: number, floorMs: number): void {
    const { rows, table } = this;
    const slot = this.find(row, rows.pairHash[4 * row]!);
    let kept = NONE;
    let below = table.rowAt(slot);
    while (below !== NONE && rows.timeMs[below]! >= floorMs) {
      kept = below;
      below = rows.olderOfPair[below]!;
    }
    if (kept === NONE) table.removeAt(slot);
    else rows.olderOfPair[kept] = NONE;
    while (below !== NONE) {
      rows.flags[below]! |= FLAG.pairCut;
      below = rows.olderOfPair[below]!;
    }
  }
}
