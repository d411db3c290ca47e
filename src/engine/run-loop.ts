// The stream's loop: poll, judge, commit. It owns no rule and no format; it decides when to commit, when a
// partition counts as quiet, and what happens when memory must be rebuilt.
import { Aggregator, MemoryFloorError } from '../core/aggregator.js';
import type { DecodedBatch } from '../core/decoded-batch.js';
import type { LiveStatus } from '../core/live-status.js';
import { LogChangedError } from '../core/log-changed-error.js';
import { type Method, VERDICTS } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import type { Commit, StoredState } from '../core/ports/commit.js';
import type { Positions } from '../core/ports/log.js';
import type { LedgerCounts, Store } from '../core/ports/store.js';
import { UserError } from '../errors.js';
import type { DecodedInput } from './decoded-input.js';
import type { KeptOriginals } from './kept-originals.js';
import { LogStartCheck } from './log-start-check.js';

/** A commit is due after `commitEveryMs`, or when so much awaits it. */
const PENDING_CELLS_MAX = 300_000;
const PENDING_LETTER_BYTES_MAX = 32 * 1024 * 1024;
/** While a commit is under way the loop goes on until twice as much awaits the next one. */
const OVERDUE = 2;
const RATE_WINDOW_MS = 5000;

export interface RunLoopOptions {
  input: DecodedInput;
  store: Store;
  method: Method;
  untilEnd: boolean;
  commitEveryMs: number;
  /** A partition without records for so long gets its open minutes written as provisional, ms. */
  idleAfterMs: number;
  /** Every commit writes the open minutes of all partitions, as provisional. */
  openMinutes: boolean;
  /** Where the bytes of records go whose dead letters come without; undefined: nobody wants them. */
  originals?: KeptOriginals | undefined;
  signal: AbortSignal;
  /** Called about once a second, and at the end. */
  onStatus: (status: LiveStatus) => void;
  /** The store has made this commit. */
  onCommit: (commit: Commit) => void;
  warn: (line: string) => void;
}

export interface RunLoop {
  /** Runs until the end or the signal; then everything that was read is committed. */
  run(): Promise<LiveStatus>;
  status(): LiveStatus;
  /** Commits everything that was read, open minutes too. */
  commitAll(): Promise<void>;
}

/** Prepares a run from where the store stands. */
export async function createRunLoop(options: RunLoopOptions): Promise<RunLoop> {
  const loop = new Loop(options);
  await loop.restart();
  return loop;
}

class Loop implements RunLoop {
  private aggregator!: Aggregator;
  private from: Positions = new Map();
  /** While memory is rebuilt from the log's beginning. */
  private startCheck: LogStartCheck | undefined;
  private committing: Promise<void> | undefined;
  private commitFailure: Error | undefined;
  private lastCommitAtMs = Date.now();
  private lastCommitMs: number | undefined;
  private committedRecords = -1;
  private ends: Positions = new Map();
  private endsAsked: Promise<void> | undefined;
  private readonly startedAtMs = Date.now();
  private records = 0;
  private readonly samples: { atMs: number; records: number }[] = [{ atMs: Date.now(), records: 0 }];
  /** By partition, with holes. */
  private readonly lastRecordAtMs: (number | undefined)[] = [];
  private ledgerBefore!: LedgerCounts;
  /** Aborted when a commit fails, so that a loop that waits for records notices. */
  private readonly failed = new AbortController();

  constructor(private readonly options: RunLoopOptions) {}

  /** A new engine, from what the store holds. The one before has to have nothing to commit any more. */
  async restart(holdFor?: MemoryFloorError): Promise<void> {
    const { input, method, store, originals } = this.options;
    // A commit that ended behind the look at the store would be counted again.
    await this.committing;
    const ledgerBefore = await store.ledger();
    const state = await store.state();
    const starts = await input.starts();
    // From here to the end nobody else has a turn: who commits finds the old engine or the whole new one.
    this.ledgerBefore = ledgerBefore;
    const quiet = input.seekable ? {} : { quietAfterRecords: Number.POSITIVE_INFINITY };
    this.aggregator = new Aggregator(method, {
      partitionCount: input.partitionCount,
      ...quiet,
      refused(partition, offset) {
        const record = originals && input.recent.find(partition, offset);
        if (record) originals.keep(record);
      },
    });
    this.startCheck = holdFor && new LogStartCheck(holdFor.clicks, method);
    this.from = this.aggregator.restore(state, holdFor ? { holdFor } : {});
    const counted = new Set(state.positions.map(({ partition }) => partition));
    for (const [partition, start] of starts)
      if (!counted.has(partition)) this.aggregator.addPartition(partition, start);
    if (input.file?.lineNumbered && !holdFor)
      this.from = fromLine(firstNeededLine(state), input.partitionCount);
  }

