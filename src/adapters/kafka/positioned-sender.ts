// Sends records of a log to a topic, each exactly once: a transaction holds the records and the position behind them,
// as the offset of a consumer group that has no members. Whoever opens a sender of the same id fences the one before,
// whose last transaction is settled then; what the group says afterwards is what the topic holds.
import type { Admin } from 'kafkajs';
import type { RawBatch } from '../../core/batches.js';
import { murmur2, partitionOf } from '../../core/murmur2.js';
import { closingBy, disconnect } from './closing.js';
import { type KafkaConnection, kafkaClient } from './connection.js';
import { TopicView } from './topic-view.js';
import {
  type FencingProducer,
  fencingProducer,
  type GroupPosition,
  type GrowingTransaction,
} from './transactions.js';

/**
 * A transaction takes half a second. Readers wait for the end of one that a process left behind when it died
 * and was not started again, so it shouldn't be long.
 */
const TRANSACTION_MS = 20_000;

export interface PositionedSenderOptions {
  connection: KafkaConnection;
  topic: string;
  /** Transactional id and consumer group: those of this log alone. */
  id: string;
  /** Aborted: connections are closed at once, and whatever waits for an answer fails. */
  signal: AbortSignal;
}

export interface PositionedSender {
  /** Behind the last record that is in the topic; undefined: the cluster doesn't know, or not any more. */
  readonly position: number | undefined;
  /** Puts records into the topic; readers see them once they are committed. Throws what kafkajs throws: close it then. */
  send(batch: RawBatch): Promise<void>;
  /** Makes what was sent since the last commit visible and moves the position, both or neither. Throws like `send`. */
  commit(position: number): Promise<void>;
  close(): Promise<void>;
}

/** Fences older senders of the id and finds where to go on. Throws what kafkajs throws, UnknownTopic, or UserErrors. */
export async function openPositionedSender(options: PositionedSenderOptions): Promise<PositionedSender> {
  const { connection, topic, id, signal } = options;
  const view = new TopicView(connection, topic);
  let producer: FencingProducer | undefined;
  let admin: Admin | undefined;
  let transaction: GrowingTransaction | undefined;
  const close = closingBy(signal, async () => {
    await view.close();
    await disconnect(admin);
    // What was not committed is undone by whoever comes next.
    await disconnect(producer);
  });
  try {
    const partitions = (await view.ranges()).size;
    producer = await fencingProducer({ connection, transactionalId: id, timeoutMs: TRANSACTION_MS });
    const place = { group: id, topic, partition: 0 };
    admin = (await kafkaClient(connection, { retries: 5 })).admin();
    await admin.connect();
    const position = await committed(admin, place);
    await admin.disconnect();
    return {
      position,
      async send(batch) {
        transaction ??= await producer!.begin();
        await transaction.send(topic, { ...batch, partition: partitionsOf(batch, partitions) });
      },
      async commit(offset) {
        await transaction?.commit({ ...place, offset });
        transaction = undefined;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function committed(
  admin: Admin,
  { group, topic, partition }: Omit<GroupPosition, 'offset'>,
): Promise<number | undefined> {
  const topics = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  const found = topics[0]?.partitions.find((one) => one.partition === partition);
  const offset = Number(found?.offset ?? -1);
  return offset < 0 ? undefined : offset;
}

/** As Kafka's default partitioner has them; a record without a key goes to the first: nothing says where it belongs. */
function partitionsOf({ count, bytes, keyStart, keyEnd }: RawBatch, partitions: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => {
    const start = keyStart?.[i] ?? -1;
    return start < 0 ? 0 : partitionOf(murmur2(bytes, start, keyEnd![i]!), partitions);
  });
}
