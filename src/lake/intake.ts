// Collects records for one statement of DuckDB. Values go in as few long texts joined by newlines, which DuckDB
// splits again: a call per record from JavaScript would cost more than the decoding. What can't stand in such
// a text (a newline inside, bytes that are not UTF-8, a cut value) goes in one by one, as bytes.
import { isUtf8 } from 'node:buffer';
import type { RawBatch } from '../core/batches.js';
import { murmur2, partitionOf } from '../core/murmur2.js';
import { AdIdFinder } from './ad-id-finder.js';

/** How a record names its partition and key; `apart`: it is among the odd ones. Stands in the column `kind`. */
export const KIND = { keyless: 0, keyed: 1, bare: 2, apart: 3 } as const;

/** A chunk is full at either; DuckDB then decodes it while the next one is filled. */
export const CHUNK_RECORDS = 131_072;
const CHUNK_BYTES = 40 * 1024 * 1024;
/** Records joined into one text. */
export const TEXT_RECORDS = 512;
const NEWLINE = 10;

/** A record that can't go into the joined texts. */
export interface OddRecord {
  index: number;
  kind: number;
  value: Uint8Array;
  keyBytes: Uint8Array;
}

/** Records in the order they came. Rows `index` of the columns belong to value number `index` of the texts. */
export class Chunk {
  count = 0;
  readonly partition = new Int32Array(CHUNK_RECORDS);
  readonly offset = new Float64Array(CHUNK_RECORDS);
  readonly appendTimeMs = new Float64Array(CHUNK_RECORDS);
  readonly kind = new Int32Array(CHUNK_RECORDS);
  readonly valueBytes = new Int32Array(CHUNK_RECORDS);
  /** Values, each followed by a newline; an odd record's is empty. */
  readonly values = new GrowingText();
  /** Keys (keyed) or the ad that was found (bare), each followed by a newline. */
  readonly keys = new GrowingText();
  readonly odd: OddRecord[] = [];
  oddBytes = 0;

  get isFull(): boolean {
    return this.count === CHUNK_RECORDS || this.values.length + this.oddBytes >= CHUNK_BYTES;
  }

  /** Some of its values. */
  *sample(): Iterable<Uint8Array> {
    for (let index = 0; index < this.count; index++) {
      if (this.kind[index] !== KIND.apart) yield this.values.slice(index, index + 1);
    }
  }

  clear(): void {
    this.count = 0;
    this.values.clear();
    this.keys.clear();
    this.odd.length = 0;
    this.oddBytes = 0;
  }
}

/** Bytes that grow, with the end of every entry. */
export class GrowingText {
  bytes = Buffer.allocUnsafe(1 << 20);
  length = 0;
  readonly ends = new Int32Array(CHUNK_RECORDS);

  /** Entry `index`, which must be the next one, and its newline. */
  put(index: number, from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.length + size + 1 > this.bytes.length) this.#grow(this.length + size + 1);
    if (size > 0) copyBytes(from, start, end, this.bytes, this.length);
    this.length += size;
    this.ends[index] = this.length;
    this.bytes[this.length++] = NEWLINE;
  }

  clear(): void {
    this.length = 0;
  }

  /** Entries `[from, to)` with the newlines between them but not behind the last. */
  slice(from: number, to: number): Buffer {
    return this.bytes.subarray(from === 0 ? 0 : this.ends[from - 1] + 1, this.ends[to - 1]);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** A call into native code costs more than copying a few bytes does. */
const NATIVE_COPY_BYTES = 48;

function copyBytes(from: Uint8Array, start: number, end: number, to: Buffer, at: number): void {
  if (end - start >= NATIVE_COPY_BYTES) to.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) to[at++] = from[i];
}

/** Puts records of batches into chunks. */
export class Intake {
  readonly #partitions: number;
  readonly #finder = new AdIdFinder();

