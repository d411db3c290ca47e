// This process as a member of a consumer group in which one member reads everything: joins, learns whether it is
// the one, hands over what is fetched, keeps its membership while the reader is slow, and comes back when the
// broker does. Positions are the caller's: the group's committed offsets are written for lag tools, never read.
import { randomUUID } from 'node:crypto';
import type { Consumer, ConsumerCrashEvent, EachBatchPayload } from 'kafkajs';
import type { Positions } from '../../core/ports/log.js';
import type { UserError } from '../../errors.js';
import { RepeatedWarning } from '../../repeated-warning.js';
import { type KafkaConnection, kafkaClient, nameOf } from './connection.js';
import { askedOffset, batchesOf, type FetchedBatch, runFetching } from './fetched-batches.js';
import { oneOwnerAssigner } from './one-owner-assigner.js';
import { isWorldly, lastingError, troubleOf } from './world-errors.js';

const FETCH_BYTES_MAX = 8 * 1_048_576;
const FETCH_PARTITION_BYTES_MAX = 1_048_576;
/** The broker answers when it has so much, or after so long: few large answers instead of many small ones. */
const FETCH_BYTES_MIN = 65_536;
const FETCH_WAIT_MS = 100;
/** Added partitions are noticed within this. */
const METADATA_AGE_MS = 5000;
const REJOIN_MS = 1000;
/** A consumer from which nothing was heard for so long, as happens after some failures, is replaced. */
const SILENT_MS = 60_000;
const LEAVE_MS = 5000;
const HEARTBEATS_A_SESSION = 4;

export interface Fetched {
  partition: number;
  /** The offset that was asked for. */
  from: number;
  /** Offset behind the last record, marks of transactions included. */
  next: number;
  /** The partition's end, as the broker said. */
  end: number;
  /** What it holds; records of the first may lie before `from`. */
  batches: readonly FetchedBatch[];
}

/** Whoever reads: is told by the member what happens, in order. */
export interface GroupReader {
  /** All partitions are this process's. To be answered with `seek` for each before anything is fetched. */
  assigned(partitions: readonly number[]): void;
  /** Another process has them. */
  lost(): void;
  /** False: it was not taken, and fetching goes on where it was told to. */
  fetched(fetched: Fetched): Promise<boolean>;
  /** Whether fetching should wait for the reader. */
  full(): boolean;
  /** Resolves when that may have changed, or after `ms`. */
  changed(ms: number): Promise<void>;
  failed(error: unknown): void;
}

export interface GroupMemberOptions {
  connection: KafkaConnection;
  topic: string;
  /** Undefined: a group of its own, that nobody else joins. */
  group: string | undefined;
  warn: (line: string) => void;
  /** What is told of a cluster that is not to be had. */
  trouble: RepeatedWarning;
  reader: GroupReader;
}

