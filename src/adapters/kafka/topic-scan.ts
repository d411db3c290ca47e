// Reads given ranges of offsets of a topic, outside of any group that others know: to look records up, and to see
// what a topic holds. kafkajs reads as a member of a group only, so this is a group of one that leaves no trace.
import { randomUUID } from 'node:crypto';
import type { Batch, Consumer, EachBatchPayload } from 'kafkajs';
import { disconnect } from './closing.js';
import { type KafkaConnection, kafkaClient } from './connection.js';
import { askedOffset, batchesOf, runFetching } from './fetched-batches.js';
import { RecordReader } from './record-batch.js';
import { TopicView } from './topic-view.js';
import { kafkaError, rootCause } from './world-errors.js';

/** Offsets `[from, to)`. */
export interface OffsetRange {
  from: number;
  to: number;
}

/** A range for each offset. */
export function singles(offsets: Iterable<number>): OffsetRange[] {
  return [...offsets].sort((a, b) => a - b).map((offset) => ({ from: offset, to: offset + 1 }));
}

export type RangesByPartition = ReadonlyMap<number, readonly OffsetRange[]>;

const FETCH_WAIT_MS = 50;
/** Ranges so near each other are read by one fetch, with what lies between them. */
const GAP_MAX = 1000;
/** Ranges are often short and far apart: what lies behind them is fetched in vain. */
const FETCH_PARTITION_BYTES = 262_144;
/** Nothing came for so long: the way to the brokers is taken for broken. */
const SILENT_MS = 30_000;
const JOIN_WAIT_MS = 60_000;
const LOADING = 'GROUP_LOAD_IN_PROGRESS';
const HEARTBEATS_A_SESSION = 4;

/** A record of a topic, with bytes of its own. */
export interface ScannedRecord {
  offset: number;
  /** Epoch ms; negative: none. */
  timeMs: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Readonly<Record<string, string | undefined>>;
}

/** A partition's ranges that are still to be read, the first of them from `next` on. */
interface Lane {
  ranges: OffsetRange[];
  next: number;
}

export interface TopicScan {
  /** Where each partition begins and ends now (by committed transactions). */
  ends(): ReturnType<TopicView['ranges']>;
  /**
   * Hands over the committed records of the ranges (ascending, apart from each other), in order within a partition.
   * What the topic does not hold any more is left out. One reading at a time. Throws what kafkajs throws, or
   * UnknownTopic; then the scan is of no use any more.
   */
  read(ranges: RangesByPartition, take: (partition: number, record: ScannedRecord) => void): Promise<void>;
  close(): Promise<void>;
}

/** Opens a topic to look into it. UserError: the cluster can't be reached or refuses us, or has no such topic. */
export async function openTopicScan(connection: KafkaConnection, topic: string): Promise<TopicScan> {
  const scan = new Scan(connection, topic);
  try {
    await scan.open();
    return scan;
  } catch (error) {
    await scan.close();
    throw kafkaError(error, connection, topic);
  }
}

class Scan implements TopicScan {
  readonly #view: TopicView;
  readonly #lanes = new Map<number, Lane>();
  #consumer: Consumer | undefined;
  #take: (partition: number, record: ScannedRecord) => void = () => {};
  #hasJoined = false;
  #failure: Error | undefined;
  #heardAtMs = 0;
  /** Lets whoever waits look again. */
  #changed: () => void = () => {};

  constructor(
    private readonly connection: KafkaConnection,
    private readonly topic: string,
  ) {
    this.#view = new TopicView(connection, topic);
  }

