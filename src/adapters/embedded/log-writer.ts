// The writing end of the embedded log: gives records their offsets and appends them, frame by frame, to the
// last segment of their partition. A frame is visible to readers, in this process and in others, as soon as
// `append` has returned, and survives a power cut once `flush` has.
import { join } from 'node:path';
import type { RawBatch } from '../../core/batches.js';
import { RECORD_BYTES_MAX } from '../../core/method.js';
import { invariant, UserError } from '../../errors.js';
import { FRAME_CONTENT_BYTES_MAX, FRAME_RECORDS_MAX } from './frame.js';
import { createMeta, ioError, type LogMeta, makeFolder, PARTITIONS_MAX, readMeta } from './layout.js';
import { takeLock } from './lock.js';
import { PartitionWriter } from './partition-writer.js';
import { applyRetention, type Retention } from './retention.js';

/** Records to be appended: a RawBatch without offsets, which the log gives. No partition may be -1. */
export type AppendBatch = Omit<RawBatch, 'offset'>;

export interface LogWriterOptions {
  /** How many partitions a new log gets; one that exists must have as many. */
  partitions: number;
  /** A segment is finished when it has reached this length. Default 128 MiB. */
  segmentBytesMax?: number;
  /** Every append will be followed by a flush: the two are done in one step where the system can. */
  syncWrites?: boolean;
  /** Old segments are deleted by these limits whenever a segment is finished. Default: kept for ever. */
  retention?: Retention;
}

/**
 * Guarantee: `append` gives each partition's records consecutive offsets in their order in the batch. When it
 * has failed (a UserError, disk full for one) a leading part of the records may be in the log, whole. Calls may
 * overlap: they are carried out one after the other.
 */
export interface LogWriter {
  readonly partitions: number;
  /** Returns the offsets by record index. Values beyond RECORD_BYTES_MAX are cut to it, with their true length kept. */
  append(batch: AppendBatch): Promise<Float64Array>;
  /** Makes everything that was appended durable (fsync). Gives the next offset by partition: what is below is safe. */
  flush(): Promise<Map<number, number>>;
  /** Next offset by partition. */
  ends(): Map<number, number>;
  /** Newest append time in the log, epoch ms; -Infinity if there is none. */
  newestAppendMs(): number;
  /** Flushes, closes and lets the next writer in. */
  close(): Promise<void>;
}

const SEGMENT_BYTES_MAX = 128 * 1_048_576;

/**
 * Opens the log in `logDir` for writing, making it if there is none, and cuts off a torn last write. UserError:
 * another writer lives, the log has another number of partitions, it is damaged, or the disk won't have it.
 */
export async function openLogWriter(logDir: string, options: LogWriterOptions): Promise<LogWriter> {
  const { partitions } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    throw new UserError(`a log can have 1 to ${PARTITIONS_MAX} partitions, not ${partitions}`);
  }
  try {
    await makeFolder(logDir);
  } catch (error) {
    throw ioError(error, logDir, 'write');
  }
  const lock = await takeLock(join(logDir, 'writer.lock'), `the log ${logDir} is being written`);
  const writers: PartitionWriter[] = [];
  try {
    await sameMeta(logDir, partitions);
    const { syncWrites = false } = options;
    const segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
    for (let partition = 0; partition < partitions; partition++) {
      writers.push(await PartitionWriter.open({ logDir, partition, segmentBytesMax, syncWrites }));
    }
  } catch (error) {
    for (const writer of writers) await writer.close();
    lock.release();
    throw error;
  }
  return logWriter(logDir, writers, lock, options.retention);
}

/** Makes an empty log with so many partitions if there is none, so that a reader can follow it from its start. */
export async function createLog(logDir: string, partitions: number): Promise<void> {
  if ((await readMeta(logDir))?.partitions === partitions) return;
  await (await openLogWriter(logDir, { partitions })).close();
}

