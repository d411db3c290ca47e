// An experiment: the record batches of a fetch turned into columns straight from their bytes, in the place where
// kafkajs makes an object of every record. It tells what its decoding costs; the program itself doesn't do this,
// since it means to reach into kafkajs. Batches must not be packed.
import { createRequire } from 'node:module';
import type { Batch } from 'kafkajs';

const require = createRequire(import.meta.url);
/** Where records begin behind the batch's header, and what of it is needed. */
const HEADER_BYTES = 61;
const LENGTH_AT = 8;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const COUNT_AT = 57;
const LOG_OVERHEAD = 12;

/** What of kafkajs's decoder is used here. */
interface FetchDecoder {
  readInt32(): number;
  readBytes(length: number): Buffer | null;
}

interface Columns {
  count: number;
  bytes: Buffer;
  offset: Float64Array;
  keyStart: Int32Array;
  keyEnd: Int32Array;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  lastOffset: number;
}

/** Puts our decoder in the place of kafkajs's. To be called before the first fetch. */
export function decodeOurselves(): void {
  const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js');
  require(path);
  require.cache[path]!.exports = async (decoder: FetchDecoder): Promise<unknown[]> => {
    const size = decoder.readInt32();
    const bytes = size > 0 ? decoder.readBytes(size) : null;
    if (!bytes) return [];
    const columns = columnsOf(bytes);
    if (columns.count === 0) return [];
    // One message stands for all: kafkajs looks at its offset only.
    return [
      { offset: String(columns.lastOffset), key: null, isControlRecord: false, batchContext: {}, columns },
    ];
  };
}

/** How many records our decoder found. */
export function recordsIn(batch: Batch): number {
  const [message] = batch.messages as unknown as { columns: Columns }[];
  return message?.columns.count ?? 0;
}

function columnsOf(bytes: Buffer): Columns {
  let capacity = 0;
  for (const { at } of batchesIn(bytes)) capacity += bytes.readInt32BE(at + COUNT_AT);
  const i32 = (): Int32Array => new Int32Array(capacity);
  const columns: Columns = {
    count: 0,
    bytes,
    offset: new Float64Array(capacity),
    keyStart: i32(),
    keyEnd: i32(),
    valueStart: i32(),
    valueEnd: i32(),
    lastOffset: -1,
  };
  const reader = new VarintReader(bytes);
  for (const { at } of batchesIn(bytes)) {
    if ((bytes.readInt16BE(at + ATTRIBUTES_AT) & 7) !== 0) throw new Error('the batches are packed');
    const baseOffset = Number(bytes.readBigInt64BE(at));
    columns.lastOffset = baseOffset + bytes.readInt32BE(at + LAST_DELTA_AT);
    reader.at = at + HEADER_BYTES;
    for (let left = bytes.readInt32BE(at + COUNT_AT); left > 0; left--)
      putRecord(columns, reader, baseOffset);
  }
  return columns;
}

function* batchesIn(bytes: Buffer): Generator<{ at: number }> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const end = at + LOG_OVERHEAD + bytes.readInt32BE(at + LENGTH_AT);
    // The last one may have been cut off.
    if (end > bytes.length) return;
    yield { at };
    at = end;
  }
}

function putRecord(columns: Columns, reader: VarintReader, baseOffset: number): void {
  const length = reader.next();
  const end = reader.at + length;
  reader.at++;
  reader.skip();
  const i = columns.count++;
  columns.offset[i] = baseOffset + reader.next();
  const keyLength = reader.next();
  columns.keyStart[i] = keyLength < 0 ? -1 : reader.at;
  columns.keyEnd[i] = keyLength < 0 ? -1 : reader.at + keyLength;
  reader.at += Math.max(0, keyLength);
  const valueLength = Math.max(0, reader.next());
  columns.valueStart[i] = reader.at;
  columns.valueEnd[i] = reader.at + valueLength;
  reader.at = end;
}

/** Kafka's zigzag varints. */
class VarintReader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  next(): number {
    let shift = 0;
    let value = 0;
    for (;;) {
      const byte = this.bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      shift += 7;
    }
  }

  /** Passes over one of any length. */
  skip(): void {
    while (this.bytes[this.at++]! >= 0x80);
  }
}
