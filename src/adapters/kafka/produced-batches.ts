// Records handed to kafkajs as batches that are written already, in the place where it would encode each of its messages:
// that takes it most of the time. kafkajs has no door for this, so its encoding of produce requests is replaced for what
// comes from here; leaders, sequences, transactions and retries stay with it. It is the counterpart of fetched-batches.ts.
// (kafkajs's version is fixed in package.json for these two files' sake.)
import { createRequire } from 'node:module';
import type { Message, Producer, RecordMetadata, TopicMessages } from 'kafkajs';
import type { RawBatch } from '../../core/batches.js';
import {
  BatchWriter,
  columnSizeAtMost,
  type OutgoingRecord,
  type RecordColumns,
  sizeAtMost,
} from './batch-writer.js';

const require = createRequire(import.meta.url);
/** Versions of the produce request that know batches. They are all laid out alike. */
const VERSIONS = [3, 4, 5, 6, 7] as const;
/** Bytes for one partition in one request, well below the brokers' usual max.message.bytes of 1 MiB. */
const PARTITION_BYTES_MAX = 524_288;
/** Bytes of one request, about, however many partitions it is for. */
const REQUEST_BYTES_MAX = 8 * 1_048_576;
/** What a request has besides its batches: names and lengths, about. */
const ENVELOPE_BYTES = 1024;

/** Who can send: a producer, or a transaction of one. */
export type Sending = Pick<Producer, 'sendBatch'>;

/** A record whose topic and partition are chosen. */
export interface PlacedRecord extends OutgoingRecord {
  topic: string;
  partition: number;
}

/** Records as columns, whose partitions are chosen. */
export type PlacedColumns = RecordColumns & Pick<RawBatch, 'count' | 'partition'>;

/** Records of one request, written into their batches as they come. */
export class OutgoingBatches {
  readonly #topics = new Map<string, Map<number, BatchWriter>>();
  #bytes = 0;

