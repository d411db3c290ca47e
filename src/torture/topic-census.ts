// What a topic holds and held, read by a consumer that knows nothing of click-agg: that against which all is held.
import { createHash } from 'node:crypto';
import { type Consumer, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { mendRequestQueue } from '../adapters/kafka/request-queue.js';

export interface PartitionCensus {
  records: number;
  firstOffset: number;
  lastOffset: number;
}

export interface Census {
  partitions: Map<number, PartitionCensus>;
  /** What each record's key and value were, by `partition:offset`. */
  bytes: Map<string, string>;
}

/** Nothing is known yet. */
export function newCensus(): Census {
  return { partitions: new Map(), bytes: new Map() };
}

/** Stands for the bytes of a key and a value. */
export function digestOf({ key, value }: Pick<KafkaMessage, 'key' | 'value'>): string {
  const hash = createHash('sha1');
  hash.update(`${key?.length ?? -1} ${value?.length ?? -1} `);
  for (const part of [key, value]) if (part) hash.update(part);
  return hash.digest('base64');
}

/** A client that keeps quiet about brokers that are killed under it. */
export function quietKafka(brokers: string): Kafka {
  mendRequestQueue();
  return new Kafka({
    brokers: [brokers],
    clientId: 'torture',
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 200, maxRetryTime: 2000 },
  });
}

/** Next offset to be written, by partition. */
export async function endsOf(brokers: string, topic: string): Promise<Map<number, number>> {
  return new Map([...(await rangesOf(brokers, topic))].map(([partition, { high }]) => [partition, high]));
}

/** Offset of the first record that is there, and of the next one to be written, by partition. */
export async function rangesOf(
  brokers: string,
  topic: string,
): Promise<Map<number, { low: number; high: number }>> {
  const admin = quietKafka(brokers).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
    );
  } finally {
    await admin.disconnect();
  }
}

/** Reads a topic from its first record to its present end; transactions that were aborted are not seen. */
export async function readWhole(
  brokers: string,
  topic: string,
  each: (partition: number, message: KafkaMessage) => void,
): Promise<void> {
  const ranges = await rangesOf(brokers, topic);
  const ends = new Map([...ranges].map(([partition, { high }]) => [partition, high]));
  const open = new Set([...ranges].filter(([, { low, high }]) => high > low).map(([partition]) => partition));
  if (open.size === 0) return;
  const groupId = `torture-census-${topic}-${Date.now()}`;
  const consumer = quietKafka(brokers).consumer({ groupId, readUncommitted: false });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await readOut(consumer, ends, open, each);
  } finally {
    await consumer.disconnect();
  }
}

function readOut(
  consumer: Consumer,
  ends: ReadonlyMap<number, number>,
  open: Set<number>,
  each: (partition: number, message: KafkaMessage) => void,
): Promise<void> {
  return new Promise((done, failed) => {
    consumer.on('consumer.crash', ({ payload }) => {
      if (!payload.restart) failed(payload.error);
    });
    // A partition that ends with control records yields no batch at its end: the fetch's own offset tells.
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      if (Number(payload.lastOffset) + 1 >= ends.get(payload.partition)!) open.delete(payload.partition);
      if (open.size === 0) done();
    });
    consumer
      .run({
        eachBatch: async ({ batch }) => {
          for (const message of batch.messages) each(batch.partition, message);
        },
      })
      .catch(failed);
  });
}

/** Adds what a topic of clicks holds now to what was known of it. */
export async function takeCensus(brokers: string, topic: string, census = newCensus()): Promise<Census> {
  const { partitions, bytes } = census;
  await readWhole(brokers, topic, (partition, message) => {
    const at = Number(message.offset);
    const known = partitions.get(partition);
    if (!known) partitions.set(partition, { records: 1, firstOffset: at, lastOffset: at });
    else if (at > known.lastOffset) {
      known.records++;
      known.lastOffset = at;
    }
    bytes.set(`${partition}:${at}`, digestOf(message));
  });
  return census;
}
