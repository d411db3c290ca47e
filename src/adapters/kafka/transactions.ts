// Transactions of a producer that has its name to itself: whoever begins under the same name fences the one before,
// and what that one had not committed is undone.
import type { Transaction } from 'kafkajs';
import { type OutgoingRecord, sizeAtMost } from './batch-writer.js';
import { type KafkaConnection, kafkaClient } from './connection.js';
import { OutgoingBatches } from './produced-batches.js';

/** Bytes for one partition in one request, well below the brokers' usual max.message.bytes of 1 MiB. */
const PARTITION_BYTES_MAX = 524_288;
/** Bytes of one request, about, however many partitions it is for. */
const REQUEST_BYTES_MAX = 8 * 1_048_576;

/** A record whose topic and partition are chosen. */
export interface PlacedRecord extends OutgoingRecord {
  topic: string;
  partition: number;
}

export interface FencingOptions {
  connection: KafkaConnection;
  transactionalId: string;
  /** A transaction that a dead process left open is undone after so long, if nobody begins under the same name. */
  timeoutMs: number;
}

/** Where a sender stands, as the offset of a consumer group: it is moved in the transaction that sends. */
export interface GroupPosition {
  group: string;
  topic: string;
  partition: number;
  offset: number;
}

export interface FencingProducer {
  /**
   * Sends all records and moves the position, or does nothing. Gives the records' bytes. Throws what kafkajs throws: the
   * producer is of no use then. One call at a time.
   */
  sendTogether(records: Iterable<PlacedRecord>, position?: GroupPosition): Promise<number>;
  disconnect(): Promise<void>;
}

/** A connected producer; older ones of the same name are fenced, and their last transaction is settled. */
export async function fencingProducer(options: FencingOptions): Promise<FencingProducer> {
  const { connection, transactionalId, timeoutMs } = options;
  const kafka = await kafkaClient(connection, { retries: 5 });
  const { default: kafkajs } = await import('kafkajs');
  const producer = kafka.producer({
    ...{
      transactionalId,
      transactionTimeout: timeoutMs,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // The brokers end a transaction a few ms after they have said so, and refuse the next one until then: with
      // kafkajs's usual first wait there were three transactions a second.
      retry: { initialRetryTime: 20, maxRetryTime: 5000, retries: 8 },
    },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  try {
    await producer.connect();
    // Its first transaction is what gives it its epoch.
    await (await producer.transaction()).abort();
  } catch (error) {
    // Nobody else can: its connection would keep the process alive.
    await producer.disconnect().catch(() => undefined);
    throw error;
  }
  const batches = new OutgoingBatches();
  return {
    async sendTogether(records, position) {
      const transaction = await producer.transaction();
      const bytes = await sendAll(transaction, batches, records);
      if (position) await move(transaction, position);
      await transaction.commit();
      return bytes;
    },
    disconnect: () => producer.disconnect(),
  };
}

/** In as many requests as it takes. Gives the records' bytes. */
async function sendAll(
  transaction: Transaction,
  batches: OutgoingBatches,
  records: Iterable<PlacedRecord>,
): Promise<number> {
  let sentBytes = 0;
  let bytes = 0;
  batches.clear();
  for (const record of records) {
    const batch = batches.of(record.topic, record.partition);
    const isFull = batch.count > 0 && batch.size + sizeAtMost(record) > PARTITION_BYTES_MAX;
    if (isFull || bytes > REQUEST_BYTES_MAX) {
      await batches.send(transaction);
      batches.clear();
      sentBytes += bytes;
      bytes = 0;
    }
    const before = batch.size;
    batch.add(record);
    bytes += batch.size - before;
  }
  await batches.send(transaction);
  return sentBytes + bytes;
}

function move(transaction: Transaction, { group, topic, partition, offset }: GroupPosition): Promise<void> {
  return transaction.sendOffsets({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  });
}
