// What a topic holds, read by a consumer that knows nothing of click-agg: the number against which all is held.
import { type Consumer, Kafka, type KafkaMessage, logLevel } from 'kafkajs';

export interface PartitionCensus {
  records: number;
  firstOffset: number;
  lastOffset: number;
}

/** A client that keeps quiet about brokers that are killed under it. */
export function quietKafka(brokers: string): Kafka {
  return new Kafka({
    brokers: [brokers],
    clientId: 'torture',
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 200, maxRetryTime: 2000 },
  });
}

/** Next offset to be written, by partition. */
export async function endsOf(brokers: string, topic: string): Promise<Map<number, number>> {
  const admin = quietKafka(brokers).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
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
  const ends = await endsOf(brokers, topic);
  const open = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
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

/** Counts what a topic of clicks holds. */
export async function takeCensus(brokers: string, topic: string): Promise<Map<number, PartitionCensus>> {
  const census = new Map<number, PartitionCensus>();
  await readWhole(brokers, topic, (partition, { offset }) => {
    const at = Number(offset);
    const known = census.get(partition);
    if (!known) census.set(partition, { records: 1, firstOffset: at, lastOffset: at });
    else if (at > known.lastOffset) {
      known.records++;
      known.lastOffset = at;
    }
  });
  return census;
}
