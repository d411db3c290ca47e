// A batch of records written into its bytes as the records come: what record-batch.ts reads. A record is copied once, and
// nothing is made of it; kafkajs makes an encoder and several buffers of each, which takes it ten times as long.
import { crc32c } from '@node-rs/crc32';
import type { RawBatch } from '../../core/batches.js';
import { AT, FLAG, HEADER_BYTES, MAGIC, OVERHEAD_BYTES } from './batch-layout.js';

const ROOM_BYTES_FIRST = 16_384;
/** What a record takes besides its key, value and headers, at most. */
const FRAME_BYTES_MAX = 40;
/** Shorter runs of bytes are copied one by one: a call costs more. */
const LOOP_BYTES_MAX = 32;
/** Of a unit of JavaScript's text, and of the length before a text. */
const UTF8_BYTES_MAX = 3;
const LENGTH_BYTES_MAX = 5;
/** No leader has given the batch its epoch yet. */
const NO_EPOCH = -1;

/** Records as columns; start = end = -1 for a key that is null. */
export type RecordColumns = Pick<
  RawBatch,
  'bytes' | 'valueStart' | 'valueEnd' | 'keyStart' | 'keyEnd' | 'appendTimeMs'
>;

export interface OutgoingRecord {
  key: Uint8Array | null;
  value: Uint8Array | null;
  /** Epoch ms. Default: the present. */
  timeMs?: number;
  headers?: Readonly<Record<string, string>>;
}

/** By what the broker knows whose batch it is, and whether it has it already. */
export interface ProducerStamp {
  producerId: bigint;
  producerEpoch: number;
  firstSequence: number;
  isTransactional: boolean;
}

/** A batch for one partition. Its memory is used again after `clear`. */
export class BatchWriter {
  count = 0;
  #bytes = Buffer.allocUnsafe(ROOM_BYTES_FIRST);
  #end = HEADER_BYTES;
  #firstTimeMs = 0;
  #maxTimeMs = 0;

  /** Bytes so far, header included. */
  get size(): number {
    return this.#end;
  }

  /** Adds record `i` of the columns; the present is its time if it has none. */
  addColumn(columns: RecordColumns, i: number): void {
    const { bytes, valueStart, valueEnd, keyStart, keyEnd, appendTimeMs } = columns;
    const keyAt = keyStart?.[i] ?? -1;
    const keyBytes = keyAt < 0 ? -1 : keyEnd![i]! - keyAt;
    const valueAt = valueStart[i]!;
    const valueBytes = valueEnd[i]! - valueAt;
    this.#begin(keyBytes, valueBytes, 1, appendTimeMs[i]!);
    this.#int(keyBytes);
    if (keyBytes > 0) this.#copy(bytes, keyAt, keyBytes);
    this.#int(valueBytes);
    this.#copy(bytes, valueAt, valueBytes);
    this.#int(0);
  }

  add({ key, value, timeMs, headers = {} }: OutgoingRecord): void {
    const names = Object.keys(headers);
    let headerBytes = intSize(names.length);
    for (const name of names) headerBytes += textSize(name) + textSize(headers[name]!);
    const keyBytes = key?.length ?? -1;
    const valueBytes = value?.length ?? -1;
    this.#begin(keyBytes, valueBytes, headerBytes, timeMs ?? Number.NaN);
    this.#int(keyBytes);
    if (key) this.#copy(key, 0, keyBytes);
    this.#int(valueBytes);
    if (value) this.#copy(value, 0, valueBytes);
    this.#int(names.length);
    for (const name of names) {
      this.#text(name);
      this.#text(headers[name]!);
    }
  }

