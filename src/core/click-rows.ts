// The clicks of the retention horizon: those whose verdict a late click may still change, or that may still
// have a say in another's. One row a click, one typed array a column: about 75 bytes, where an object with
// strings takes ten times that. Rows are recycled; a row number is valid until it is freed.
import { grown, grownCapacity } from './columns.js';
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
  /** Already unlinked from its user's and its IP's list by the present eviction. */
  pairCut: 16,
  ipCut: 32,
  free: 128,
} as const;

/** Double-click and bot are decided independently; where both hold, the verdict is `double_click`. */
export function verdictOf(flags: number): number {
  if (flags & FLAG.double) return VERDICT_CODE.doubleClick;
  return flags & FLAG.bot ? VERDICT_CODE.bot : VERDICT_CODE.billable;
}

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
  olderOfPair = new Int32Array(this.capacity);
  olderOfIp = new Int32Array(this.capacity);
  ipGroup = new Int32Array(this.capacity);
  cell = new Int32Array(this.capacity);

  /** Click ids that are neither UUIDs nor short; `idWords` holds the start. */
  private longIds = new Uint8Array(0);
  private longUsed = 0;
  private longDead = 0;

  get bytes(): number {
    return this.used * (8 + 8 + 2 + 16 + 1 + 16 + 1 + 4 * 5) + this.longIds.byteLength;
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
    this.olderOfIp[row] = NONE;
    const to = 4 * row;
    const from = 4 * i;
    this.pairHash[to] = batch.pairHash[from]!;
    this.pairHash[to + 1] = batch.pairHash[from + 1]!;
    this.pairHash[to + 2] = batch.pairHash[from + 2]!;
    this.pairHash[to + 3] = batch.pairHash[from + 3]!;
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

  free(row: number): void {
    if (isLong(this.idLength[row]!)) this.longDead += this.idLength[row]!;
    this.idLength[row] = 0;
    this.flags[row] = FLAG.free;
    this.olderOfPair[row] = this.freeRow;
    this.freeRow = row;
    this.live--;
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
      this.longIds = grown(this.longIds, grownCapacity(this.longUsed + length));
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
    const capacity = grownCapacity(this.capacity);
    this.capacity = capacity;
    this.timeMs = grown(this.timeMs, capacity);
    this.offset = grown(this.offset, capacity);
    this.partition = grown(this.partition, capacity);
    this.idWords = grown(this.idWords, 4 * capacity);
    this.idLength = grown(this.idLength, capacity);
    this.pairHash = grown(this.pairHash, 4 * capacity);
    this.flags = grown(this.flags, capacity);
    this.sinceMs = grown(this.sinceMs, capacity);
    this.olderOfPair = grown(this.olderOfPair, capacity);
    this.olderOfIp = grown(this.olderOfIp, capacity);
    this.ipGroup = grown(this.ipGroup, capacity);
    this.cell = grown(this.cell, capacity);
  }
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
