// Bots: more than T clicks of one IP address within a window make all of them a bot's. Bot is for ever: more
// clicks can only bring more windows over the threshold, so a flag once set is never taken back.
//
// A window touches at most two slices. So an address is only looked at once some slice holds more than half of T
// clicks of it: then it is hot. All others cost one look into one small table.
import { type ClickRows, FLAG, NONE } from './click-rows.js';
import { hashWords } from './hash128.js';
import type { Slice } from './slices.js';

/** A power of two. */
const FILTER = 65_536;

export interface BotRule {
  windowMs: number;
  threshold: number;
}

/** Clicks of a hot address that came with this batch. */
interface Pending {
  slice: Slice;
  hash: number;
  /** One of them. */
  row: number;
  /** Event time of the oldest. */
  sinceMs: number;
}

export class Bots {
  /** More clicks than this in a slice make an address hot. */
  private readonly coolMax: number;
  /** Hashes of hot addresses (and those that share one), with the index of the last slice they have clicks in. */
  private readonly hot = new Map<number, number>();
  /** By the hash's last bits, whether one of those is hot: nearly all addresses are not, and need no look into the map. */
  private readonly mayBeHot = new Uint8Array(FILTER);
  /** By slice and first row of the address in it. */
  private pending = new Map<number, Pending>();

  constructor(
    private readonly rows: ClickRows,
    private readonly rule: BotRule,
    private readonly changed: (row: number, flagsBefore: number) => void,
  ) {
    this.coolMax = Math.floor(rule.threshold / 2);
  }

  insert(row: number, slice: Slice): void {
    const { rows } = this;
    const { addresses } = slice;
    const hash = hashWords(rows.ipWords, 4 * row);
    const slot = this.find(slice, row, hash);
    const head = addresses.rowAt(slot);
    if (head === NONE) {
      addresses.insertAt(slot, hash, row);
    } else {
      // Behind the head, so that an address is known by one row as long as its slice is there.
      rows.otherOfIp[row] = rows.otherOfIp[head]!;
      rows.otherOfIp[head] = row;
    }
    const isHot = this.mayBeHot[hash & (FILTER - 1)] === 1 && this.hot.has(hash);
    if (!isHot && !this.isAbove(head === NONE ? row : head)) return;
    this.hot.set(hash, Math.max(slice.index, this.hot.get(hash) ?? -Infinity));
    this.mayBeHot[hash & (FILTER - 1)] = 1;
    const key = head === NONE ? row : head;
    const before = this.pending.get(key);
    const sinceMs = Math.min(rows.timeMs[row]!, before?.sinceMs ?? Infinity);
    this.pending.set(key, { slice, hash, row, sinceMs });
  }

  private isAbove(head: number): boolean {
    let count = 0;
    for (let row = head; row !== NONE; row = this.rows.otherOfIp[row]!)
      if (++count > this.coolMax) return true;
    return false;
  }

  /** The slot of the row's address in a slice, or the free slot where it belongs. */
  private find({ addresses }: Slice, row: number, hash: number): number {
    const { ipWords } = this.rows;
    const at = 4 * row;
    let slot = addresses.seek(addresses.first(hash), hash);
    for (let head = addresses.rowAt(slot); head !== NONE; head = addresses.rowAt(slot)) {
      const other = 4 * head;
      if (
        ipWords[other + 3] === ipWords[at + 3] &&
        ipWords[other + 2] === ipWords[at + 2] &&
        ipWords[other + 1] === ipWords[at + 1] &&
        ipWords[other] === ipWords[at]
      ) {
        break;
      }
      slot = addresses.seek(addresses.next(slot), hash);
    }
    return slot;
  }

  /** Finds the windows over the threshold that this batch's clicks brought about. */
  settle(): void {
    if (this.pending.size === 0) return;
    const { pending } = this;
    this.pending = new Map();
    for (const address of pending.values()) this.judge(address);
  }

  private judge(address: Pending): void {
    const { rows, rule } = this;
    const reached = this.reach(address);
    let marked = 0;
    let end = 0;
    for (let start = 0; start < reached.length; start++) {
      const endMs = rows.timeMs[reached[start]!]! + rule.windowMs;
      while (end < reached.length && rows.timeMs[reached[end]!]! < endMs) end++;
      if (end - start <= rule.threshold) continue;
      for (marked = Math.max(marked, start); marked < end; marked++) this.mark(reached[marked]!);
    }
  }

  /** The clicks that share a window with the new ones, in order of event time. */
  private reach({ slice, hash, row, sinceMs }: Pending): Int32Array {
    const { rows, rule } = this;
    const reached: number[] = [];
    for (const near of [slice.previous, slice, slice.next]) {
      if (!near) continue;
      let other = near.addresses.rowAt(this.find(near, row, hash));
      for (; other !== NONE; other = rows.otherOfIp[other]!) {
        if (rows.timeMs[other]! > sinceMs - rule.windowMs) reached.push(other);
      }
    }
    return Int32Array.from(reached).sort((a, b) => rows.timeMs[a]! - rows.timeMs[b]!);
  }

  private mark(row: number): void {
    const before = this.rows.flags[row]!;
    if (before & FLAG.bot) return;
    this.rows.flags[row] = before | FLAG.bot;
    this.changed(row, before);
  }

  /** Forgets the hot addresses without clicks in slices from `index` on. */
  forgetBefore(index: number): void {
    this.mayBeHot.fill(0);
    for (const [hash, last] of this.hot) {
      if (last < index) this.hot.delete(hash);
      else this.mayBeHot[hash & (FILTER - 1)] = 1;
    }
  }
}