export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #group: string;
  readonly #waitingSinceMs = Date.now();
  readonly #trouble: RepeatedWarning;
  readonly #commitTrouble: RepeatedWarning;
  #consumer: Consumer | undefined;
  #running: Promise<void> | undefined;
  #closing = false;
  #owned = false;
  #ownedAtMs = 0;
  #heardAtMs = 0;
  #committing = false;
  /** The present consumer has joined: before that it can't commit. */
  #isIn = false;
  /** Ends the present consumer's time, with why. */
  #endConsumer: (error: unknown) => void = () => {};

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#group = options.group ?? `click-agg-reader-${randomUUID()}`;
    this.#trouble = options.trouble;
    this.#commitTrouble = new RepeatedWarning(options.warn);
  }

  /** Joins the group and stays in it until `close`. */
  start(): void {
    this.#running ??= this.#stayInGroup();
  }

  seek(partition: number, offset: number): void {
    this.#consumer?.seek({ topic: this.#options.topic, partition, offset: String(offset) });
  }

  pause(partition?: number): void {
    this.#consumer?.pause([this.#of(partition)]);
  }

  resume(partition?: number): void {
    this.#consumer?.resume([this.#of(partition)]);
  }

  /** Writes the group's offsets, for lag tools. What fails now is made good by the next call. */
  async commit(positions: Positions): Promise<void> {
    const { topic } = this.#options;
    if (!this.#owned || !this.#isIn || this.#committing || positions.size === 0) return;
    this.#committing = true;
    try {
      await this.#consumer!.commitOffsets(
        [...positions].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
      );
      this.#commitTrouble.over();
    } catch (error) {
      if (!isWorldly(error)) throw error;
      this.#commitTrouble.say(
        `the offsets of group ${this.#group} could not be written: ${troubleOf(error)}`,
      );
    } finally {
      this.#committing = false;
    }
  }

  /** Leaves the group, so that another member takes over at once. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#endConsumer(undefined);
    await this.#running;
  }

  #of(partition: number | undefined): { topic: string; partitions?: number[] } {
    const { topic } = this.#options;
    return partition === undefined ? { topic } : { topic, partitions: [partition] };
  }

  // ---------------------------------------------------------------------------------------- staying in it

  /** One consumer after the other: kafkajs's own restarts don't always come back. */
  async #stayInGroup(): Promise<void> {
    const { connection, reader, topic } = this.#options;
    while (!this.#closing) {
      const trouble = await this.#oneConsumer();
      if (this.#closing) break;
      const lasting: UserError | undefined = lastingError(trouble, connection, topic);
      if (lasting || !isWorldly(trouble)) {
        reader.failed(lasting ?? trouble);
        return;
      }
      this.#trouble.say(
        `Kafka at ${nameOf(connection)} is not to be had (${troubleOf(trouble)}): trying again`,
      );
      await new Promise((resolve) => setTimeout(resolve, REJOIN_MS));
    }
  }

  /** Runs a consumer until something ends it; returns what. */
  async #oneConsumer(): Promise<unknown> {
    const ended = new Promise<unknown>((resolve) => {
      this.#endConsumer = resolve;
    });
    let consumer: Consumer | undefined;
    const watch = setInterval(() => this.#watch(), 1000);
    try {
      consumer = await this.#newConsumer();
      this.#consumer = consumer;
      this.#heard();
      await consumer.connect();
      await consumer.subscribe({ topic: this.#options.topic, fromBeginning: true });
      await runFetching(consumer, (payload) => this.#take(payload));
      return await ended;
    } catch (error) {
      return error;
    } finally {
      clearInterval(watch);
      this.#consumer = undefined;
      this.#isIn = false;
      if (consumer) await this.#leave(consumer);
    }
  }

  /** Says goodbye, if there is somebody to say it to: else the broker finds out by the session's end. */
  async #leave(consumer: Consumer): Promise<void> {
    const left = consumer.disconnect().catch((error: unknown) => {
      if (!isWorldly(error)) this.#options.reader.failed(error);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MS);
    });
    await Promise.race([left, late]);
    clearTimeout(timer);
  }

  async #newConsumer(): Promise<Consumer> {
    const { connection } = this.#options;
    const kafka = await kafkaClient(connection, { retries: 1 });
    const sessionTimeout = connection.sessionTimeoutMs;
    const assigner = await oneOwnerAssigner(() => ({
      ownedAtMs: this.#ownedAtMs,
      waitingSinceMs: this.#waitingSinceMs,
    }));
    const consumer = kafka.consumer({
      groupId: this.#group,
      partitionAssigners: [assigner],
      sessionTimeout,
      rebalanceTimeout: sessionTimeout,
      heartbeatInterval: Math.floor(sessionTimeout / HEARTBEATS_A_SESSION),
      maxBytes: FETCH_BYTES_MAX,
      maxBytesPerPartition: FETCH_PARTITION_BYTES_MAX,
      minBytes: FETCH_BYTES_MIN,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      metadataMaxAge: METADATA_AGE_MS,
      allowAutoTopicCreation: false,
      // Of joining and fetching. Within each attempt the client tries again by itself; beyond it, we do.
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 1000, restartOnFailure: async () => false },
    });
    const { GROUP_JOIN, HEARTBEAT, FETCH, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) =>
      this.#joined(payload.memberAssignment[this.#options.topic] ?? []),
    );
    consumer.on(HEARTBEAT, () => this.#confirmed());
    consumer.on(FETCH, () => this.#heard());
    consumer.on(CRASH, ({ payload }: ConsumerCrashEvent) => this.#endConsumer(payload.error));
    return consumer;
  }

  /** Called by kafkajs in the same breath as the assignment: what is sought here is what is fetched first. */
  #joined(partitions: readonly number[]): void {
    const { reader } = this.#options;
    this.#heard();
    this.#isIn = true;
    this.#trouble.over();
    if (partitions.length > 0) {
      this.#owned = true;
      this.#ownedAtMs = Date.now();
      this.resume();
      reader.assigned([...partitions].sort((a, b) => a - b));
    } else if (this.#owned) {
      this.#owned = false;
      this.#ownedAtMs = 0;
      reader.lost();
    }
  }

  #confirmed(): void {
    this.#heard();
    if (this.#owned) this.#ownedAtMs = Date.now();
  }

  #heard(): void {
    this.#heardAtMs = performance.now();
  }

  #watch(): void {
    if (performance.now() - this.#heardAtMs < SILENT_MS) return;
    this.#endConsumer(Object.assign(new Error('nothing was heard'), { name: 'KafkaJSRequestTimeoutError' }));
  }

  // ------------------------------------------------------------------------------------------- what comes

  async #take({ batch, heartbeat, isRunning, isStale, resolveOffset }: EachBatchPayload): Promise<void> {
    if (isStale() || !isRunning() || this.#closing) return;
    const { reader } = this.#options;
    const last = batch.lastOffset();
    const isTaken = await reader.fetched({
      partition: batch.partition,
      from: askedOffset(batch),
      next: Number(last) + 1,
      end: Number(batch.highWatermark),
      batches: batchesOf(batch),
    });
    // It is ours from here on, even if the next heartbeat fails.
    if (isTaken) resolveOffset(last);
    this.#heard();
    await heartbeat();
    while (reader.full() && isRunning() && !this.#closing) {
      await reader.changed(1000);
      this.#heard();
      await heartbeat();
    }
  }
}
