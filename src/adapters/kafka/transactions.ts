// Transactions of a producer that has its name to itself: whoever begins under the same name fences the one before,
// and what that one had not committed is undone.
import type { Transaction } from 'kafkajs';
import {
  type BatchWriter,
  columnSizeAtMost,
  type OutgoingRecord,
  type RecordColumns,
  sizeAtMost,
} from './batch-writer.js';
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

/** Records of one topic, as columns. */
export interface PlacedColumns {
  topic: string;
  count: number;
  columns: RecordColumns;
  /** The partition of record `i`. */
  partitionOf(i: number): number;
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
  /** The same for records as columns, which are not made objects of. */
  sendColumns(records: PlacedColumns, position: GroupPosition): Promise<number>;
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
  const together = async (
    fill: (requests: Requests) => Promise<void>,
    position: GroupPosition | undefined,
  ): Promise<number> => {
    const transaction = await producer.transaction();
    const requests = new Requests(transaction, batches);
    await fill(requests);
    await requests.send();
    if (position) await move(transaction, position);
    await transaction.commit();
    return requests.sentBytes;
  };
  return {
    sendTogether: (records, position) => together((requests) => fillOneByOne(requests, records), position),
    sendColumns: (records, position) => together((requests) => fillByColumns(requests, records), position),
    disconnect: () => producer.disconnect(),
  };
}

/** As many requests as it takes, one after the other. */
class Requests {
  /** Of records, in requests that were sent. */
  sentBytes = 0;
  #bytes = 0;

  constructor(
    private readonly transaction: Transaction,
    private readonly batches: OutgoingBatches,
  ) {
    batches.clear();
  }

  /** The batch for a partition in this request. */
  of(topic: string, partition: number): BatchWriter {
    return this.batches.of(topic, partition);
  }

  /** Whether the request has to be sent before so many bytes are added to the batch. */
  isFull(batch: BatchWriter, bytes: number): boolean {
    return (batch.count > 0 && batch.size + bytes > PARTITION_BYTES_MAX) || this.#bytes > REQUEST_BYTES_MAX;
  }

  /** So many were added. */
  added(bytes: number): void {
    this.#bytes += bytes;
  }

  async send(): Promise<void> {
    await this.batches.send(this.transaction);
    this.batches.clear();
    this.sentBytes += this.#bytes;
    this.#bytes = 0;
  }
}

async function fillOneByOne(requests: Requests, records: Iterable<PlacedRecord>): Promise<void> {
  for (const record of records) {
    const batch = requests.of(record.topic, record.partition);
    if (requests.isFull(batch, sizeAtMost(record))) await requests.send();
    const before = batch.size;
    batch.add(record);
    requests.added(batch.size - before);
  }
}

async function fillByColumns(
  requests: Requests,
  { topic, count, columns, partitionOf }: PlacedColumns,
): Promise<void> {
  const batches: BatchWriter[] = [];
  for (let i = 0; i < count; i++) {
    const partition = partitionOf(i);
    const batch = batches[partition] ?? requests.of(topic, partition);
    batches[partition] = batch;
    if (requests.isFull(batch, columnSizeAtMost(columns, i))) await requests.send();
    const before = batch.size;
    batch.addColumn(columns, i);
    requests.added(batch.size - before);
  }
}

function move(transaction: Transaction, { group, topic, partition, offset }: GroupPosition): Promise<void> {
  return transaction.sendOffsets({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  });
}
