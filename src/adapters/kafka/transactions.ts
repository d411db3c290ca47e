// Transactions of a producer that has its name to itself: whoever begins under the same name fences the one before,
// and what that one had not committed is undone.
import type { Message, Producer, Transaction } from 'kafkajs';
import { type KafkaConnection, kafkaClient } from './connection.js';

/** Messages in one request; kafkajs gets slow with more. */
const REQUEST_RECORDS = 2400;
/** Bytes for one partition in one request, well below the brokers' usual max.message.bytes of 1 MiB. */
const PARTITION_BYTES_MAX = 524_288;

/** A message whose topic and partition are chosen. */
export interface PlacedMessage extends Message {
  topic: string;
  partition: number;
}

export interface FencingOptions {
  connection: KafkaConnection;
  transactionalId: string;
  /** A transaction that a dead process left open is undone after so long, if nobody begins under the same name. */
  timeoutMs: number;
}

/** A connected producer; older ones of the same name are fenced, and their last transaction is settled. */
export async function fencingProducer(options: FencingOptions): Promise<Producer> {
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
  await producer.connect();
  // Its first transaction is what gives it its epoch.
  await (await producer.transaction()).abort();
  return producer;
}

/** Where a sender stands, as the offset of a consumer group: it is moved in the transaction that sends. */
export interface GroupPosition {
  group: string;
  topic: string;
  partition: number;
  offset: number;
}

/**
 * Sends all messages and moves the position, or does nothing. Gives the messages' bytes, about. Throws what kafkajs
 * throws: the producer is of no use then.
 */
export async function sendTogether(
  producer: Producer,
  messages: readonly PlacedMessage[],
  position?: GroupPosition,
): Promise<number> {
  const transaction = await producer.transaction();
  let bytes = 0;
  let request: PlacedMessage[] = [];
  const filled = new Map<string, number>();
  for (const message of messages) {
    const place = `${message.topic} ${message.partition}`;
    const size = bytesOf(message);
    const before = filled.get(place);
    const isFull = before !== undefined && before + size > PARTITION_BYTES_MAX;
    if (isFull || request.length >= REQUEST_RECORDS) {
      await send(transaction, request);
      request = [];
      filled.clear();
    }
    filled.set(place, (filled.get(place) ?? 0) + size);
    request.push(message);
    bytes += size;
  }
  await send(transaction, request);
  if (position) await move(transaction, position);
  await transaction.commit();
  return bytes;
}

async function send(transaction: Transaction, request: readonly PlacedMessage[]): Promise<void> {
  if (request.length === 0) return;
  const byTopic = new Map<string, Message[]>();
  for (const { topic, ...message } of request) {
    const messages = byTopic.get(topic);
    if (messages) messages.push(message);
    else byTopic.set(topic, [message]);
  }
  await transaction.sendBatch({
    acks: -1,
    topicMessages: [...byTopic].map(([topic, messages]) => ({ topic, messages })),
  });
}

function move(transaction: Transaction, { group, topic, partition, offset }: GroupPosition): Promise<void> {
  return transaction.sendOffsets({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  });
}

/** About: with its headers. */
function bytesOf({ key, value, headers = {} }: Message): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0) + 100;
  for (const [name, text] of Object.entries(headers)) bytes += name.length + String(text).length + 4;
  return bytes;
}
