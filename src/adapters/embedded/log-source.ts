// The reading end of the embedded log: all partitions as one stream of batches, stepped by append time.
import type { RawBatch } from '../../core/batches.js';
import type { Source, SourceOptions } from '../../core/ports/log.js';
import { UserError } from '../../errors.js';
import { pause } from '../../pause.js';
import { FrameRecords } from './frame-records.js';
import { readMeta } from './layout.js';
import { logEnds, logStarts } from './log-ends.js';
import { PartitionReader, ReadBuffer } from './partition-reader.js';

/** How long a follower sleeps when nothing is there: the shortest at first, then twice as long each time. */
const POLL_MS_MIN = 2;
const POLL_MS_MAX = 100;
/** While other partitions keep a follower busy, it looks at those that had nothing so often. */
const QUIET_PARTITION_MS = 20;

export interface LogSource extends Source {
  /** Names this very log; another one never has the same. */
  readonly identity: string;
}

/**
 * Opens the log in `logDir` for reading; any number of readers may, in any process. UserError: there is none, or
 * it is from a newer version. `read` throws a UserError where a position was deleted by retention or lies beyond
 * the end, and where the log is damaged; it never passes over a record.
 */
export async function logSource(logDir: string): Promise<LogSource> {
  const meta = await readMeta(logDir);
  if (!meta) {
    throw new UserError(`there is no log in ${logDir}`, {
      hint: 'Write one first: click-agg loadgen, or name a file: click-agg run --input FILE.',
    });
  }
  const ends = logEnds(logDir, meta.partitions);
  return {
    partitionCount: meta.partitions,
    seekable: true,
    description: `embedded log ${logDir}`,
    identity: `log ${meta.id}`,
    read: (options) => readLog(logDir, meta.partitions, options),
    ends,
    starts: () => logStarts(logDir, meta.partitions),
    async close() {},
  };
}

async function* readLog(
  logDir: string,
  partitions: number,
  options: SourceOptions,
): AsyncGenerator<RawBatch> {
  const readers: PartitionReader[] = [];
  try {
    for (let partition = 0; partition < partitions; partition++) {
      const position = options.positions.get(partition);
      readers.push(await PartitionReader.open({ logDir, partition, position, untilEnd: options.untilEnd }));
    }
    yield* step(readers, options.signal);
  } finally {
    for (const reader of readers) await reader.close();
  }
}

/** Reads on where the log is oldest, a batch at a time. */
async function* step(readers: readonly PartitionReader[], signal: AbortSignal): AsyncGenerator<RawBatch> {
  const buffer = new ReadBuffer();
  const records = new FrameRecords();
  const quietUntilMs = new Float64Array(readers.length);
  let pollMs = POLL_MS_MIN;
  while (!signal.aborted) {
    let oldest: PartitionReader | undefined;
    for (const reader of readers) {
      if (quietUntilMs[reader.partition] > performance.now()) continue;
      if (!(await reader.ready())) quietUntilMs[reader.partition] = performance.now() + QUIET_PARTITION_MS;
      else if (!oldest || comesBefore(reader, oldest)) oldest = reader;
    }
    if (oldest) {
      await oldest.read(buffer, records);
      if (records.count > 0) {
        pollMs = POLL_MS_MIN;
        if (signal.aborted) return;
        yield records.batch(buffer.bytes);
      } else {
        quietUntilMs[oldest.partition] = performance.now() + QUIET_PARTITION_MS;
      }
      continue;
    }
    if (readers.every((reader) => reader.done)) return;
    await pause(pollMs, signal);
    pollMs = Math.min(2 * pollMs, POLL_MS_MAX);
    quietUntilMs.fill(0);
  }
}

function comesBefore(a: PartitionReader, b: PartitionReader): boolean {
  const aMs = Number.isNaN(a.nextAppendMs) ? -Infinity : a.nextAppendMs;
  const bMs = Number.isNaN(b.nextAppendMs) ? -Infinity : b.nextAppendMs;
  return aMs === bMs ? a.shareRead < b.shareRead : aMs < bMs;
}
