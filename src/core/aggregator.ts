// The counting engine: start reading here. Decoded records go in, in the order of their log; out comes, at
// every commit, what changed: cells of the totals, the ledger, dead letters, positions.
//
// A record passes these stages, each a file of its own:
//   decoder        invalid?                      -> dead letter
//   watermark      too late for its partition?   -> dead letter
//   duplicates     a redelivery?                 -> dropped
//   marks          marked as invalid traffic?    -> dead letter
//   double-clicks  within a period of its user and ad?
//   bots           in a window of its IP address over the threshold?  -> dead letter
//   totals         else: billable, one more click in its cell
// The last three are judged again whenever a late click changes them; `changed` keeps ledger and totals true.
//
// Memory is a function of the log: `restore` rebuilds it from the records at and above the rewind offsets.
import { FLAG, verdictOf } from './click-rows.js';
import { IndexList } from './columns.js';
import { DeadLetters } from './dead-letters.js';
import { type DecodedBatch, invalidReasonOf, isInvalid } from './decoded-batch.js';
import { LogChangedError } from './log-changed-error.js';
import { Memory } from './memory.js';
import { BUCKET_MS, type Method, VERDICT_CODE, VERDICTS, type Verdict } from './method.js';
import { type PartitionBook, PartitionBooks } from './partition-books.js';
import type { Checkpoint, Commit, StoredState } from './ports/commit.js';
import type { Positions } from './ports/log.js';

export interface AggregatorOptions {
  /** Partitions of the log: memory waits for the quiet ones among them. `addPartition` tells of more. */
  partitionCount: number;
  /**
   * A partition is quiet, and memory waits for it no longer, when the others had so many records since its
   * last one, and their event time went on by an hour. If it then brings a click older than memory,
   * `push` throws MemoryFloorError, and memory has to be rebuilt. Infinity where the log can't be read again.
   */
  quietAfterRecords?: number;
  /**
   * Told of every record whose dead letter is on its way (or taken back) without its bytes, while the batch that brought
   * the verdict is pushed: whoever wants the bytes may still have them.
   */
  refused?: (partition: number, offset: number) => void;
}

const QUIET_AFTER_RECORDS = 1_000_000;

export interface CommitOptions {
  complete: boolean;
  provisional?: ReadonlySet<number>;
}

/** A click that is older than what memory holds. */
export interface TooOldClick {
  partition: number;
  offset: number;
  eventTimeMs: number;
}

/** A click that counts is older than what memory holds: rebuild it with `restore(state, { holdFor: error })`. */
export class MemoryFloorError extends Error {
  /** `clicks`: all that memory has to reach back to since the last commit; the last one is the present trouble. */
  constructor(readonly clicks: readonly TooOldClick[]) {
    const { partition, offset } = clicks.at(-1)!;
    super(`record ${partition}:${offset} is older than the clicks in memory`);
    this.name = 'MemoryFloorError';
  }
}

export interface AggregatorStatus {
  /** Counts by verdict since this process began, up to the last pushed record. */
  verdicts: Readonly<Record<Verdict, number>>;
  partitions: readonly { partition: number; position: number; watermarkMs: number }[];
  horizonClicks: number;
  horizonBytes: number;
  /** What awaits the next commit: changed cells, dead letters and their bytes. */
  pendingCells: number;
  pendingDeadLetterBytes: number;
}

export class Aggregator {
  private readonly memory: Memory;
  private readonly letters: DeadLetters;
  private readonly books: PartitionBooks;
  private readonly verdictCounts = new Float64Array(VERDICTS.length);

  /** Records of the present batch that are neither invalid nor too late. */
  private readonly countable = new IndexList();
  /** Rows of the present batch. */
  private readonly freshRows = new IndexList();
  private openPeriods: Checkpoint['openPeriods'] = [];
  private checkpointChanged = false;
  /** The floor stays low enough for these clicks until they were judged. */
  private holds: readonly TooOldClick[] = [];

  /** While memory is rebuilt: the position that each partition has to come to. */
  private readonly targets = new Map<number, number>();
  private rebuiltFromStart = false;
  /** Batches with records beyond the targets, until memory is rebuilt. */
  private held: DecodedBatch[] = [];
  /** The store has all cells of minutes before `exactFromMs` or ended by `closedMs`; of the others nobody knows. */
  private stored = { exactFromMs: -Infinity, closedMs: -Infinity };
  private storedMaxEventTimeMs = new Map<number, number>();
  /** Some of a batch is booked and some is not; left so where judging has failed. */
  private amidBatch = false;

