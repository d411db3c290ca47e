// Messages as kafkajs gives them, an object each, turned into columns. Keys and values lie in the buffers that
// came from the broker, one behind the other: whole stretches are copied at once.
import type { KafkaMessage } from 'kafkajs';
import type { RawBatch } from '../../core/batches.js';
import { RECORD_BYTES_MAX } from '../../core/method.js';

/** A stretch of foreign bytes (headers) between two records that is not worth copying. */
const GAP_BYTES_MAX = 4096;

export interface Chunk {
  batch: RawBatch & Required<Pick<RawBatch, 'keyStart' | 'keyEnd'>>;
  /** Append time of the first record, epoch ms; -Infinity where it has none. */
  firstTimeMs: number;
  /** Bytes it keeps from others. */
  bytes: number;
}

/** An empty chunk, to be filled again and again. */
export function newChunk(): Chunk {
  const batch = {
    count: 0,
    bytes: new Uint8Array(0),
    valueStart: new Int32Array(0),
    valueEnd: new Int32Array(0),
    keyStart: new Int32Array(0),
    keyEnd: new Int32Array(0),
    partition: new Int32Array(0),
    offset: new Float64Array(0),
    appendTimeMs: new Float64Array(0),
  };
  return { batch, firstTimeMs: -Infinity, bytes: 0 };
}

/** Fills the chunk anew with the messages of one partition whose offset is below `endOffset`. */
export function fillChunk(
  chunk: Chunk,
  partition: number,
  messages: readonly KafkaMessage[],
  endOffset: number,
): void {
  const { batch } = chunk;
  makeRoom(chunk, messages.length);
  const stretch = new Stretches(batch.bytes);
  delete batch.cutValueBytes;
  let count = 0;
  let timeText = '';
  let timeMs = Number.NaN;
  for (const { offset: offsetText, timestamp, key, value } of messages) {
    const offset = Number(offsetText);
    if (offset >= endOffset) break;
    if (timestamp !== timeText) {
      timeText = timestamp;
      // -1 is Kafka's word for none.
      const parsed = Number(timestamp);
      timeMs = parsed >= 0 ? parsed : Number.NaN;
    }
    const keyStart = key === null ? -1 : stretch.put(key);
    const valueStart = value === null ? stretch.end : stretch.put(value);
    const valueBytes = value === null ? 0 : value.length;
    batch.keyStart[count] = keyStart;
    batch.keyEnd[count] = key === null ? -1 : keyStart + key.length;
    batch.valueStart[count] = valueStart;
    batch.valueEnd[count] = valueStart + Math.min(valueBytes, RECORD_BYTES_MAX);
    if (valueBytes > RECORD_BYTES_MAX) {
      batch.cutValueBytes ??= new Map();
      batch.cutValueBytes.set(count, valueBytes);
    }
    batch.partition[count] = partition;
    batch.offset[count] = offset;
    batch.appendTimeMs[count] = timeMs;
    count++;
  }
  batch.bytes = stretch.finish();
  batch.count = count;
  chunk.bytes = stretch.end;
  const first = batch.appendTimeMs[0];
  chunk.firstTimeMs = count > 0 && !Number.isNaN(first) ? first : -Infinity;
}

function makeRoom({ batch }: Chunk, records: number): void {
  if (batch.offset.length >= records) return;
  for (const name of ['valueStart', 'valueEnd', 'keyStart', 'keyEnd', 'partition'] as const)
    batch[name] = new Int32Array(records);
  batch.offset = new Float64Array(records);
  batch.appendTimeMs = new Float64Array(records);
}

/** Copies byte ranges that follow each other in one source buffer by one call. */
class Stretches {
  #to: Uint8Array;
  /** Where the next stretch begins in `#to`. */
  #at = 0;
  #from: ArrayBufferLike | undefined;
  #low = 0;
  #high = 0;

  constructor(to: Uint8Array) {
    this.#to = to;
  }

  /** Where the next byte will be. */
  get end(): number {
    return this.#at + this.#high - this.#low;
  }

  /** Returns where the part's first byte will be. */
  put(part: Uint8Array): number {
    const start = part.byteOffset;
    if (part.buffer !== this.#from || start < this.#high || start - this.#high > GAP_BYTES_MAX) {
      this.#copy();
      this.#from = part.buffer;
      this.#low = start;
    }
    this.#high = start + part.length;
    return this.#at + start - this.#low;
  }

  /** The bytes of all parts. */
  finish(): Uint8Array {
    this.#copy();
    return this.#to;
  }

  #copy(): void {
    const length = this.#high - this.#low;
    if (length > 0) {
      const end = this.#at + length;
      if (end > this.#to.length) {
        const grown = new Uint8Array(Math.max(end, Math.ceil(this.#to.length * 1.5), 65_536));
        grown.set(this.#to.subarray(0, this.#at));
        this.#to = grown;
      }
      this.#to.set(new Uint8Array(this.#from!, this.#low, length), this.#at);
      this.#at = end;
    }
    this.#low = this.#high = 0;
    this.#from = undefined;
  }
}
