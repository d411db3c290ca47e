// Records on their way into the engine. A source yields raw batches; the decoder turns one into columns.
// Columns (one typed array a field) instead of an object a click: an object costs four times the time
// and the memory, and columns can be handed from one thread to another without a copy.

/** The greatest partition that can be counted: the engine keeps its clicks' in two bytes. */
export const PARTITION_MAX = 65_535;

/** Consecutive records as a source read them. Arrays hold at least `count` items; the rest is undefined. */
export interface RawBatch {
  count: number;
  /** The bytes that `valueStart`/`valueEnd` and `keyStart`/`keyEnd` point into. */
  bytes: Uint8Array;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  /** Key bytes; start = end = -1 for a record without a key. Absent when no record has one. */
  keyStart?: Int32Array;
  keyEnd?: Int32Array;
  /** The record's partition, or -1: then the decoder takes murmur2 of the ad_id over `partitions` (0 for an unreadable line). */
  partition: Int32Array;
  /** The record's offset in its partition (for bare lines: the line's number in the file, from 0). Ascending in a partition. */
  offset: Float64Array;
  /** Append time in epoch ms, or NaN where the log has none. */
  appendTimeMs: Float64Array;
  /** Values that exceeded RECORD_BYTES_MAX were cut to it; their true length in bytes by record index. */
  cutValueBytes?: Map<number, number>;
}