  async run(): Promise<LiveStatus> {
    const { onStatus, signal } = this.options;
    const ticker = setInterval(() => this.tick(), 1000);
    // Asked before anything is read, so that whoever looks at once sees the lag.
    this.refreshEnds();
    try {
      while (!(await this.readOn())) if (signal.aborted) break;
      await this.commitAll();
    } finally {
      clearInterval(ticker);
    }
    const status = this.status();
    onStatus(status);
    return status;
  }

  /** Reads until the end; false: memory had to be rebuilt, and reading begins again. */
  private async readOn(): Promise<boolean> {
    const { input, untilEnd, warn } = this.options;
    const signal = AbortSignal.any([this.options.signal, this.failed.signal]);
    const neededSinceMs = this.startCheck?.neededSinceMs;
    try {
      for await (const batch of input.read({ positions: this.from, untilEnd, signal, neededSinceMs })) {
        this.push(batch);
        await this.commitIfDue();
      }
    } catch (error) {
      if (error instanceof MemoryFloorError && input.seekable) {
        warn(
          `${error.message}: its partition was quiet for long. Reading the log again to judge it exactly.`,
        );
        await this.restart(error);
        return false;
      }
      throw explain(error, input.description);
    }
    if (!signal.aborted) this.checkRebuilt();
    return true;
  }

  private push(batch: DecodedBatch): void {
    const nowMs = Date.now();
    if (this.startCheck) {
      this.startCheck.check(batch);
      if (this.aggregator.rebuilding.length === 0) this.startCheck = undefined;
    }
    this.aggregator.push(batch);
    this.records += batch.count;
    for (let i = 0; i < batch.count; i++) {
      const partition = batch.partition[i]!;
      if (i === 0 || partition !== batch.partition[i - 1]) this.lastRecordAtMs[partition] = nowMs;
    }
  }

  private checkRebuilt(): void {
    const [missing] = this.aggregator.rebuilding;
    if (!missing) return;
    throw new UserError(
      `${this.options.input.description} ends at offset ${missing.position} of partition ${missing.partition}, ` +
        `before offset ${missing.target} that this data directory has counted`,
      { hint: 'Give the log it was counted from, or another --data-dir.' },
    );
  }

  // ------------------------------------------------------------------------------------------ committing

  private async commitIfDue(): Promise<void> {
    this.throwIfFailed();
    const { pendingCells, pendingDeadLetterBytes } = this.aggregator.status();
    const fullness = Math.max(
      pendingCells / PENDING_CELLS_MAX,
      pendingDeadLetterBytes / PENDING_LETTER_BYTES_MAX,
    );
    const due = fullness >= 1 || Date.now() - this.lastCommitAtMs >= this.options.commitEveryMs;
    if (!due || (this.committing && fullness < OVERDUE)) return;
    while (this.committing) await this.committing;
    this.startCommit(false);
  }