  constructor(
    private readonly method: Method,
    private readonly options: AggregatorOptions,
  ) {
    this.memory = new Memory(method, (row, flagsBefore) => this.changed(row, flagsBefore));
    const { rows, totals } = this.memory;
    this.letters = new DeadLetters(rows, totals, method, options.refused);
    this.books = new PartitionBooks(method, options.partitionCount);
  }

  /**
   * The log has this partition, which is counted from `start` on. Its first record may be of any event time: memory
   * waits for it, or for the partition to count as quiet. (Not told, it would have to be rebuilt for an old click.)
   */
  addPartition(partition: number, start = 0): void {
    const book = this.books.of(partition);
    if (book.position === 0) book.position = start;
  }

  // -------------------------------------------------------------------------------------------- restoring

  /**
   * Prepares for going on where `state` was committed. Returns the positions to read from: older than those
   * committed, since memory is rebuilt from what lies between.
   *
   * With `holdFor`, memory is rebuilt from the log's start, keeping what the too old clicks need.
   */
  restore(state: StoredState, { holdFor }: { holdFor?: MemoryFloorError } = {}): Positions {
    const from = new Map<number, number>();
    this.rebuiltFromStart = holdFor !== undefined;
    const watermarks = state.positions.map(
      ({ maxEventTimeMs }) => maxEventTimeMs - this.method.watermarkDelayMs,
    );
    this.stored = {
      exactFromMs: this.memory.exactFrom(state.checkpoint?.floorMs ?? -Infinity),
      closedMs: Math.min(...watermarks),
    };
    for (const stored of state.positions) {
      const book = this.books.of(stored.partition);
      book.position = holdFor ? 0 : stored.rewindOffset;
      book.maxEventTimeMs = holdFor ? -Infinity : stored.rewindMaxEventTimeMs;
      this.storedMaxEventTimeMs.set(stored.partition, stored.maxEventTimeMs);
      if (book.position < stored.position) this.targets.set(stored.partition, stored.position);
      else this.books.maxEventTimeMs = Math.max(this.books.maxEventTimeMs, book.maxEventTimeMs);
      // From the log's start: wherever that is by now.
      if (!holdFor) from.set(stored.partition, book.position);
    }
    if (holdFor) {
      this.holds = holdFor.clicks;
      this.checkpointChanged = true;
    } else if (state.checkpoint) {
      this.memory.floorMs = state.checkpoint.floorMs;
      this.openPeriods = state.checkpoint.openPeriods;
      this.memory.doubleClicks.carry(state.checkpoint.openPeriods);
    }
    return from;
  }

  /** Partitions that have not come to their committed position yet; empty once memory is rebuilt. */
  get rebuilding(): readonly { partition: number; position: number; target: number }[] {
    return [...this.targets].map(([partition, target]) => ({
      partition,
      position: this.books.of(partition).position,
      target,
    }));
  }

  private finishRebuild(): void {
    this.memory.doubleClicks.carry([]);
    const { rows, totals } = this.memory;
    totals.reopen(this.stored.exactFromMs, this.stored.closedMs);
    for (let row = 0; row < rows.used; row++) {
      if (verdictOf(rows.flags[row]!) === VERDICT_CODE.bot) rows.flags[row]! |= FLAG.lettered;
    }
    for (const [partition, maxEventTimeMs] of this.storedMaxEventTimeMs) {
      const book = this.books.of(partition);
      if (book.maxEventTimeMs !== maxEventTimeMs) {
        throw new LogChangedError(partition, book.position);
      }
    }
    const { held } = this;
    this.held = [];
    for (const batch of held) this.push(batch);
  }

  // -------------------------------------------------------------------------------------------- judging

