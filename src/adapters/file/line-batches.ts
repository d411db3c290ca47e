// Bare click lines as batches: a record a line, its offset the line's number. Blank lines have a number, too, but
// are no records.
import type { RawBatch } from '../../core/batches.js';
import { RECORD_BYTES_MAX } from '../../core/method.js';
import type { ByteFeed } from './byte-feed.js';
import { isWhitespace } from './envelope.js';
import { LineReader } from './line-reader.js';

/** Most records of a batch. */
export const BATCH_RECORDS_MAX = 16_384;

export interface ReadBatch {
  batch: RawBatch;
  /** Lines read so far, those of this batch too. */
  linesRead: number;
}

export interface LineRange {
  /** Number of the input's first line. */
  firstLine: number;
  /** Lines with a smaller number are passed over. */
  fromLine: number;
}

/** The last batch may be empty: it tells how many lines there were. */
export async function* lineBatches(
  feed: ByteFeed,
  { firstLine, fromLine }: LineRange,
): AsyncGenerator<ReadBatch> {
  const lines = new LineReader(feed, RECORD_BYTES_MAX);
  const valueStart = new Int32Array(BATCH_RECORDS_MAX);
  const valueEnd = new Int32Array(BATCH_RECORDS_MAX);
  const offset = new Float64Array(BATCH_RECORDS_MAX);
  const partition = new Int32Array(BATCH_RECORDS_MAX).fill(-1);
  const appendTimeMs = new Float64Array(BATCH_RECORDS_MAX).fill(Number.NaN);
  let cutValueBytes = new Map<number, number>();
  let count = 0;
  const take = (): ReadBatch => {
    const cut = cutValueBytes.size > 0 ? { cutValueBytes } : {};
    const batch = {
      count,
      bytes: lines.bytes,
      valueStart,
      valueEnd,
      partition,
      offset,
      appendTimeMs,
      ...cut,
    };
    count = 0;
    cutValueBytes = new Map();
    return { batch, linesRead: lines.number + 1 };
  };
  do {
    while (lines.next()) {
      const number = firstLine + lines.number;
      if (number < fromLine || isBlank(lines)) continue;
      valueStart[count] = lines.start;
      valueEnd[count] = lines.end;
      offset[count] = number;
      if (lines.lineBytes > RECORD_BYTES_MAX) cutValueBytes.set(count, lines.lineBytes);
      if (++count === BATCH_RECORDS_MAX) yield take();
    }
    if (count > 0) yield take();
  } while (await lines.refill());
  yield take();
}

function isBlank({ bytes, start, end, lineBytes }: LineReader): boolean {
  if (lineBytes > end - start) return false;
  for (let at = start; at < end; at++) {
    if (!isWhitespace(bytes[at])) return false;
  }
  return true;
}
