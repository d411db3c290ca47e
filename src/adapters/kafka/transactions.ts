// Transactions of a producer that has its name to itself: whoever begins under the same name fences the one before,
// and what that one had not committed is undone.
import type { Transaction } from 'kafkajs';
import { type KafkaConnection, kafkaClient } from './connection.js';
import { OutgoingBatches, type PlacedColumns, type PlacedRecord } from './produced-batches.js';

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
  sendTogether(records: readonly PlacedRecord[], position?: GroupPosition): Promise<number>;
  /** Begins a transaction that is sent bit by bit; one at a time. */
  begin(): Promise<GrowingTransaction>;
  disconnect(): Promise<void>;
}

/** Throws what kafkajs throws: its producer is of no use then. */
export interface GrowingTransaction {
  /** Sends records, which readers don't see yet, as columns: objects are not made of them. */
  send(topic: string, columns: PlacedColumns): Promise<void>;
  /** Moves the position, and all that was sent is there. */
  commit(position: GroupPosition): Promise<void>;
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
  const request = new OutgoingBatches();
  /** `fill` adds what has room; false: there is more. Gives the bytes that were sent. */
  const sendAll = async (transaction: Transaction, fill: () => boolean): Promise<number> => {
    let bytes = 0;
    for (let isAll = false; !isAll; ) {
      request.clear();
      isAll = fill();
      await request.send(transaction);
      bytes += request.bytes;
    }
    return bytes;
  };
  return {
    async sendTogether(records, position) {
      const transaction = await producer.transaction();
      let next = 0;
      const bytes = await sendAll(transaction, () => {
        while (next < records.length && request.add(records[next]!)) next++;
        return next === records.length;
      });
      if (position) await move(transaction, position);
      await transaction.commit();
      return bytes;
    },
    async begin() {
      const transaction = await producer.transaction();
      return {
        async send(topic, columns) {
          let next = 0;
          await sendAll(transaction, () => {
            next = request.addColumns(topic, columns, next);
            return next === columns.count;
          });
        },
        async commit(position) {
          await move(transaction, position);
          await transaction.commit();
        },
      };
    },
    disconnect: () => producer.disconnect(),
  };
}

function move(transaction: Transaction, { group, topic, partition, offset }: GroupPosition): Promise<void> {
  return transaction.sendOffsets({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  });
}
