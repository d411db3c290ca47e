// Copies a log into the lake, every record exactly once. Records gather decoded in a table; a flush writes them
// as files, and one manifest entry makes files and positions the lake's at the same instant. Killed before it,
// nothing happened and the records are read again; killed after it, the next start finishes what is left.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RawBatch } from '../core/batches.js';
import type { Positions, Source } from '../core/ports/log.js';
import { compactOnce } from './compact.js';
import { lakeError, MEMORY_LIMIT_BYTES } from './duckdb.js';
import { FlushAsks } from './flush-asks.js';
import { type Gathered, Gathering } from './gathering.js';
import { Progress } from './positions.js';
import { type LakePlace, type LakeStorage, openStorage, placeName } from './storage.js';
import { WriterSeat } from './writer-seat.js';

export interface WriteLakeOptions {
  source: Source;
  lake: LakePlace;
  /** Return at the log's present end instead of following it. */
  untilEnd: boolean;
  /** Aborted: write what was read, then return. */
  signal: AbortSignal;
  /** Partitions of bare lines; the source's own count unless told. */
  partitions?: number | undefined;
  /** Names the log or file that is read; another one into the same lake is refused. */
  sourceIdentity?: string | undefined;
  /** An identity that the lake may hold instead: the source goes on where that log ended. */
  continuesIdentity?: string | undefined;
  /** Kept in the manifest, to tell later how the writer was configured. */
  methodHash?: string | undefined;
  /** Another one, that is kept where the lake has it: it goes on as it was begun. */
  methodHashBefore?: string | undefined;
  /** A flush comes after this many records, */
  flushRecords?: number | undefined;
  /** this many bytes of values, */
  flushBytes?: number | undefined;
  /** or this long after the first record that waits. */
  flushIntervalMs?: number | undefined;
  /** Of DuckDB. */
  memoryLimitBytes?: number | undefined;
  /** How often small files of quiet hours are merged along the way; 0: never. */
  compactEveryMs?: number | undefined;
  /** An hour is quiet when nothing was written to it for so long. */
  compactOlderThanMs?: number | undefined;
  /** After each batch and each commit. Cheap calls only. */
  onProgress?: ((progress: LakeProgress) => void) | undefined;
}

export interface LakeProgress {
  /** Read since the start. */
  records: number;
  /** Of these, durable in the lake. */
  committed: number;
  malformed: number;
  commits: number;
  files: number;
  /** Bytes of the files written. */
  bytes: number;
  /** Next offset by partition: all below it is durable in the lake. */
  positions: Positions;
}

export type LakeResult = LakeProgress;

export const LAKE_DEFAULTS = {
  flushRecords: 500_000,
  flushBytes: 256 * 1024 * 1024,
  flushIntervalMs: 30_000,
  compactEveryMs: 300_000,
  compactOlderThanMs: 600_000,
} as const;

/** The result of a writer that did not come to write. */
export function nothingWritten(): LakeResult {
  return { records: 0, committed: 0, malformed: 0, commits: 0, files: 0, bytes: 0, positions: new Map() };
}

/**
 * Writes every record of the source that the lake does not hold yet, until the log's end or the signal.
 *
 * Guarantee: when it returns, all records that it read are in the lake, each once; after a crash at any moment
 * the lake holds a whole number of flushes, and starting again goes on exactly there. UserError: another process
 * writes this lake, it was written from another log, the disk fails or is full.
 */
export async function writeLake(options: WriteLakeOptions): Promise<LakeResult> {
  const storage = await openStorage(options.lake);
  try {
    const seat = await takeSeat(storage, options);
    try {
      return await new LakeWriter(options, seat).run();
    } finally {
      seat.release();
    }
  } catch (error) {
    throw lakeError(error, storage.name);
  }
}

const SEAT_POLL_MS = 500;

/**
 * Who has become the active one of a group waits for the one before, who may be busy writing its last files. (In
 * a folder it even waits for one that sleeps: its lock can't be told from that of one at work.)
 */
async function takeSeat(
  storage: LakeStorage,
  { source, signal }: Pick<WriteLakeOptions, 'source' | 'signal'>,
): Promise<WriterSeat> {
  for (;;) {
    try {
      return await WriterSeat.take(storage);
    } catch (error) {
      const held = storage.writer();
      const mayEnd = source.membership !== undefined && !signal.aborted && typeof held === 'object';
      if (!mayEnd) throw error;
      await sleep(SEAT_POLL_MS);
    }
  }
}

class LakeWriter {
  readonly #options: WriteLakeOptions;
  readonly #seat: WriterSeat;
  readonly #positions: Progress;
  readonly #partitions: number;
  readonly #progress: LakeProgress = nothingWritten();
  readonly #flushRecords: number;
  readonly #flushBytes: number;
  readonly #flushIntervalMs: number;
  #compactAtMs: number;
  #firstWaitingAtMs: number | undefined;
  /** The flush that is being written while further records gather. */
  #writing: Promise<void> | undefined;
  /** Rejects when that flush fails; never resolves. */
  #writingFails: Promise<never> | undefined;
  /** Readers that wait for what was read; its `next` rejects when the lake can't be asked any more. */
  readonly #asks: FlushAsks;