async function sameMeta(logDir: string, partitions: number): Promise<LogMeta> {
  const meta = (await readMeta(logDir)) ?? (await createMeta(logDir, partitions));
  if (meta.partitions !== partitions) {
    throw new UserError(
      `the log ${logDir} has ${meta.partitions} partitions, but ${partitions} were asked for`,
      {
        hint: `Use --partitions ${meta.partitions}, or another data directory.`,
      },
    );
  }
  return meta;
}

function logWriter(
  logDir: string,
  writers: readonly PartitionWriter[],
  lock: { release(): void },
  retention: Retention | undefined,
): LogWriter {
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    invariant(!closed, 'the log is used after it was closed');
    const result = turn.then(work);
    turn = result.catch(() => undefined); // the caller gets it; the next in turn must not
    return result;
  };
  const ends = () => new Map(writers.map((writer, partition) => [partition, writer.nextOffset]));
  const flushAll = async () => {
    for (const writer of writers) await writer.flush();
    return ends();
  };
  return {
    partitions: writers.length,
    append: (batch) =>
      inTurn(async () => {
        const { offsets, segmentFinished } = await appendBatch(writers, batch);
        if (segmentFinished && retention) await applyRetention(logDir, { ...retention, nowMs: Date.now() });
        return offsets;
      }),
    flush: () => inTurn(flushAll),
    ends,
    newestAppendMs: () => Math.max(...writers.map((writer) => writer.newestAppendMs)),
    async close() {
      if (closed) return;
      const flushed = inTurn(flushAll);
      closed = true;
      try {
        await flushed;
      } finally {
        for (const writer of writers) await writer.close();
        lock.release();
      }
    },
  };
}

async function appendBatch(
  writers: readonly PartitionWriter[],
  batch: AppendBatch,
): Promise<{ offsets: Float64Array; segmentFinished: boolean }> {
  const order = byPartition(batch, writers.length);
  const offsets = new Float64Array(batch.count);
  let segmentFinished = false;
  let from = 0;
  while (from < batch.count) {
    const partition = batch.partition[order[from]];
    const to = frameEnd(batch, order, from);
    const finished = await writers[partition].appendFrame(batch, order.subarray(from, to), offsets);
    segmentFinished ||= finished;
    from = to;
  }
  return { offsets, segmentFinished };
}

/** Record indexes, grouped by partition, in their order within each. */
function byPartition(batch: AppendBatch, partitions: number): Int32Array {
  const starts = new Int32Array(partitions + 1);
  for (let i = 0; i < batch.count; i++) {
    const partition = batch.partition[i];
    invariant(partition >= 0 && partition < partitions, `partition ${partition} of ${partitions}`);
    starts[partition + 1]++;
  }
  for (let partition = 0; partition < partitions; partition++) starts[partition + 1] += starts[partition];
  const order = new Int32Array(batch.count);
  for (let i = 0; i < batch.count; i++) order[starts[batch.partition[i]]++] = i;
  return order;
}

/** End of the run in `order` from `from` that goes into one frame: of one partition, within a frame's limits. */
function frameEnd(batch: AppendBatch, order: Int32Array, from: number): number {
  const { partition, valueStart, valueEnd, keyStart, keyEnd } = batch;
  const first = partition[order[from]];
  const recordsEnd = Math.min(batch.count, from + FRAME_RECORDS_MAX);
  let contentBytes = 0;
  let to = from;
  for (; to < recordsEnd; to++) {
    const record = order[to];
    if (partition[record] !== first) break;
    contentBytes += Math.min(valueEnd[record] - valueStart[record], RECORD_BYTES_MAX);
    if (keyStart && keyEnd) {
      const keyBytes = keyEnd[record] - keyStart[record];
      if (keyBytes > RECORD_BYTES_MAX) {
        throw new UserError(
          `a key of ${keyBytes} bytes is too long for the log (at most ${RECORD_BYTES_MAX})`,
        );
      }
      contentBytes += keyBytes;
    }
    if (contentBytes > FRAME_CONTENT_BYTES_MAX && to > from) break;
  }
  return to;
}
