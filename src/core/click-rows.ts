// The clicks of the retention horizon: those whose verdict a late click may still change, or that may still
// have a say in another's. One row a click, one typed array a column: about 85 bytes, where an object with
// strings takes ten times that. Rows are recycled; a row number is valid until it is freed or `shrink` is called.
import { descending, grownCapacity, resized } from './columns.js';
import { type DecodedBatch, INLINE_ID_BYTES_MAX, UUID_ID } from './decoded-batch.js';
import { hashBytes, hashWords } from './hash128.js';
import { VERDICT_CODE } from './method.js';

export const NONE = -1;

/** Bits of `flags`. */
export const FLAG = {
  double: 1,
  bot: 2,
  /** Its dead letter was given to the store. */
  lettered: 4,
  /** Came with the present batch; not yet in the totals and the ledger. */
  fresh: 8,
  free: 128,
} as const;

/** Double-click and bot are decided independently; where both hold, the verdict is `double_click`. */
export function verdictOf(flags: number): number {
  if (flags & FLAG.double) return VERDICT_CODE.doubleClick;
  return flags & FLAG.bot ? VERDICT_CODE.bot : VERDICT_CODE.billable;
}

/** More free rows than this share of those in memory are given back. */
const SLACK = 0.15;

export class ClickRows {
  private capacity = 1024;
  /** Rows ever used; free ones among them are linked through `olderOfPair`. */
  used = 0;
  live = 0;
  private freeRow = NONE;

  timeMs = new Float64Array(this.capacity);
  offset = new Float64Array(this.capacity);
  partition = new Uint16Array(this.capacity);
  idWords = new Uint32Array(4 * this.capacity);
  idLength = new Uint8Array(this.capacity);
  pairHash = new Uint32Array(4 * this.capacity);
  flags = new Uint8Array(this.capacity);
  /** Time since the opening click of the row's double-click period, ms. */
  sinceMs = new Int32Array(this.capacity);
  /** The next older click of the same user and ad in the same slice, or NONE. */
  olderOfPair = new Int32Array(this.capacity);
  /** Another click of the same IP address in the same slice, or NONE. */
  otherOfIp = new Int32Array(this.capacity);
  ipWords = new Uint32Array(4 * this.capacity);
  cell = new Int32Array(this.capacity);

  /** Click ids that are neither UUIDs nor short; `idWords` holds the start. */
  private longIds = new Uint8Array(0);
  private longUsed = 0;
  private longDead = 0;

  get bytes(): number {
    return this.used * (8 + 8 + 2 + 1 + 1 + 3 * 16 + 4 * 4) + this.longIds.byteLength;
  }

  /** A row for record `i` of the batch, with its identity set and the flag `fresh`. */
  add(batch: DecodedBatch, i: number): number {
    let row = this.freeRow;
    if (row === NONE) {
      if (this.used === this.capacity) this.grow();
      row = this.used++;
    } else {
      this.freeRow = this.olderOfPair[row]!;
    }
    this.live++;
    this.timeMs[row] = batch.eventTimeMs[i]!;
    this.offset[row] = batch.offset[i]!;
    this.partition[row] = batch.partition[i]!;
    this.flags[row] = FLAG.fresh;
    this.sinceMs[row] = 0;
    this.olderOfPair[row] = NONE;
    this.otherOfIp[row] = NONE;
    const to = 4 * row;
    const from = 4 * i;
    this.pairHash[to] = batch.pairHash[from]!;
    this.pairHash[to + 1] = batch.pairHash[from + 1]!;
    this.pairHash[to + 2] = batch.pairHash[from + 2]!;
    this.pairHash[to + 3] = batch.pairHash[from + 3]!;
    this.ipWords[to] = batch.ip[from]!;
    this.ipWords[to + 1] = batch.ip[from + 1]!;
    this.ipWords[to + 2] = batch.ip[from + 2]!;
    this.ipWords[to + 3] = batch.ip[from + 3]!;
    if (isLong(batch.idLength[i]!)) {
      this.idWords[to] = this.keepLongId(batch.bytes, batch.idStart[i]!, batch.idLength[i]!);
    } else {
      this.idWords[to] = batch.idWords[from]!;
      this.idWords[to + 1] = batch.idWords[from + 1]!;
      this.idWords[to + 2] = batch.idWords[from + 2]!;
      this.idWords[to + 3] = batch.idWords[from + 3]!;
    }
    this.idLength[row] = batch.idLength[i]!;
    return row;
  }