  async open(): Promise<void> {
    await this.#view.open();
    const kafka = await kafkaClient(this.connection, { retries: 3 });
    const { sessionTimeoutMs: sessionTimeout } = this.connection;
    const consumer = kafka.consumer({
      groupId: `click-agg-scan-${randomUUID()}`,
      sessionTimeout,
      heartbeatInterval: Math.floor(sessionTimeout / HEARTBEATS_A_SESSION),
      maxBytesPerPartition: FETCH_PARTITION_BYTES,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: {
        ...{ retries: 20, initialRetryTime: 100, maxRetryTime: 1000 },
        // A broker that has just started loads its groups for a while.
        restartOnFailure: async (error) => !this.#hasJoined && rootCause(error).type === LOADING,
      },
    });
    this.#consumer = consumer;
    const { GROUP_JOIN, CRASH } = consumer.events;
    const joined = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new NoAnswer()), JOIN_WAIT_MS);
      consumer.on(GROUP_JOIN, () => {
        clearTimeout(timer);
        this.#hasJoined = true;
        consumer.pause([{ topic: this.topic }]);
        for (const partition of this.#lanes.keys()) this.#seek(partition);
        resolve();
      });
      consumer.on(CRASH, ({ payload }) => {
        if (payload.restart) return;
        clearTimeout(timer);
        this.#fail(payload.error);
        reject(payload.error);
      });
    });
    await consumer.connect();
    await consumer.subscribe({ topic: this.topic, fromBeginning: true });
    await runFetching(consumer, (payload) => this.#fetched(payload));
    await joined;
  }

  ends(): ReturnType<TopicView['ranges']> {
    return this.#view.ranges();
  }

  async read(
    ranges: RangesByPartition,
    take: (partition: number, record: ScannedRecord) => void,
  ): Promise<void> {
    const ends = await this.ends();
    this.#take = take;
    for (const [partition, wanted] of ranges) {
      const { low, high } = ends.get(partition) ?? { low: 0, high: 0 };
      const held = wanted
        .map(({ from, to }) => ({ from: Math.max(from, low), to: Math.min(to, high) }))
        .filter(({ from, to }) => from < to);
      if (held.length === 0) continue;
      this.#lanes.set(partition, { ranges: held, next: held[0]!.from });
      this.#seek(partition);
    }
    this.#heardAtMs = performance.now();
    while (this.#lanes.size > 0) {
      if (this.#failure) throw this.#failure;
      if (performance.now() - this.#heardAtMs > SILENT_MS) throw new NoAnswer();
      await this.#change();
    }
  }

  async close(): Promise<void> {
    this.#failure ??= new Error('the scan is closed');
    this.#changed();
    await this.#view.close();
    // A broker that is away finds out by the session's end.
    await disconnect(this.#consumer);
  }

  #seek(partition: number): void {
    const lane = this.#lanes.get(partition)!;
    this.#consumer!.seek({ topic: this.topic, partition, offset: String(lane.next) });
    this.#consumer!.resume([{ topic: this.topic, partitions: [partition] }]);
  }

  async #fetched({ batch, isStale, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const { partition } = batch;
    const lane = this.#lanes.get(partition);
    const from = askedOffset(batch);
    if (!lane || isStale()) return;
    if (from !== lane.next) {
      // Asked for before we sought, or retention has taken what was to be read.
      const low = (await this.ends()).get(partition)?.low ?? 0;
      if (low > lane.next) this.#advance(partition, low);
      if (this.#lanes.has(partition)) this.#seek(partition);
      return;
    }
    this.#takeWanted(batch, lane.ranges);
    const last = batch.lastOffset();
    resolveOffset(last);
    this.#advance(partition, Number(last) + 1);
    await heartbeat();
  }

  /** Hands over what lies in the ranges; what doesn't is not even looked at where a whole batch lies outside. */
  #takeWanted(batch: Batch, ranges: readonly OffsetRange[]): void {
    let at = 0;
    for (const records of batchesOf(batch)) {
      while (at < ranges.length && ranges[at]!.to <= records.baseOffset) at++;
      if (at === ranges.length) return;
      if (!records.visible || records.lastOffset < ranges[at]!.from) continue;
      const reader = new RecordReader(records);
      let within = at;
      while (reader.next()) {
        const { offset } = reader;
        while (within < ranges.length && ranges[within]!.to <= offset) within++;
        if (within === ranges.length) break;
        if (offset < ranges[within]!.from) continue;
        this.#take(batch.partition, recordAt(reader));
      }
    }
  }

  /** All below `next` has been seen. */
  #advance(partition: number, next: number): void {
    const lane = this.#lanes.get(partition)!;
    this.#heardAtMs = performance.now();
    while (lane.ranges.length > 0 && lane.ranges[0]!.to <= next) lane.ranges.shift();
    const [range] = lane.ranges;
    if (!range) {
      this.#consumer!.pause([{ topic: this.topic, partitions: [partition] }]);
      this.#lanes.delete(partition);
      this.#changed();
      return;
    }
    lane.next = range.from - next > GAP_MAX ? range.from : next;
    if (lane.next > next) this.#seek(partition);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function recordAt(reader: RecordReader): ScannedRecord {
  const { offset, timeMs, key, value } = reader;
  // Copies: whoever keeps one record must not keep everything that came with it.
  return {
    ...{ offset, timeMs, headers: reader.headers() },
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
  };
}

/** The brokers were silent for too long. */
class NoAnswer extends Error {
  override name = 'KafkaJSRequestTimeoutError';
  constructor() {
    super('no answer in time');
  }
}