  constructor(options: WriteLakeOptions, seat: WriterSeat) {
    this.#options = options;
    this.#seat = seat;
    this.#partitions = options.partitions ?? options.source.partitionCount;
    this.#positions = new Progress(seat.state, {
      partitionCount: this.#partitions,
      identity: options.sourceIdentity ?? null,
      continues: options.continuesIdentity ?? null,
      lake: placeName(options.lake),
    });
    this.#progress.positions = this.#positions.next();
    this.#flushRecords = options.flushRecords ?? LAKE_DEFAULTS.flushRecords;
    this.#flushBytes = options.flushBytes ?? LAKE_DEFAULTS.flushBytes;
    this.#flushIntervalMs = options.flushIntervalMs ?? LAKE_DEFAULTS.flushIntervalMs;
    this.#compactAtMs = Date.now() + this.#compactEveryMs;
    this.#asks = new FlushAsks(seat.writing);
  }

  get #compactEveryMs(): number {
    return this.#options.compactEveryMs || LAKE_DEFAULTS.compactEveryMs;
  }

  async run(): Promise<LakeResult> {
    const { memoryLimitBytes = MEMORY_LIMIT_BYTES } = this.#options;
    const { writing } = this.#seat;
    const gathering = await Gathering.open({ writing, memoryLimitBytes, partitions: this.#partitions });
    try {
      await this.#readAll(gathering);
      await this.#flush(gathering);
      await this.#writing;
    } finally {
      await this.#asks.close();
      await this.#writing?.catch(() => {}); // its failure, if it is one, has been thrown already
      await gathering.close();
    }
    // Only a clean end gets here: after an error, files in staging may belong to a commit that did happen.
    await writing.tidy();
    return { ...this.#progress };
  }

  async #readAll(gathering: Gathering): Promise<void> {
    const { source, signal, untilEnd } = this.#options;
    const batches = source
      .read({ positions: this.#positions.next(), untilEnd, signal })
      [Symbol.asyncIterator]();
    let next = batches.next();
    next.catch(() => {}); // it is awaited below; until then its failure is nobody's surprise
    try {
      for (;;) {
        const result = await this.#before(next, gathering);
        if (result === 'flush') {
          await this.#flush(gathering);
          continue;
        }
        if (result.done) return;
        await this.#take(result.value, gathering);
        next = batches.next();
        next.catch(() => {});
      }
    } finally {
      await batches.return?.();
    }
  }

  /** The next batch, or the news that records have waited long enough. */
  async #before(
    next: Promise<IteratorResult<RawBatch>>,
    gathering: Gathering,
  ): Promise<IteratorResult<RawBatch> | 'flush'> {
    if (this.#isEnough(gathering)) return 'flush';
    const dueAtMs = Math.min(
      (this.#firstWaitingAtMs ?? Infinity) + this.#flushIntervalMs,
      this.#options.compactEveryMs === 0 ? Infinity : this.#compactAtMs,
    );
    const leftMs = dueAtMs - Date.now();
    if (leftMs <= 0) return 'flush';
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<'flush'>((resolve) => {
      if (leftMs < Infinity) timer = setTimeout(resolve, leftMs, 'flush');
    });
    try {
      const failing = this.#writingFails ? [this.#writingFails] : [];
      return await Promise.race([this.#asks.next(), next, timeUp, ...failing]);
    } finally {
      clearTimeout(timer);
    }
  }

  #isEnough({ records, bytes }: Gathering): boolean {
    return records >= this.#flushRecords || bytes >= this.#flushBytes;
  }

  async #take(batch: RawBatch, gathering: Gathering): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      if (!this.#positions.isNew(batch, i)) continue;
      if (this.#isEnough(gathering)) await this.#flush(gathering);
      if (gathering.isFull) await gathering.decode();
      this.#positions.take(batch, i, gathering.put(batch, i));
      this.#progress.records++;
    }
    if (gathering.records > 0) this.#firstWaitingAtMs ??= Date.now();
    this.#options.onProgress?.(this.#progress);
  }

  /** Begins to make what has gathered the lake's. One flush at a time: waits for the one before. */
  async #flush(gathering: Gathering): Promise<void> {
    await this.#writing;
    this.#asks.answered();
    this.#firstWaitingAtMs = undefined;
    const taken = this.#positions.next();
    const gathered = gathering.records > 0 ? await gathering.take() : undefined;
    this.#inBackground(
      (async () => {
        if (gathered) await this.#write(gathered, taken);
        await this.#compactIfDue(gathering);
      })(),
    );
  }

  #inBackground(work: Promise<void>): void {
    this.#writing = work;
    this.#writingFails = work.then(() => new Promise<never>(() => {}));
    this.#writingFails.catch(() => {}); // whoever waits for the work hears of it
  }

  async #write(gathered: Gathered, taken: Positions): Promise<void> {
    const log = this.#positions.log();
    const files = await gathered.writeFiles(this.#seat.state.commit + 1);
    await this.#seat.commit({
      kind: 'flush',
      methodHash: this.#methodHash(),
      log,
      partitions: this.#positions.partitionsAfter(files, taken),
      add: files,
      remove: [],
    });
    for (const file of files) {
      this.#progress.committed += file.records;
      this.#progress.malformed += file.malformed;
      this.#progress.bytes += file.bytes;
    }
    this.#progress.commits++;
    this.#progress.positions = taken;
    this.#progress.files += files.length;
    this.#options.onProgress?.(this.#progress);
  }

  #methodHash(): string | null {
    const { methodHash, methodHashBefore } = this.#options;
    const isAsBefore = methodHashBefore !== undefined && this.#seat.state.methodHash === methodHashBefore;
    return (isAsBefore ? methodHashBefore : methodHash) ?? null;
  }

  async #compactIfDue(gathering: Gathering): Promise<void> {
    if (this.#options.compactEveryMs === 0 || Date.now() < this.#compactAtMs) return;
    await compactOnce({
      seat: this.#seat,
      connection: gathering.connection,
      olderThanMs: this.#options.compactOlderThanMs ?? LAKE_DEFAULTS.compactOlderThanMs,
    });
    this.#compactAtMs = Date.now() + this.#compactEveryMs;
  }
}
