// A Kafka topic as a source: one process of a consumer group reads all partitions, stepped by append time. Where
// it reads is what it was asked for, never what the group has committed; an offset that the log doesn't have any
// more, or not yet, ends the reading with a line that says so.
import type { RawBatch } from '../../core/batches.js';
import type { Membership, Source, SourceOptions } from '../../core/ports/log.js';
import { type KafkaConnection, nameOf } from './connection.js';
import { TopicReader } from './topic-reader.js';
import { TopicView } from './topic-view.js';

export interface KafkaSourceOptions {
  connection: KafkaConnection;
  topic: string;
  /** Processes of one group share the work so that one reads and the others stand by; undefined: read alone. */
  group: string | undefined;
  /** A line for people, now and then. */
  warn: (line: string) => void;
}

export interface KafkaSource extends Source {
  /** Names cluster and topic, by what the cluster calls itself. */
  readonly identity: string;
}

/**
 * Opens a topic. Guarantee besides the source's: a record is read when it is committed and replicated (aborted
 * transactions are left out). A broker that is gone is waited for, with a warning now and then. UserError: the
 * cluster can't be reached at the start, refuses us, or has no such topic; while reading: retention has passed the
 * position, the log is shorter than it was, the topic is gone. OwnershipLostError: another process of the group reads.
 */
export async function kafkaSource(options: KafkaSourceOptions): Promise<KafkaSource> {
  const { connection, topic, group } = options;
  const view = new TopicView(connection, topic);
  const { ranges, clusterId } = await view.open().catch(async (error: unknown) => {
    await view.close();
    throw error;
  });
  const reader = new TopicReader(options, view, ranges);
  const membership: Membership = {
    active: (signal) => reader.owned(signal),
    report: (positions) => reader.report(positions),
  };
  return {
    partitionCount: ranges.size,
    seekable: true,
    description: `topic ${topic} on Kafka at ${nameOf(connection)}`,
    identity: `kafka ${clusterId} ${topic}`,
    ...(group === undefined ? {} : { membership }),
    read: (asked) => read(reader, asked),
    ends: () => reader.ends(),
    starts: () => reader.starts(),
    close: () => reader.close(),
  };
}

async function* read(reader: TopicReader, options: SourceOptions): AsyncGenerator<RawBatch> {
  const { signal } = options;
  if (!(await reader.owned(signal))) return;
  const wake = (): void => reader.wake();
  signal.addEventListener('abort', wake);
  try {
    if (!(await reader.begin(options))) return;
    while (!signal.aborted) {
      const batch = reader.next();
      if (batch) yield batch;
      else if (reader.done) return;
      else await reader.changed();
    }
  } finally {
    signal.removeEventListener('abort', wake);
    reader.end();
  }
}