  /** The batch's bytes. They are the writer's: good until something is added or it is sealed again. */
  seal({ producerId, producerEpoch, firstSequence, isTransactional }: ProducerStamp): Buffer {
    const bytes = this.#bytes.subarray(0, this.#end);
    bytes.writeBigInt64BE(0n, AT.baseOffset);
    bytes.writeInt32BE(bytes.length - OVERHEAD_BYTES, AT.length);
    bytes.writeInt32BE(NO_EPOCH, AT.leaderEpoch);
    bytes.writeInt8(MAGIC, AT.magic);
    bytes.writeInt16BE(isTransactional ? FLAG.transactional : 0, AT.attributes);
    bytes.writeInt32BE(this.count - 1, AT.lastDelta);
    bytes.writeBigInt64BE(BigInt(this.#firstTimeMs), AT.firstTime);
    bytes.writeBigInt64BE(BigInt(this.#maxTimeMs), AT.maxTime);
    bytes.writeBigInt64BE(producerId, AT.producerId);
    bytes.writeInt16BE(producerEpoch, AT.producerEpoch);
    bytes.writeInt32BE(firstSequence, AT.firstSequence);
    bytes.writeInt32BE(this.count, AT.count);
    bytes.writeUInt32BE(crc32c(bytes.subarray(AT.attributes)), AT.crc);
    return bytes;
  }

  /** Makes it an empty batch. */
  clear(): void {
    this.count = 0;
    this.#end = HEADER_BYTES;
  }

  /** Writes all that comes before the key. */
  #begin(keyBytes: number, valueBytes: number, headerBytes: number, timeMs: number): void {
    const time = Number.isNaN(timeMs) ? Date.now() : Math.trunc(timeMs);
    if (this.count === 0) {
      this.#firstTimeMs = time;
      this.#maxTimeMs = time;
    } else if (time > this.#maxTimeMs) this.#maxTimeMs = time;
    const timeDelta = time - this.#firstTimeMs;
    const fields = 1 + longSize(timeDelta) + intSize(this.count) + intSize(keyBytes) + intSize(valueBytes);
    const size = fields + Math.max(0, keyBytes) + Math.max(0, valueBytes) + headerBytes;
    this.#makeRoom(size + FRAME_BYTES_MAX);
    this.#int(size);
    this.#bytes[this.#end++] = 0; // attributes, of which there are none
    this.#long(timeDelta);
    this.#int(this.count);
    this.count++;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }

  #copy(from: Uint8Array, start: number, length: number): void {
    const to = this.#bytes;
    let at = this.#end;
    this.#end += length;
    if (length > LOOP_BYTES_MAX) to.set(from.subarray(start, start + length), at);
    else for (let i = start; i < start + length; i++) to[at++] = from[i]!;
  }

  /** A text behind its length. */
  #text(text: string): void {
    const bytes = utf8Bytes(text);
    this.#int(bytes);
    const to = this.#bytes;
    let at = this.#end;
    this.#end += bytes;
    if (bytes > LOOP_BYTES_MAX || bytes !== text.length) to.write(text, at, bytes, 'utf8');
    else for (let i = 0; i < bytes; i++) to[at++] = text.charCodeAt(i);
  }

  /** Kafka's zigzag varint of 32 bits. */
  #int(value: number): void {
    const to = this.#bytes;
    let rest = (value << 1) ^ (value >> 31);
    while ((rest & ~0x7f) !== 0) {
      to[this.#end++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    to[this.#end++] = rest;
  }

  /** The same of 64 bits, as far as a number is exact. */
  #long(value: number): void {
    const to = this.#bytes;
    let rest = zigzag(value);
    while (rest >= 0x80) {
      to[this.#end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    to[this.#end++] = rest;
  }
}

/** Not less than the record takes in a batch; of texts, which are not looked at for this, it may be three times as much. */
export function sizeAtMost({ key, value, headers = {} }: OutgoingRecord): number {
  let size = FRAME_BYTES_MAX + (key?.length ?? 0) + (value?.length ?? 0);
  for (const name of Object.keys(headers)) {
    const units = name.length + headers[name]!.length;
    size += UTF8_BYTES_MAX * units + 2 * LENGTH_BYTES_MAX;
  }
  return size;
}

/** The same of record `i` of the columns. */
export function columnSizeAtMost(columns: RecordColumns, i: number): number {
  const { valueStart, valueEnd, keyStart, keyEnd } = columns;
  return FRAME_BYTES_MAX + valueEnd[i]! - valueStart[i]! + (keyStart ? keyEnd![i]! - keyStart[i]! : 0);
}

function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1;
}

function intSize(value: number): number {
  let size = 1;
  for (let rest = ((value << 1) ^ (value >> 31)) >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

function longSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Of a text behind its length. */
function textSize(text: string): number {
  const bytes = utf8Bytes(text);
  return intSize(bytes) + bytes;
}

/** Most texts are short and of ASCII alone, for which a call into the runtime costs more than looking. */
function utf8Bytes(text: string): number {
  const { length } = text;
  if (length > LOOP_BYTES_MAX) return Buffer.byteLength(text);
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) >= 0x80) return Buffer.byteLength(text);
  return length;
}