  /** `partitions`: of bare lines. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Adds record `i` of the batch; `chunk` must not be full. Returns the partition (of a bare line: as guessed). */
  put(chunk: Chunk, batch: RawBatch, i: number): void {
    const index = chunk.count++;
    const start = batch.valueStart[i];
    const end = batch.valueEnd[i];
    const cutFrom = batch.cutValueBytes?.get(i);
    chunk.offset[index] = batch.offset[i];
    chunk.appendTimeMs[index] = batch.appendTimeMs[i];
    chunk.valueBytes[index] = cutFrom ?? end - start;

    let keyStart = batch.keyStart?.[i] ?? -1;
    let keyEnd = batch.keyEnd?.[i] ?? -1;
    const bare = batch.partition[i] < 0;
    if (bare) {
      keyStart = this.#finder.find(batch.bytes, start, end);
      keyEnd = this.#finder.end;
      const found = keyEnd > keyStart;
      chunk.partition[index] = found
        ? partitionOf(murmur2(batch.bytes, keyStart, keyEnd), this.#partitions)
        : 0;
    } else {
      chunk.partition[index] = batch.partition[i];
    }
    chunk.kind[index] = bare ? KIND.bare : keyStart < 0 ? KIND.keyless : KIND.keyed;
    if (keyStart < 0) keyStart = keyEnd = 0;

    if (cutFrom === undefined) {
      chunk.values.put(index, batch.bytes, start, end);
      chunk.keys.put(index, batch.bytes, keyStart, keyEnd);
    } else {
      this.#setApart(chunk, index, batch.bytes.subarray(start, end), batch.bytes.subarray(keyStart, keyEnd));
      chunk.values.put(index, batch.bytes, 0, 0);
      chunk.keys.put(index, batch.bytes, 0, 0);
    }
  }

  /** To be called when a chunk is complete: takes the entries out that the texts can't hold. */
  seal(chunk: Chunk): void {
    if (
      holdsOnlyEntries(chunk.values, chunk.count) &&
      holdsOnlyEntries(chunk.keys, chunk.count) &&
      isUtf8(chunk.values.bytes.subarray(0, chunk.values.length)) &&
      isUtf8(chunk.keys.bytes.subarray(0, chunk.keys.length))
    ) {
      return;
    }
    const apart = new Set(chunk.odd.map(({ index }) => index));
    for (let index = 0; index < chunk.count; index++) {
      const value = chunk.values.slice(index, index + 1);
      const key = chunk.keys.slice(index, index + 1);
      if (apart.has(index) || (isPlainText(value) && isPlainText(key))) continue;
      this.#setApart(chunk, index, value, key);
    }
    rebuild(chunk);
  }

  #setApart(chunk: Chunk, index: number, value: Uint8Array, keyBytes: Uint8Array): void {
    chunk.odd.push({
      index,
      kind: chunk.kind[index],
      value: Uint8Array.from(value),
      keyBytes: Uint8Array.from(keyBytes),
    });
    chunk.kind[index] = KIND.apart;
    chunk.oddBytes += value.length + keyBytes.length;
  }
}

/** Whether each newline of the text ends an entry. */
function holdsOnlyEntries(text: GrowingText, count: number): boolean {
  const used = text.bytes.subarray(0, text.length);
  let at = -1;
  for (let index = 0; index < count; index++) {
    at = used.indexOf(NEWLINE, at + 1);
    if (at !== text.ends[index]) return false;
  }
  return true;
}

function isPlainText(bytes: Buffer): boolean {
  return !bytes.includes(NEWLINE) && isUtf8(bytes);
}

/** Empties the entries of records that were set apart. */
function rebuild(chunk: Chunk): void {
  const apart = new Set(chunk.odd.map(({ index }) => index));
  for (const text of [chunk.values, chunk.keys]) {
    const old = Buffer.from(text.bytes.subarray(0, text.length));
    const ends = text.ends.slice(0, chunk.count);
    text.clear();
    for (let index = 0, start = 0; index < chunk.count; index++) {
      text.put(index, old, start, apart.has(index) ? start : ends[index]);
      start = ends[index] + 1;
    }
  }
}
