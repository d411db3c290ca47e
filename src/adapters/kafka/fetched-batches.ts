// Fetched records as the batches that came, in the place where kafkajs makes an object of every record: that takes it
// most of the time, and our columns are filled from the bytes in a third of it. kafkajs has no door for this, so its
// decoding of fetch responses is replaced, for those consumers alone that are run by `runFetching`. It decides,
// too, what a reader may see: marks of transactions and what aborted ones wrote stay in the list, so that places in the
// log can be followed over them, but are not `visible`. (kafkajs's version is fixed in package.json for this file's sake.)
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import type { Batch, Consumer, EachBatchPayload } from 'kafkajs';
import { batchesIn, type RecordBatch, RecordReader } from './record-batch.js';

const require = createRequire(import.meta.url);
/** Versions of the fetch response that know batches; what later ones added. */
const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11] as const;
const WITH_LOG_START = 5;
const WITH_SESSION = 7;
const WITH_REPLICA = 11;
/** Version, then the kind of mark: a transaction was aborted. */
const ABORT_MARK = Buffer.from([0, 0, 0, 0]);

export interface FetchedBatch extends RecordBatch {
  /** False: the mark of a transaction, or written in one that was aborted. */
  visible: boolean;
}

/** What of kafkajs's decoder is used here. */
interface WireDecoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readString(): string;
  readBytes(length: number): Buffer;
  readArray<T>(read: (decoder: WireDecoder) => T): T[];
  readArrayAsync<T>(read: (decoder: WireDecoder) => Promise<T>): Promise<T[]>;
}

/** What stands for a whole batch where kafkajs expects a message: it looks at nothing but the offset. */
interface StandIn {
  offset: string;
  isControlRecord: false;
  batched: FetchedBatch;
}

interface ResponseModule {
  decode(bytes: Buffer): Promise<unknown>;
}

const scope = new AsyncLocalStorage<true>();
let isInstalled = false;

/** What kafkajs's types leave out: the offset that this batch was asked for. */
type AskedBatch = Batch & { fetchedOffset: string };

/** Runs a consumer so that its batches hold batches, to be read by `batchesOf`; what was read is for `take` to resolve. */
export function runFetching(
  consumer: Consumer,
  take: (payload: EachBatchPayload) => Promise<void>,
): Promise<void> {
  if (!isInstalled) install();
  isInstalled = true;
  return scope.run(true, () =>
    consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: take }),
  );
}

/** The offset that the batch was asked for. */
export function askedOffset(batch: Batch): number {
  return Number((batch as AskedBatch).fetchedOffset);
}

/** The batches of a consumer that was started so; records of the first may lie before what was asked for. */
export function batchesOf(batch: Batch): FetchedBatch[] {
  return (batch.messages as unknown as readonly StandIn[]).map(({ batched }) => batched);
}

function install(): void {
  for (const version of VERSIONS) {
    const module = require(`kafkajs/src/protocol/requests/fetch/v${version}/response.js`) as ResponseModule;
    const original = module.decode;
    module.decode = (bytes) => (scope.getStore() ? decodeResponse(bytes, version) : original(bytes));
  }
}

/** https://kafka.apache.org/protocol#The_Messages_Fetch */
async function decodeResponse(bytes: Buffer, version: number): Promise<unknown> {
  const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => WireDecoder;
  const decoder = new Decoder(bytes);
  const throttleTime = decoder.readInt32();
  const session =
    version >= WITH_SESSION ? { errorCode: decoder.readInt16(), sessionId: decoder.readInt32() } : {};
  const responses = await decoder.readArrayAsync(async (topic) => ({
    topicName: topic.readString(),
    partitions: await topic.readArrayAsync((partition) => decodePartition(partition, version)),
  }));
  return { throttleTime: 0, clientSideThrottleTime: throttleTime, ...session, responses };
}

async function decodePartition(decoder: WireDecoder, version: number): Promise<unknown> {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const highWatermark = decoder.readInt64().toString();
  const lastStableOffset = decoder.readInt64().toString();
  const lastStartOffset = version >= WITH_LOG_START ? decoder.readInt64().toString() : undefined;
  const aborted = decoder.readArray((transaction) => ({
    producerId: transaction.readInt64(),
    firstOffset: Number(transaction.readInt64()),
  }));
  const preferredReadReplica = version >= WITH_REPLICA ? decoder.readInt32() : undefined;
  const length = decoder.readInt32();
  const batches: FetchedBatch[] = [];
  for (const batch of length > 0 ? batchesIn(decoder.readBytes(length)) : []) {
    batches.push({ ...batch, visible: true, ...(batch.codec === 0 ? {} : await unpacked(batch)) });
  }
  hideUnseen(batches, aborted);
  return {
    ...{ partition, errorCode, highWatermark, lastStableOffset, lastStartOffset, preferredReadReplica },
    abortedTransactions: [],
    messages: batches.map(standIn),
  };
}

function standIn(batched: FetchedBatch): StandIn {
  return { offset: String(batched.lastOffset), isControlRecord: false, batched };
}

async function unpacked({ bytes, codec }: RecordBatch): Promise<Pick<RecordBatch, 'bytes'>> {
  const { default: kafkajs } = await import('kafkajs');
  const packing = (kafkajs.CompressionCodecs as Readonly<Record<number, () => Codec>>)[codec];
  // Of a number that nobody knows kafkajs would take the records as they are.
  if (!packing)
    throw new kafkajs.KafkaJSNonRetriableError(`records are packed by codec ${codec}, which nobody knows`);
  return { bytes: await packing().decompress(bytes) };
}

interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>;
}

interface Aborted {
  producerId: bigint;
  firstOffset: number;
}

/** A transaction that was aborted reaches from its first offset to its producer's next mark. */
function hideUnseen(batches: readonly FetchedBatch[], aborted: readonly Aborted[]): void {
  const coming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const running = new Set<bigint>();
  for (const batch of batches) {
    while (coming.length > 0 && coming[0]!.firstOffset <= batch.lastOffset)
      running.add(coming.shift()!.producerId);
    if (batch.isControl) {
      batch.visible = false;
      if (isAbortMark(batch)) running.delete(batch.producerId);
    } else batch.visible = !(batch.isTransactional && running.has(batch.producerId));
  }
}

function isAbortMark(batch: RecordBatch): boolean {
  const mark = new RecordReader(batch);
  return mark.next() && (mark.key?.equals(ABORT_MARK) ?? false);
}