  /** Frees rows, each named once; from the last to the first, so that new clicks will be written one behind the other. */
  free(rows: Int32Array): void {
    for (const row of descending(rows, this.used)) {
      if (isLong(this.idLength[row]!)) this.longDead += this.idLength[row]!;
      this.idLength[row] = 0;
      this.flags[row] = FLAG.free;
      this.olderOfPair[row] = this.freeRow;
      this.freeRow = row;
    }
    this.live -= rows.length;
  }

  /** When too many rows are free, moves the others together. Returns their new numbers by their old ones, if so. */
  shrink(): Int32Array | undefined {
    if (this.used - this.live <= this.live * SLACK + 1024) return undefined;
    const renumbered = new Int32Array(this.used).fill(NONE);
    let live = 0;
    for (let row = 0; row < this.used; row++) {
      if (this.flags[row] === FLAG.free) continue;
      renumbered[row] = live++;
    }
    this.moveTogether(renumbered);
    this.used = live;
    this.freeRow = NONE;
    return renumbered;
  }

  private moveTogether(renumbered: Int32Array): void {
    const capacity = grownCapacity(this.live);
    const wide = [this.idWords, this.pairHash, this.ipWords];
    const narrow = [
      this.timeMs,
      this.offset,
      this.partition,
      this.idLength,
      this.flags,
      this.sinceMs,
      this.cell,
    ];
    for (let from = 0; from < renumbered.length; from++) {
      const to = renumbered[from]!;
      if (to === NONE) continue;
      // Rows only ever move down.
      for (const column of wide) column.copyWithin(4 * to, 4 * from, 4 * from + 4);
      for (const column of narrow) column[to] = column[from]!;
      this.olderOfPair[to] = moved(renumbered, this.olderOfPair[from]!);
      this.otherOfIp[to] = moved(renumbered, this.otherOfIp[from]!);
    }
    this.resize(Math.min(capacity, this.capacity));
  }

  /** Whether the row has the same click id, event time and partition as record `i`: one of them is a redelivery. */
  isSameClick(row: number, batch: DecodedBatch, i: number): boolean {
    if (this.timeMs[row] !== batch.eventTimeMs[i] || this.partition[row] !== batch.partition[i]) return false;
    const length = batch.idLength[i]!;
    if (this.idLength[row] !== length) return false;
    const a = 4 * row;
    const b = 4 * i;
    if (isLong(length)) {
      const start = this.idWords[a]!;
      for (let k = 0; k < length; k++) {
        if (this.longIds[start + k] !== batch.bytes[batch.idStart[i]! + k]) return false;
      }
      return true;
    }
    return (
      this.idWords[a] === batch.idWords[b] &&
      this.idWords[a + 1] === batch.idWords[b + 1] &&
      this.idWords[a + 2] === batch.idWords[b + 2] &&
      this.idWords[a + 3] === batch.idWords[b + 3]
    );
  }

  /** Hash of the row's click id, equal to `clickIdHash` of its record. */
  idHash(row: number): number {
    const length = this.idLength[row]!;
    return isLong(length)
      ? hashBytes(this.longIds, this.idWords[4 * row]!, length)
      : hashWords(this.idWords, 4 * row);
  }

  /** The order of the double-click rule: event time, click id (by bytes), partition, offset. Negative: `a` first. */
  compare(a: number, b: number): number {
    const byTime = this.timeMs[a]! - this.timeMs[b]!;
    if (byTime !== 0) return byTime;
    const byId = this.compareIds(a, b);
    if (byId !== 0) return byId;
    return this.partition[a]! - this.partition[b]! || this.offset[a]! - this.offset[b]!;
  }

