// Batches of one partition turned into columns: the records' bytes are copied as they lie, headers and all, and the
// columns say where keys and values are.
import type { RawBatch } from '../../core/batches.js';
import { RECORD_BYTES_MAX } from '../../core/method.js';
import type { FetchedBatch } from './fetched-batches.js';
import { RecordReader } from './record-batch.js';

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

/** Fills the chunk anew with the records that readers may see and whose offset is in `[from, to)`. */
export function fillChunk(
  chunk: Chunk,
  partition: number,
  batches: readonly FetchedBatch[],
  { from, to }: { from: number; to: number },
): void {
  const { batch } = chunk;
  const wanted = batches.filter(
    ({ visible, baseOffset, lastOffset }) => visible && lastOffset >= from && baseOffset < to,
  );
  makeRoom(chunk, wanted);
  delete batch.cutValueBytes;
  batch.count = 0;
  chunk.bytes = 0;
  for (const records of wanted) {
    batch.bytes.set(records.bytes, chunk.bytes);
    fill(batch, partition, new RecordReader(records), chunk.bytes, from, to);
    chunk.bytes += records.bytes.length;
  }
  const first = batch.appendTimeMs[0];
  chunk.firstTimeMs = batch.count > 0 && !Number.isNaN(first) ? first! : -Infinity;
}

function fill(
  batch: Chunk['batch'],
  partition: number,
  reader: RecordReader,
  base: number,
  from: number,
  to: number,
): void {
  const { valueStart, valueEnd, keyStart, keyEnd, offset, appendTimeMs } = batch;
  let count = batch.count;
  while (reader.next()) {
    if (reader.offset < from || reader.offset >= to) continue;
    keyStart[count] = reader.keyStart < 0 ? -1 : base + reader.keyStart;
    keyEnd[count] = reader.keyStart < 0 ? -1 : base + reader.keyEnd;
    const start = base + Math.max(0, reader.valueStart);
    const bytes = reader.valueEnd - reader.valueStart;
    valueStart[count] = start;
    valueEnd[count] = start + Math.min(bytes, RECORD_BYTES_MAX);
    if (bytes > RECORD_BYTES_MAX) {
      batch.cutValueBytes ??= new Map();
      batch.cutValueBytes.set(count, bytes);
    }
    offset[count] = reader.offset;
    // -1 is Kafka's word for none.
    appendTimeMs[count] = reader.timeMs >= 0 ? reader.timeMs : Number.NaN;
    count++;
  }
  batch.partition.fill(partition, batch.count, count);
  batch.count = count;
}

function makeRoom({ batch }: Chunk, batches: readonly FetchedBatch[]): void {
  let records = 0;
  let bytes = 0;
  for (const each of batches) {
    records += each.count;
    bytes += each.bytes.length;
  }
  if (batch.bytes.length < bytes) batch.bytes = new Uint8Array(bytes + bytes / 4);
  if (batch.offset.length >= records) return;
  for (const name of ['valueStart', 'valueEnd', 'keyStart', 'keyEnd', 'partition'] as const)
    batch[name] = new Int32Array(records);
  batch.offset = new Float64Array(records);
  batch.appendTimeMs = new Float64Array(records);
}
