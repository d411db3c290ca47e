// A batch of records as it lies in a topic, and its records read from their bytes: nothing is made of a record but the
// numbers that say where it is.
import { crc32c } from '@node-rs/crc32';
import { AT, FLAG, HEADER_BYTES, MAGIC, OVERHEAD_BYTES } from './batch-layout.js';

const VARINT_BYTES_MAX = 5;
const VARLONG_BYTES_MAX = 10;

export interface RecordBatch {
  baseOffset: number;
  /** Of the batch as it was written: with compaction the record itself may be gone. */
  lastOffset: number;
  /** How many records its bytes hold. */
  count: number;
  /** 0: not packed; else Kafka's number of the codec. */
  codec: number;
  /** Epoch ms; -1: none. The records tell how far they are from the first. */
  firstTimeMs: number;
  maxTimeMs: number;
  /** The log set the time: it is `maxTimeMs` for all of them. */
  isTimedByLog: boolean;
  producerId: bigint;
  isTransactional: boolean;
  /** The mark of a transaction's end. */
  isControl: boolean;
  /** Its records, packed if there is a codec. */
  bytes: Buffer;
}

/** Bytes that came are not what was sent, or in a format that is none of ours. */
export class GarbledBatch extends Error {
  override name = 'KafkaJSGarbledBatch';
}

/** The whole batches in what was fetched of a partition; the last one may have been cut off. Throws GarbledBatch. */
export function batchesIn(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const end = at + OVERHEAD_BYTES + bytes.readInt32BE(at + AT.length);
    const magic = bytes[at + AT.magic];
    if (magic !== MAGIC) throw new GarbledBatch(`a batch in format ${magic}, not ${MAGIC}`);
    if (end < at + HEADER_BYTES) throw new GarbledBatch('a batch that is shorter than its header');
    if (end > bytes.length) break;
    batches.push(batchOf(bytes.subarray(at, end)));
    at = end;
  }
  return batches;
}

function batchOf(bytes: Buffer): RecordBatch {
  if (crc32c(bytes.subarray(AT.attributes)) !== bytes.readUInt32BE(AT.crc)) {
    throw new GarbledBatch('a batch whose checksum is wrong');
  }
  const baseOffset = Number(bytes.readBigInt64BE(0));
  const attributes = bytes.readInt16BE(AT.attributes);
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(AT.lastDelta),
    count: bytes.readInt32BE(AT.count),
    codec: attributes & FLAG.codec,
    firstTimeMs: Number(bytes.readBigInt64BE(AT.firstTime)),
    maxTimeMs: Number(bytes.readBigInt64BE(AT.maxTime)),
    isTimedByLog: (attributes & FLAG.logAppendTime) !== 0,
    producerId: bytes.readBigInt64BE(AT.producerId),
    isTransactional: (attributes & FLAG.transactional) !== 0,
    isControl: (attributes & FLAG.control) !== 0,
    bytes: bytes.subarray(HEADER_BYTES),
  };
}

/** Goes through the records of a batch that is not packed (any more): `next`, then the fields. */
export class RecordReader {
  offset = 0;
  /** Epoch ms; negative: none. */
  timeMs = -1;
  /** Places in the batch's bytes; start = end = -1 for a key or value that is null. */
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  readonly #bytes: Buffer;
  #left: number;
  #at = 0;
  #headersAt = 0;
  #end = 0;

  constructor(private readonly batch: RecordBatch) {
    this.#bytes = batch.bytes;
    this.#left = batch.count;
  }

  /** Goes to the next record; false: there is none. Throws GarbledBatch. */
  next(): boolean {
    if (this.#left-- <= 0) return false;
    const { baseOffset, firstTimeMs, maxTimeMs, isTimedByLog } = this.batch;
    this.#at = this.#end;
    const length = this.#varint();
    const end = this.#at + length;
    if (length <= 0 || end > this.#bytes.length) throw new GarbledBatch('a record that is cut off');
    this.#end = end;
    this.#at++; // attributes, of which there are none
    const timeDelta = this.#varlong();
    this.timeMs = isTimedByLog ? maxTimeMs : firstTimeMs + timeDelta;
    this.offset = baseOffset + this.#varint();
    const keyBytes = this.#varint();
    this.keyStart = keyBytes < 0 ? -1 : this.#at;
    this.keyEnd = keyBytes < 0 ? -1 : this.#skip(keyBytes);
    const valueBytes = this.#varint();
    this.valueStart = valueBytes < 0 ? -1 : this.#at;
    this.valueEnd = valueBytes < 0 ? -1 : this.#skip(valueBytes);
    this.#headersAt = this.#at;
    return true;
  }

  get key(): Buffer | null {
    return this.keyStart < 0 ? null : this.#bytes.subarray(this.keyStart, this.keyEnd);
  }

  get value(): Buffer | null {
    return this.valueStart < 0 ? null : this.#bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** The headers of the present record as text; of those with the same name the last. */
  headers(): Record<string, string | undefined> {
    this.#at = this.#headersAt;
    // Without a prototype: `__proto__` is a name like any other.
    const headers: Record<string, string | undefined> = Object.create(null);
    for (let left = this.#varint(); left > 0; left--) {
      const name = this.#text() ?? '';
      headers[name] = this.#text();
    }
    return headers;
  }

  #text(): string | undefined {
    const length = this.#varint();
    if (length < 0) return undefined;
    const start = this.#at;
    return this.#bytes.toString('utf8', start, this.#skip(length));
  }

  #skip(length: number): number {
    this.#at += length;
    if (this.#at > this.#end) throw new GarbledBatch('a record that is longer than it says');
    return this.#at;
  }

  /** Kafka's zigzag varint of 32 bits. */
  #varint(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let byte = bytes[at++]!;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (at - this.#at >= VARINT_BYTES_MAX) throw new GarbledBatch('a number that does not end');
      byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
    }
    this.#at = at;
    return (value >>> 1) ^ -(value & 1);
  }

  /** The same of 64 bits, as far as a number is exact. */
  #varlong(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let byte = bytes[at++]!;
    let value = byte & 0x7f;
    for (let weight = 128; byte >= 0x80; weight *= 128) {
      if (at - this.#at >= VARLONG_BYTES_MAX) throw new GarbledBatch('a number that does not end');
      byte = bytes[at++]!;
      value += (byte & 0x7f) * weight;
    }
    this.#at = at;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