  /**
   * Judges the records of a batch. Records below a partition's position are skipped: they were counted.
   * Stage by stage for the whole batch, not record by record: a stage works on tables of its own, which then stay in
   * the processor's cache.
   */
  push(batch: DecodedBatch): void {
    this.amidBatch = true;
    const rebuilding = this.targets.size > 0;
    let beyond = false;
    for (let i = 0; i < batch.count; i++) {
      const book = this.books.of(batch.partition[i]!);
      const offset = batch.offset[i]!;
      if (offset < book.position) continue;
      if (rebuilding && offset >= (this.targets.get(book.partition) ?? book.position)) {
        // A partition that is already where it was may not go on before the others are.
        beyond = true;
        continue;
      }
      this.judge(batch, i, book, rebuilding);
      book.position = offset + 1;
    }
    const { redelivered, marked } = this.memory.admit(batch, this.countable, this.freshRows);
    if (!rebuilding) this.enterRefused(batch, redelivered, marked);
    this.countable.clear();
    this.enterFreshRows(rebuilding);
    if (beyond) this.held.push(structuredClone(batch)); // its owner uses the buffer again
    if (rebuilding) {
      for (const [partition, target] of this.targets) {
        if (this.books.of(partition).position >= target) this.targets.delete(partition);
      }
    }
    if (!rebuilding || this.rebuiltFromStart) this.moveFloor();
    if (rebuilding && this.targets.size === 0) this.finishRebuild();
    this.amidBatch = false;
  }

  private judge(batch: DecodedBatch, i: number, book: PartitionBook, silent: boolean): void {
    const { method, memory } = this;
    this.books.recordsSeen++;
    if (isInvalid(batch, i, method)) {
      if (silent) return;
      this.enter(book, undefined, VERDICT_CODE.invalid);
      this.letters.add(batch, i, 'invalid', invalidReasonOf(batch, i, method));
      return;
    }
    const eventTimeMs = batch.eventTimeMs[i]!;
    book.lastRecordAt = this.books.recordsSeen;
    const bucketEndMs = Math.floor(eventTimeMs / BUCKET_MS) * BUCKET_MS + BUCKET_MS;
    const lateMs = book.watermarkMs(method) - bucketEndMs;
    if (lateMs > method.allowedLatenessMs) {
      if (silent) return;
      this.enter(book, eventTimeMs, VERDICT_CODE.tooLate);
      const reason = `its minute had closed ${lateMs / 1000} s before, more than ${method.allowedLatenessMs / 1000} s`;
      this.letters.add(batch, i, 'too_late', reason);
      return;
    }
    if (silent && !this.rebuiltFromStart) {
      // Nothing depends any more on records before the floor that memory is rebuilt to.
      if (eventTimeMs < memory.floorMs) {
        if (eventTimeMs > book.maxEventTimeMs) book.maxEventTimeMs = eventTimeMs;
        return;
      }
    } else if (!memory.reachesBackFor(eventTimeMs)) {
      const click = { partition: book.partition, offset: batch.offset[i]!, eventTimeMs };
      throw new MemoryFloorError([...this.holds, click]);
    }
    this.countable.push(i);
    this.books.hold(book, eventTimeMs, batch.offset[i]!);
  }

  /** Books the records of this batch that are no candidates: what their verdict is, no later click changes. */
  private enterRefused(batch: DecodedBatch, redelivered: IndexList, marked: IndexList): void {
    for (let n = 0; n < redelivered.count; n++) {
      const i = redelivered.at(n);
      this.enter(this.books.of(batch.partition[i]!), batch.eventTimeMs[i]!, VERDICT_CODE.duplicate);
    }
    for (let n = 0; n < marked.count; n++) {
      const i = marked.at(n);
      this.enter(this.books.of(batch.partition[i]!), batch.eventTimeMs[i]!, VERDICT_CODE.invalidTraffic);
      this.letters.addMarked(batch, i);
    }
  }

  /** Books the clicks of this batch, now that their verdicts are known. */
  private enterFreshRows(silent: boolean): void {
    const { freshRows } = this;
    const { rows, totals } = this.memory;
    for (let n = 0; n < freshRows.count; n++) {
      const row = freshRows.at(n);
      const flags = rows.flags[row]! & ~FLAG.fresh;
      rows.flags[row] = flags;
      const verdict = verdictOf(flags);
      const partition = rows.partition[row]!;
      if (verdict === VERDICT_CODE.billable) totals.count(rows.cell[row]!, 1, partition);
      if (silent) continue;
      if (verdict === VERDICT_CODE.bot) this.letters.botChanged(row);
      this.enter(this.books.of(partition), rows.timeMs[row]!, verdict);
    }
    freshRows.clear();
  }

