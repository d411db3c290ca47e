// Records on their way out of the generator: columns as in `RawBatch`, without offsets, which the log gives.
import { RECORD_BYTES_MAX } from '../method.js';

export interface ClickBatch {
  count: number;
  bytes: Uint8Array;
  /** How much of `bytes` is written. In the forms of lines this is the text, line ends included. */
  used: number;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  /** Start = end = -1 for a record without a key. Only in the form `records`. */
  keyStart: Int32Array;
  keyEnd: Int32Array;
  partition: Int32Array;
  appendTimeMs: Float64Array;
}

export const BATCH_RECORDS_MAX = 16_384;
/** A batch with this many bytes is full. */
export const BATCH_BYTES_FULL = 4 * 1024 * 1024;
/** The longest record with its envelope: just above RECORD_BYTES_MAX, nearly all of it plain letters. */
export const RECORD_ROOM_BYTES = RECORD_BYTES_MAX + 64 * 1024;

/** An empty batch, to be filled again and again. */
export function newClickBatch(): ClickBatch {
  return {
    count: 0,
    bytes: new Uint8Array(BATCH_BYTES_FULL + RECORD_ROOM_BYTES),
    used: 0,
    valueStart: new Int32Array(BATCH_RECORDS_MAX),
    valueEnd: new Int32Array(BATCH_RECORDS_MAX),
    keyStart: new Int32Array(BATCH_RECORDS_MAX),
    keyEnd: new Int32Array(BATCH_RECORDS_MAX),
    partition: new Int32Array(BATCH_RECORDS_MAX),
    appendTimeMs: new Float64Array(BATCH_RECORDS_MAX),
  };
}
