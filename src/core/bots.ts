// Bots: more than T clicks of one IP address within a window make all of them a bot's. Clicks are grouped by
// address; a group with no more than T clicks in memory needs no look. Bot is for ever: more clicks can only
// bring more windows over the threshold, so a flag once set is never taken back.
import { type ClickRows, FLAG, NONE } from './click-rows.js';
import { grown, grownCapacity } from './columns.js';
import type { DecodedBatch } from './decoded-batch.js';
import { hashWords } from './hash128.js';
import { SlotTable } from './slot-table.js';

/** A click looks for its place among so many newer ones of its address; beyond, the list is sorted when needed. */
const WALK_MAX = 16;

export interface BotRule {
  windowMs: number;
  threshold: number;
}

export class Bots {
  private readonly table = new SlotTable();
  private capacity = 256;
  private used = 0;
  private freeGroup = NONE;
  private groupIp = new Uint32Array(4 * this.capacity);
  /** Newest click of the group, if `sorted`; else any. Next free group of a free one. */
  private head = new Int32Array(this.capacity);
  private count = new Int32Array(this.capacity);
  private sorted = new Uint8Array(this.capacity);
  /** Groups over the threshold that got clicks in this batch, with the oldest of those clicks' times. */
  private readonly pending = new Map<number, number>();

  constructor(
    private readonly rows: ClickRows,
    private readonly rule: BotRule,
    private readonly changed: (row: number, flagsBefore: number) => void,
  ) {}

  get bytes(): number {
    return this.table.bytes + this.used * (16 + 4 + 4 + 1);
  }

  insert(row: number, batch: DecodedBatch, i: number): void {
    const { rows } = this;
    const group = this.groupOf(batch.ip, 4 * i);
    rows.ipGroup[row] = group;
    this.link(group, row);
    const count = ++this.count[group]!;
    if (count > this.rule.threshold) {
      // Below the threshold nothing was looked at: the click that crosses it brings all of them up.
      const sinceMs = count === this.rule.threshold + 1 ? -Infinity : rows.timeMs[row]!;
      this.pending.set(group, Math.min(sinceMs, this.pending.get(group) ?? Infinity));
    }
  }

  private link(group: number, row: number): void {
    const { rows } = this;
    const timeMs = rows.timeMs[row]!;
    let above = NONE;
    let below = this.head[group]!;
    if (this.sorted[group] === 1) {
      for (let steps = 0; below !== NONE && rows.timeMs[below]! > timeMs; steps++) {
        if (steps === WALK_MAX) {
          this.sorted[group] = 0;
          above = NONE;
          below = this.head[group]!;
          break;
        }
        above = below;
        below = rows.olderOfIp[below]!;
      }
    }
    rows.olderOfIp[row] = below;
    if (above === NONE) this.head[group] = row;
    else rows.olderOfIp[above] = row;
  }

  /** Finds the windows over the threshold that this batch's clicks brought about. */
  settle(): void {
    for (const [group, sinceMs] of this.pending) this.judge(group, sinceMs);
    this.pending.clear();
  }

  private judge(group: number, sinceMs: number): void {
    const { rows, rule } = this;
    if (this.sorted[group] === 0) this.sort(group);
    // Every window that a new click can push over the threshold lies within its reach on both sides.
    const reached: number[] = [];
    for (let row = this.head[group]!; row !== NONE && rows.timeMs[row]! > sinceMs - rule.windowMs; ) {
      reached.push(row);
      row = rows.olderOfIp[row]!;
    }
    reached.reverse();
    let marked = 0;
    let end = 0;
    for (let start = 0; start < reached.length; start++) {
      const endMs = rows.timeMs[reached[start]!]! + rule.windowMs;
      while (end < reached.length && rows.timeMs[reached[end]!]! < endMs) end++;
      if (end - start <= rule.threshold) continue;
      for (marked = Math.max(marked, start); marked < end; marked++) this.mark(reached[marked]!);
    }
  }

  private mark(row: number): void {
    const before = this.rows.flags[row]!;
    if (before & FLAG.bot) return;
    this.rows.flags[row] = before | FLAG.bot;
    this.changed(row, before);
  }

  private sort(group: number): void {
    const { rows } = this;
    const list: number[] = [];
    for (let row = this.head[group]!; row !== NONE; row = rows.olderOfIp[row]!) list.push(row);
    list.sort((a, b) => rows.timeMs[a]! - rows.timeMs[b]!);
    let below = NONE;
    for (const row of list) {
      rows.olderOfIp[row] = below;
      below = row;
    }
    this.head[group] = below;
    this.sorted[group] = 1;
  }

  /** Four words of the row's IP address, in `ipWords` from the returned index on. */
  ipOf(row: number): { words: Uint32Array; at: number } {
    return { words: this.groupIp, at: 4 * this.rows.ipGroup[row]! };
  }

  private groupOf(ip: Uint32Array, at: number): number {
    const { table } = this;
    const hash = hashWords(ip, at);
    let slot = table.seek(table.first(hash), hash);
    for (let group = table.rowAt(slot); group !== NONE; group = table.rowAt(slot)) {
      const { groupIp } = this;
      const other = 4 * group;
      if (
        groupIp[other + 3] === ip[at + 3] &&
        groupIp[other + 2] === ip[at + 2] &&
        groupIp[other + 1] === ip[at + 1] &&
        groupIp[other] === ip[at]
      ) {
        return group;
      }
      slot = table.seek(table.next(slot), hash);
    }
    const group = this.addGroup();
    for (let k = 0; k < 4; k++) this.groupIp[4 * group + k] = ip[at + k]!;
    table.insertAt(slot, hash, group);
    return group;
  }

  private addGroup(): number {
    let group = this.freeGroup;
    if (group === NONE) {
      if (this.used === this.capacity) this.grow();
      group = this.used++;
    } else {
      this.freeGroup = this.head[group]!;
    }
    this.head[group] = NONE;
    this.count[group] = 0;
    this.sorted[group] = 1;
    return group;
  }

  private grow(): void {
    this.capacity = grownCapacity(this.capacity);
    this.groupIp = grown(this.groupIp, 4 * this.capacity);
    this.head = grown(this.head, this.capacity);
    this.count = grown(this.count, this.capacity);
    this.sorted = grown(this.sorted, this.capacity);
  }

  /** Takes all clicks before `floorMs` out of the group of `row`, and marks them with `ipCut`. */
  cut(row: number, floorMs: number): void {
    const { rows } = this;
    const group = rows.ipGroup[row]!;
    let kept = NONE;
    let at = this.head[group]!;
    while (at !== NONE) {
      const older = rows.olderOfIp[at]!;
      if (rows.timeMs[at]! < floorMs) {
        rows.flags[at]! |= FLAG.ipCut;
        this.count[group]!--;
        if (kept === NONE) this.head[group] = older;
        else rows.olderOfIp[kept] = older;
      } else {
        kept = at;
      }
      at = older;
    }
    if (this.count[group] === 0) this.removeGroup(group);
  }

  private removeGroup(group: number): void {
    const { table } = this;
    const hash = hashWords(this.groupIp, 4 * group);
    table.remove(hash, group);
    this.head[group] = this.freeGroup;
    this.freeGroup = group;
  }
}