  /** A click's flags were `before` and are different now: moves it in totals and ledger if its verdict is. */
  private changed(row: number, flagsBefore: number): void {
    if (flagsBefore & FLAG.fresh) return;
    const { rows, totals } = this.memory;
    const before = verdictOf(flagsBefore);
    const after = verdictOf(rows.flags[row]!);
    if (before === after) return;
    const partition = rows.partition[row]!;
    if (before === VERDICT_CODE.billable) totals.count(rows.cell[row]!, -1, partition);
    if (after === VERDICT_CODE.billable) totals.count(rows.cell[row]!, 1, partition);
    if (this.targets.size > 0) return;
    if (before === VERDICT_CODE.bot || after === VERDICT_CODE.bot) this.letters.botChanged(row);
    const book = this.books.of(partition);
    book.enter(rows.timeMs[row]!, before, -1);
    this.verdictCounts[before]!--;
    this.enter(book, rows.timeMs[row]!, after);
  }

  private enter(book: PartitionBook, eventTimeMs: number | undefined, verdict: number): void {
    book.enter(eventTimeMs, verdict, 1);
    this.verdictCounts[verdict]!++;
  }

  // -------------------------------------------------------------------------------------------- memory

  /** Forgets clicks that nothing depends on any more. */
  private moveFloor(): void {
    const { memory } = this;
    const horizonMs = this.books.horizonMs(this.options.quietAfterRecords ?? QUIET_AFTER_RECORDS);
    if (horizonMs === Infinity) return;
    let floorMs = memory.floorFor(horizonMs);
    for (const click of this.holds) {
      if (!this.isJudged(click)) floorMs = Math.min(floorMs, memory.floorFor(click.eventTimeMs));
    }
    if (floorMs > memory.floorMs) this.forgetBefore(floorMs);
  }

  private isJudged({ partition, offset }: TooOldClick): boolean {
    return this.books.of(partition).position > offset;
  }

  private forgetBefore(floorMs: number): void {
    this.letters.settleBots();
    // What a rebuild counted is in the store already, but for minutes that were open.
    if (this.targets.size > 0) this.memory.totals.reopen(this.stored.exactFromMs, this.stored.closedMs);
    this.openPeriods = this.memory.forgetBefore(floorMs);
    for (const book of this.books.all()) book.forgetBefore(floorMs);
    this.checkpointChanged = true;
  }

  // -------------------------------------------------------------------------------------------- committing

  private isDue(
    complete: boolean,
    provisional?: ReadonlySet<number>,
  ): (minuteEndMs: number, partition: number) => boolean {
    const watermarks = this.books.watermarks();
    const exactFromMs = this.memory.exactFrom(this.memory.floorMs);
    return (minuteEndMs, partition) =>
      complete ||
      minuteEndMs <= watermarks[partition]! ||
      minuteEndMs - BUCKET_MS < exactFromMs ||
      provisional?.has(partition) === true;
  }

  /**
   * Takes everything that changed since the last commit: the cells of open minutes only if it shall be `complete`,
   * or if the click that changed them last is of a `provisional` partition.
   * While memory is rebuilt, or has to be since `push` has failed, there is nothing to commit: undefined.
   */
  commit({ complete, provisional }: CommitOptions): Commit | undefined {
    if (this.amidBatch || this.targets.size > 0) return undefined;
    const checkpoint = this.checkpointChanged
      ? { floorMs: this.memory.floorMs, openPeriods: this.openPeriods }
      : undefined;
    this.checkpointChanged = false;
    this.holds = this.holds.filter((click) => !this.isJudged(click));
    const cells = this.memory.totals.take(this.isDue(complete, provisional));
    return {
      cells,
      ledger: this.books.takeLedger(),
      ...this.letters.take(),
      positions: this.books.all().map((book) => book.positions()),
      checkpoint,
      complete: this.memory.totals.dirtyCount === 0,
    };
  }

  status(): AggregatorStatus {
    const verdicts = Object.fromEntries(
      VERDICTS.map((verdict, index) => [verdict, this.verdictCounts[index]!]),
    );
    return {
      verdicts: verdicts as Record<Verdict, number>,
      partitions: this.books.all().map((book) => ({
        partition: book.partition,
        position: book.position,
        watermarkMs: book.watermarkMs(this.method),
      })),
      horizonClicks: this.memory.rows.live,
      horizonBytes: this.memory.bytes,
      pendingCells: this.memory.totals.dirtyCount,
      pendingDeadLetterBytes: this.letters.pendingBytes,
    };
  }
}