  private compareIds(a: number, b: number): number {
    if (this.idLength[a] === UUID_ID && this.idLength[b] === UUID_ID) {
      // Lower-case hex digits sort as their values, and the dashes are in the same places.
      for (let k = 0; k < 4; k++) {
        const difference = this.idWords[4 * a + k]! - this.idWords[4 * b + k]!;
        if (difference !== 0) return difference;
      }
      return 0;
    }
    const left = this.idBytes(a);
    const right = this.idBytes(b);
    for (let k = 0; k < left.length && k < right.length; k++) {
      if (left[k] !== right[k]) return left[k]! - right[k]!;
    }
    return left.length - right.length;
  }

  /** The click id's UTF-8 bytes. */
  idBytes(row: number): Uint8Array {
    const length = this.idLength[row]!;
    const at = 4 * row;
    if (length === UUID_ID) return uuidBytes(this.idWords, at);
    if (isLong(length)) return this.longIds.subarray(this.idWords[at]!, this.idWords[at]! + length);
    const bytes = new Uint8Array(length);
    for (let k = 0; k < length; k++) bytes[k] = this.idWords[at + (k >> 2)]! >>> (24 - 8 * (k & 3));
    return bytes;
  }

  private keepLongId(bytes: Uint8Array, start: number, length: number): number {
    if (this.longUsed + length > this.longIds.length && this.longDead > this.longUsed / 2)
      this.compactLongIds();
    if (this.longUsed + length > this.longIds.length) {
      this.longIds = resized(this.longIds, grownCapacity(this.longUsed + length));
    }
    const at = this.longUsed;
    for (let k = 0; k < length; k++) this.longIds[at + k] = bytes[start + k]!;
    this.longUsed += length;
    return at;
  }

  private compactLongIds(): void {
    const kept = new Uint8Array(this.longIds.length);
    let used = 0;
    for (let row = 0; row < this.used; row++) {
      const length = this.idLength[row]!;
      if (this.flags[row] === FLAG.free || !isLong(length)) continue;
      const start = this.idWords[4 * row]!;
      kept.set(this.longIds.subarray(start, start + length), used);
      this.idWords[4 * row] = used;
      used += length;
    }
    this.longIds = kept;
    this.longUsed = used;
    this.longDead = 0;
  }

  private grow(): void {
    this.resize(grownCapacity(this.capacity));
  }

  private resize(capacity: number): void {
    this.capacity = capacity;
    this.timeMs = resized(this.timeMs, capacity);
    this.offset = resized(this.offset, capacity);
    this.partition = resized(this.partition, capacity);
    this.idWords = resized(this.idWords, 4 * capacity);
    this.idLength = resized(this.idLength, capacity);
    this.pairHash = resized(this.pairHash, 4 * capacity);
    this.flags = resized(this.flags, capacity);
    this.sinceMs = resized(this.sinceMs, capacity);
    this.olderOfPair = resized(this.olderOfPair, capacity);
    this.otherOfIp = resized(this.otherOfIp, capacity);
    this.ipWords = resized(this.ipWords, 4 * capacity);
    this.cell = resized(this.cell, capacity);
  }
}

function moved(renumbered: Int32Array, row: number): number {
  return row === NONE ? NONE : renumbered[row]!;
}

function isLong(idLength: number): boolean {
  return idLength > INLINE_ID_BYTES_MAX && idLength !== UUID_ID;
}

/** Hash of record `i`'s click id. */
export function clickIdHash(batch: DecodedBatch, i: number): number {
  const length = batch.idLength[i]!;
  return isLong(length) ? hashBytes(batch.bytes, batch.idStart[i]!, length) : hashWords(batch.idWords, 4 * i);
}

const HEX = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

function uuidBytes(words: Uint32Array, at: number): Uint8Array {
  const bytes = new Uint8Array(36);
  let n = 0;
  for (let nibble = 0; nibble < 32; nibble++) {
    if (nibble === 8 || nibble === 12 || nibble === 16 || nibble === 20) bytes[n++] = 45;
    bytes[n++] = HEX[(words[at + (nibble >> 3)]! >>> (28 - 4 * (nibble & 7))) & 15]!;
  }
  return bytes;
}