  private startCommit(complete: boolean): void {
    const { openMinutes, onCommit } = this.options;
    const commit = this.aggregator.commit({
      complete: complete || openMinutes,
      provisional: this.quietPartitions(),
    });
    if (!commit) return;
    this.committedRecords = this.records;
    const startedMs = performance.now();
    this.lastCommitAtMs = Date.now();
    this.committing = this.options.store
      .commit(commit)
      .then(() => {
        this.lastCommitMs = performance.now() - startedMs;
        onCommit(commit);
        this.options.input.report(
          new Map(commit.positions.map(({ partition, position }) => [partition, position])),
        );
      })
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.committing = undefined;
      });
  }

  /** Partitions whose open minutes are shown though their watermark doesn't move. */
  private quietPartitions(): Set<number> {
    const before = Date.now() - this.options.idleAfterMs;
    const quiet = new Set<number>();
    this.lastRecordAtMs.forEach((atMs, partition) => {
      if (atMs !== undefined && atMs < before) quiet.add(partition);
    });
    return quiet;
  }

  async commitAll(): Promise<void> {
    // Whoever else waits for the same commit may have started the next one.
    while (this.committing) await this.committing;
    this.throwIfFailed();
    this.startCommit(true);
    while (this.committing) await this.committing;
    this.throwIfFailed();
  }

  private fail(error: unknown): void {
    this.commitFailure ??= error instanceof Error ? error : new Error(String(error));
    this.failed.abort();
  }

  private throwIfFailed(): void {
    if (this.commitFailure) throw this.commitFailure;
  }

  // ------------------------------------------------------------------------------------------ status

  private tick(): void {
    this.samples.push({ atMs: Date.now(), records: this.records });
    while (this.samples.length > 2 && this.samples[0]!.atMs < Date.now() - RATE_WINDOW_MS)
      this.samples.shift();
    this.options.onStatus(this.status());
    this.refreshEnds();
    // Without new records nothing else would write what quiet partitions still hold.
    const waiting = this.records !== this.committedRecords || this.quietPartitions().size > 0;
    if (!this.committing && waiting && this.aggregator.status().pendingCells > 0) this.startCommit(false);
  }

  /** Asks for the log's ends, once at a time: a busy source takes a while to answer. */
  private refreshEnds(): void {
    this.endsAsked ??= this.options.input
      .ends()
      .then((ends) => {
        this.ends = ends;
        for (const partition of ends.keys()) this.aggregator.addPartition(partition);
      })
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.endsAsked = undefined;
      });
  }

  status(): LiveStatus {
    const engine = this.aggregator.status();
    const ledger = { ...this.ledgerBefore };
    for (const verdict of VERDICTS) {
      ledger[verdict] += engine.verdicts[verdict];
      ledger.records += engine.verdicts[verdict];
    }
    const first = this.samples[0];
    const last = this.samples.at(-1);
    const spanMs = first && last ? last.atMs - first.atMs : 0;
    return {
      pid: process.pid,
      startedAtMs: this.startedAtMs,
      source: this.options.input.description,
      methodHash: methodHash(this.options.method),
      records: this.records,
      recordsPerSecond: spanMs > 0 ? ((last!.records - first!.records) / spanMs) * 1000 : 0,
      ledger,
      partitions: engine.partitions.map(({ partition, position, watermarkMs }) => ({
        partition,
        position,
        end: this.ends.get(partition),
        watermarkMs: Number.isFinite(watermarkMs) ? watermarkMs : undefined,
      })),
      rssBytes: process.memoryUsage.rss(),
      horizonClicks: engine.horizonClicks,
      horizonBytes: engine.horizonBytes,
      lastCommitAtMs: this.lastCommitMs === undefined ? undefined : this.lastCommitAtMs,
      lastCommitMs: this.lastCommitMs,
    };
  }
}

/** The first bare line to read: that from which memory is rebuilt, else the first one that was not counted. */
function firstNeededLine({ positions }: StoredState): number {
  const needed = positions.filter(({ rewindOffset, position }) => rewindOffset < position);
  if (needed.length > 0) return Math.min(...needed.map(({ rewindOffset }) => rewindOffset));
  return Math.max(0, ...positions.map(({ position }) => position));
}

function fromLine(line: number, partitions: number): Positions {
  return new Map(Array.from({ length: partitions }, (_, partition) => [partition, line]));
}

function explain(error: unknown, source: string): unknown {
  if (error instanceof LogChangedError) {
    return new UserError(`${source} is not the log that this data directory has counted: ${error.message}`, {
      hint: 'Give the log it was counted from, or another --data-dir.',
      cause: error,
    });
  }
  if (error instanceof MemoryFloorError) {
    return new UserError(`${error.message}, and standard input can't be read again`, {
      hint: 'Run from a file or the embedded log.',
      cause: error,
    });
  }
  return error;
}