  /** Of the records in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the record; false: it has no room in this request. */
  add(record: PlacedRecord): boolean {
    const batch = this.of(record.topic, record.partition);
    if (!this.#hasRoom(batch, sizeAtMost(record))) return false;
    const before = batch.size;
    batch.add(record);
    this.#bytes += batch.size - before;
    return true;
  }

  /** Adds the records of the columns from `from` on. Gives the first one that has no room in this request. */
  addColumns(topic: string, columns: PlacedColumns, from: number): number {
    const { count, partition } = columns;
    for (let i = from; i < count; i++) {
      const batch = this.of(topic, partition[i]!);
      if (!this.#hasRoom(batch, columnSizeAtMost(columns, i))) return i;
      const before = batch.size;
      batch.addColumn(columns, i);
      this.#bytes += batch.size - before;
    }
    return count;
  }

  /** A record that is too long by itself has it in an empty request. */
  #hasRoom(batch: BatchWriter, bytes: number): boolean {
    return (
      (batch.count === 0 || batch.size + bytes <= PARTITION_BYTES_MAX) && this.#bytes <= REQUEST_BYTES_MAX
    );
  }

  /** The batch for a partition. */
  of(topic: string, partition: number): BatchWriter {
    let batches = this.#topics.get(topic);
    if (!batches) {
      batches = new Map();
      this.#topics.set(topic, batches);
    }
    let batch = batches.get(partition);
    if (!batch) {
      batch = new BatchWriter();
      batches.set(partition, batch);
    }
    return batch;
  }

  /**
   * Sends everything, if there is anything, acknowledged by all replicas in sync; then it may be cleared. Throws what
   * kafkajs throws.
   */
  async send(sending: Sending): Promise<void> {
    install();
    const topicMessages: TopicMessages[] = [];
    for (const [topic, batches] of this.#topics) {
      const filled = new Map([...batches].filter(([, { count }]) => count > 0));
      if (filled.size === 0) continue;
      topicMessages.push({ topic, messages: new StandIn(filled) as unknown as Message[] });
    }
    if (topicMessages.length === 0) return;
    checkTaken(topicMessages, await sending.sendBatch({ acks: -1, topicMessages }));
  }

  clear(): void {
    this.#bytes = 0;
    for (const batches of this.#topics.values()) for (const batch of batches.values()) batch.clear();
  }
}

/** What stands for a topic's messages where kafkajs expects a list of them: it asks for nothing else. */
class StandIn {
  constructor(readonly batches: ReadonlyMap<number, BatchWriter>) {}

  /** It looks for a message that has no value. */
  find(): undefined {
    return undefined;
  }

  /** It sorts the messages by their partition. */
  reduce(): Record<number, PartitionStandIn> {
    return Object.fromEntries([...this.batches].map(([id, batch]) => [id, new PartitionStandIn(batch)]));
  }
}

/** And for those of a partition: by their number it reckons the sequence. */
class PartitionStandIn {
  readonly length: number;
  constructor(readonly batch: BatchWriter) {
    this.length = batch.count;
  }
}

/** kafkajs leaves out what is for a partition that its view of the cluster doesn't have, and says nothing of it. */
function checkTaken(topicMessages: readonly TopicMessages[], taken: readonly RecordMetadata[]): void {
  for (const { topic, messages } of topicMessages) {
    for (const partition of (messages as unknown as StandIn).batches.keys()) {
      if (taken.some((one) => one.topicName === topic && one.partition === partition)) continue;
      throw new UnknownPartition(topic, partition);
    }
  }
}

class UnknownPartition extends Error {
  override name = 'KafkaJSMetadataNotLoaded';
  constructor(topic: string, partition: number) {
    super(`the brokers don't know partition ${partition} of topic ${topic}`);
  }
}

// ---------------------------------------------------------------------------------- in kafkajs's place

/** What of kafkajs's encoder is used here. */
interface WireEncoder {
  writeString(text: string | null): WireEncoder;
  writeInt16(value: number): WireEncoder;
  writeInt32(value: number): WireEncoder;
  writeBuffer(bytes: Buffer): WireEncoder;
}

interface ProduceFields {
  acks: number;
  timeout: number;
  transactionalId?: string | null;
  /** A number, or its digits. */
  producerId: number | string;
  producerEpoch: number;
  topicData: readonly TopicData[];
}

interface TopicData {
  topic: string;
  partitions: readonly { partition: number; firstSequence: number; messages: unknown }[];
}

type RequestOf = (fields: ProduceFields) => { encode(): Promise<WireEncoder> };

let isInstalled = false;

function install(): void {
  if (isInstalled) return;
  isInstalled = true;
  for (const version of VERSIONS) {
    const path = require.resolve(`kafkajs/src/protocol/requests/produce/v${version}/request.js`);
    const original = require(path) as RequestOf;
    const replaced: RequestOf = (fields) =>
      isOurs(fields)
        ? { ...original({ ...fields, topicData: [] }), encode: async () => encoded(fields) }
        : original(fields);
    require.cache[path]!.exports = replaced;
  }
}

function isOurs({ topicData }: ProduceFields): boolean {
  return topicData.some(({ partitions }) =>
    partitions.some(({ messages }) => messages instanceof PartitionStandIn),
  );
}

/** https://kafka.apache.org/protocol#The_Messages_Produce */
function encoded(fields: ProduceFields): WireEncoder {
  const { acks, timeout, transactionalId = null, topicData } = fields;
  const Encoder = require('kafkajs/src/protocol/encoder.js') as new (bytes: number) => WireEncoder;
  const encoder = new Encoder(sizeOf(topicData));
  encoder.writeString(transactionalId).writeInt16(acks).writeInt32(timeout).writeInt32(topicData.length);
  for (const { topic, partitions } of topicData) {
    encoder.writeString(topic).writeInt32(partitions.length);
    for (const { partition, firstSequence, messages } of partitions) {
      const bytes = (messages as PartitionStandIn).batch.seal({
        producerId: BigInt(fields.producerId),
        producerEpoch: fields.producerEpoch,
        firstSequence,
        isTransactional: transactionalId !== null,
      });
      encoder.writeInt32(partition).writeInt32(bytes.length).writeBuffer(bytes);
    }
  }
  return encoder;
}

function sizeOf(topicData: readonly TopicData[]): number {
  let bytes = ENVELOPE_BYTES;
  for (const { partitions } of topicData)
    for (const { messages } of partitions) bytes += (messages as PartitionStandIn).batch.size;
  return bytes;
}
