// Makes raw batches of test records, as a source would: values and keys somewhere in one block of bytes, with
// other bytes around them and arrays longer than need be.
import type { RawBatch } from '../../src/core/batches.js';
import { RECORD_BYTES_MAX } from '../../src/core/method.js';
import type { OracleRecord } from '../oracle.js';

/** A batch of `records`. `bare`: as lines of a file, whose partition the decoder has to find out. */
export function rawBatchOf(records: readonly OracleRecord[], options: { bare?: boolean } = {}): RawBatch {
  const count = records.length;
  const capacity = count + 3;
  const raw = {
    count,
    valueStart: new Int32Array(capacity).fill(-7),
    valueEnd: new Int32Array(capacity).fill(-7),
    partition: new Int32Array(capacity).fill(99),
    offset: new Float64Array(capacity),
    appendTimeMs: new Float64Array(capacity),
    cutValueBytes: new Map<number, number>(),
  };
  const pieces: Uint8Array[] = [];
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    pieces.push(bytes);
    at += bytes.length;
  };
  for (const [i, { partition, offset, appendTimeMs, value }] of records.entries()) {
    put(Buffer.from('"}'));
    raw.valueStart[i] = at;
    put(value.subarray(0, RECORD_BYTES_MAX));
    raw.valueEnd[i] = at;
    if (value.length > RECORD_BYTES_MAX) raw.cutValueBytes.set(i, value.length);
    raw.partition[i] = options.bare ? -1 : partition;
    raw.offset[i] = offset;
    raw.appendTimeMs[i] = appendTimeMs ?? Number.NaN;
  }
  put(Buffer.from('1"}'));
  return { ...raw, bytes: Buffer.concat(pieces) };
}
