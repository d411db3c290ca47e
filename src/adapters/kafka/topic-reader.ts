// Reads a topic from asked positions: what the group's member fetches goes into lanes, and a watch compares where
// we are with where the log begins and ends. Nothing is passed over: fetching that went on anywhere but where it
// should is taken back, or ends the reading.
import type { RawBatch } from '../../core/batches.js';
import type { Positions, SourceOptions } from '../../core/ports/log.js';
import { OwnershipLostError } from '../../errors.js';
import { RepeatedWarning } from '../../repeated-warning.js';
import { type Fetched, GroupMember } from './group-member.js';
import type { KafkaSourceOptions } from './kafka-source.js';
import { Lanes } from './lanes.js';
import { checkRange, type Ranges, wasTruncated } from './log-range.js';
import { RangeWatch } from './range-watch.js';
import type { TopicView } from './topic-view.js';

/** How often it is looked where the log begins and ends. */
const WATCH_MS = 5000;
/** The same when there was no answer. */
const LOOK_AGAIN_MS = 1000;
const RETRY_MS = 500;

export class TopicReader {
  readonly #topic: string;
  readonly #member: GroupMember;
  readonly #ranges: RangeWatch;
  readonly #stalls: RepeatedWarning;
  #isMember = false;
  #owned = false;
  #partitions: readonly number[] = [];
  /** What is being read, until it is ended or another process owns the partitions. */
  #lanes: Lanes | undefined;
  #untilEnd = false;
  #failure: unknown;
  #watch: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(options: KafkaSourceOptions, view: TopicView, ranges: Ranges) {
    const { connection, topic, group, warn } = options;
    this.#topic = topic;
    this.#stalls = new RepeatedWarning(warn);
    const trouble = new RepeatedWarning(warn);
    this.#ranges = new RangeWatch(
      { view, connection, topic, trouble, fail: (error) => this.#fail(error) },
      ranges,
    );
    this.#member = new GroupMember({
      connection,
      topic,
      group,
      warn,
      trouble,
      reader: {
        assigned: (partitions) => this.#assigned(partitions),
        lost: () => this.#lost(),
        fetched: (fetched) => this.#fetched(fetched),
        full: () => this.#lanes?.full ?? false,
        changed: async (ms) => this.#lanes?.changed(ms),
        failed: (error) => this.#fail(error),
      },
    });
  }

  // --------------------------------------------------------------------------------- for whoever reads

  /** Waits until the group gives this process the partitions; false: the signal came first. */
  async owned(signal: AbortSignal): Promise<boolean> {
    if (!this.#isMember) {
      this.#isMember = true;
      this.#member.start();
    }
    const wake = (): void => this.wake();
    signal.addEventListener('abort', wake);
    try {
      while (!this.#owned && !signal.aborted) {
        this.#throwIfFailed();
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
      return !signal.aborted;
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  report(positions: Positions): Promise<void> {
    return this.#member.commit(positions);
  }

  /** Starts to fetch at the positions. False: the signal came first. UserError: the log doesn't have them. */
  async begin({ positions, untilEnd, signal }: SourceOptions): Promise<boolean> {
    const ranges = await this.#rangesFor(positions, signal);
    if (!ranges) return false;
    if (!this.#owned) throw new OwnershipLostError();
    const lanes = new Lanes(this.#member);
    this.#lanes = lanes;
    this.#untilEnd = untilEnd;
    for (const [partition, { low, high }] of ranges) {
      const next = positions.get(partition) ?? low;
      lanes.add({ partition, next, end: high, stopAt: untilEnd ? Math.max(high, next) : Infinity });
    }
    this.#seekAll(lanes);
    this.#watch = setInterval(() => void this.#look(), WATCH_MS);
    return true;
  }

  /** The next batch, if there is one now. OwnershipLostError: another process has the partitions. */
  next(): RawBatch | undefined {
    this.#throwIfFailed();
    if (!this.#lanes) throw new OwnershipLostError();
    return this.#lanes.take();
  }

  get done(): boolean {
    return this.#untilEnd && (this.#lanes?.done ?? false);
  }

  /** Resolves when there may be more. */
  async changed(): Promise<void> {
    await this.#lanes?.changed(1000);
  }

  end(): void {
    this.#drop();
    this.#member.pause();
  }

  /** Lets whoever waits look again. */
  wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
    this.#lanes?.wake();
  }

  /** Next offset to be written by partition, as far as it is known. */
  async ends(): Promise<Positions> {
    const ranges = (await this.#ranges.ask()) ?? this.#ranges.last;
    return new Map([...ranges].map(([partition, { high }]) => [partition, high]));
  }

  /** Offset of the first record by partition, as far as it is known. */
  async starts(): Promise<Positions> {
    const ranges = (await this.#ranges.ask()) ?? this.#ranges.last;
    return new Map([...ranges].map(([partition, { low }]) => [partition, low]));
  }

  async close(): Promise<void> {
    this.#drop();
    await this.#member.close();
    await this.#ranges.close();
    this.wake();
  }

  // ------------------------------------------------------------------------------------ from the group

  #assigned(partitions: readonly number[]): void {
    this.#owned = true;
    this.#partitions = partitions;
    if (this.#lanes) this.#seekAll(this.#lanes);
    else this.#member.pause();
    this.wake();
  }

  #lost(): void {
    this.#owned = false;
    const lanes = this.#lanes;
    this.#drop();
    lanes?.wake();
  }

  #seekAll(lanes: Lanes): void {
    this.#member.resume();
    const added: number[] = [];
    for (const partition of this.#partitions) {
      if (lanes.has(partition)) this.#seek(lanes, partition);
      else added.push(partition);
    }
    lanes.pauseAgain();
    if (added.length === 0) return;
    for (const partition of added) this.#member.pause(partition);
    this.#addPartitions(lanes, added).catch((error: unknown) => this.#fail(error));
  }

  #seek(lanes: Lanes, partition: number): void {
    this.#member.seek(partition, lanes.nextOf(partition));
  }

  /** Partitions that the topic didn't have before: they are read from their first record. */
  async #addPartitions(lanes: Lanes, added: readonly number[]): Promise<void> {
    for (const partition of added) {
      let range = this.#ranges.last.get(partition);
      while (!range && lanes === this.#lanes) {
        range = (await this.#ranges.ask())?.get(partition);
        if (!range) await sleep(RETRY_MS);
      }
      if (!range || lanes !== this.#lanes || lanes.has(partition)) continue;
      const { low, high } = range;
      lanes.add({ partition, next: low, end: high, stopAt: this.#untilEnd ? low : Infinity });
      this.#seek(lanes, partition);
      if (!this.#untilEnd) this.#member.resume(partition);
    }
  }

  async #fetched({ partition, from, next, end, batches }: Fetched): Promise<boolean> {
    const lanes = this.#lanes;
    if (!lanes?.has(partition)) return false;
    const expected = lanes.nextOf(partition);
    if (from !== expected && !(await this.#mayGoOn(lanes, partition, from, expected))) return false;
    lanes.push(partition, batches, next, end);
    return true;
  }

  /**
   * The client went on elsewhere than it should. Forward over marks that held nothing: fine. Else it jumped, as
   * kafkajs does when the broker says that an offset is out of range.
   */
  async #mayGoOn(lanes: Lanes, partition: number, from: number, expected: number): Promise<boolean> {
    const ranges = await this.#ranges.ask();
    if (lanes !== this.#lanes || lanes.nextOf(partition) !== expected) return false;
    if (!ranges) {
      this.#seek(lanes, partition);
      return false;
    }
    try {
      checkRange(this.#topic, partition, expected, ranges);
      if (from < expected) throw wasTruncated(this.#topic, partition, expected);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  // ------------------------------------------------------------------------------------------ the watch

  /** Where the log begins and ends, once it is known and has the positions. Undefined: the signal came first. */
  async #rangesFor(positions: Positions, signal: AbortSignal): Promise<Ranges | undefined> {
    for (;;) {
      const ranges = await this.#ranges.ask();
      this.#throwIfFailed();
      if (signal.aborted) return undefined;
      if (ranges) {
        for (const [partition, position] of positions) checkRange(this.#topic, partition, position, ranges);
        return ranges;
      }
      await sleep(RETRY_MS);
    }
  }

  /** Retention may pass what waits to be read, and a log be cut, while nothing is fetched from there. */
  async #look(): Promise<void> {
    const lanes = this.#lanes;
    if (!lanes) return;
    const before = lanes.next();
    const ranges = await this.#ranges.ask();
    if (lanes !== this.#lanes) return;
    if (!ranges) {
      this.#soon = setTimeout(() => void this.#look(), LOOK_AGAIN_MS);
      return;
    }
    try {
      for (const [partition, next] of before) checkRange(this.#topic, partition, next, ranges);
    } catch (error) {
      this.#fail(error);
    }
    const stalled = lanes.stalled();
    if (stalled.length === 0) this.#stalls.over();
    else {
      this.#stalls.say(
        `topic ${this.#topic}: nothing comes from partition ${stalled.join(', ')}, though it holds more; ` +
          'the others go on without it',
      );
    }
  }

  #drop(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#soon);
    this.#lanes = undefined;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.wake();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
