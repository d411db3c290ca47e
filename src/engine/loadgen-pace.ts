// Drives the generator: as fast as the output takes it, or so many records a second of real time; until the
// number is reached, the time is over or somebody stops it.
import type { SteadyArrivals } from '../core/loadgen/arrivals.js';
import { type ClickBatch, newClickBatch } from '../core/loadgen/click-batch.js';
import type { ClickGenerator } from '../core/loadgen/generator.js';
import type { LoadOutput } from './loadgen-output.js';

/** How often a paced run looks at the clock. */
const TICK_MS = 20;
/** A paced run that can't keep up leaves out what it is behind by more than this. */
const BEHIND_MS_MAX = 1000;

export interface LoadRun {
  generator: ClickGenerator;
  output: LoadOutput;
  /** Undefined: until stopped. */
  countMax: number | undefined;
  signal: AbortSignal;
  /** Records so far. */
  onProgress: (records: number) => void;
}

/** Real time for a paced run. */
export interface Pace {
  perSecond: number;
  /** Undefined: no end. */
  durationMs: number | undefined;
  /** Where records shall arrive by real time: the clock to be told of it, and the epoch ms of the start. */
  live: { arrivals: SteadyArrivals; startMs: number } | undefined;
  /** A clock that never goes back; only differences matter. */
  nowMs: () => number;
  /** Returns early when the run is stopped. */
  sleep: (ms: number) => Promise<void>;
}

/** Generates at full speed, the next batch while the last one is being written. Returns the records written. */
export async function runAtFullSpeed(run: LoadRun): Promise<number> {
  const batches = [newClickBatch(), newClickBatch()];
  let records = 0;
  let writing: Promise<void> = Promise.resolve();
  for (let turn = 0; !run.signal.aborted && records < (run.countMax ?? Infinity); turn ^= 1) {
    const batch = batches[turn]!;
    run.generator.fill(batch, (run.countMax ?? Infinity) - records);
    await writing;
    writing = run.output.write(batch);
    records += batch.count;
    run.onProgress(records);
  }
  await writing;
  return records;
}

/** Generates by the clock. Returns the records written. */
export async function runPaced(run: LoadRun, pace: Pace): Promise<number> {
  const { perSecond, durationMs = Infinity, live } = pace;
  const countMax = run.countMax ?? Infinity;
  const dueMax = Math.max(1, (perSecond * BEHIND_MS_MAX) / 1000);
  const batch = newClickBatch();
  const startMs = pace.nowMs();
  let records = 0;
  let leftOut = 0;
  for (;;) {
    const elapsedMs = Math.min(pace.nowMs() - startMs, durationMs);
    const due = Math.floor((elapsedMs * perSecond) / 1000) - leftOut - records;
    if (due > dueMax) leftOut += due - dueMax;
    const count = Math.min(due, dueMax, countMax - records);
    if (count > 0) {
      live?.arrivals.spread(live.startMs + elapsedMs, count);
      records += await writeRecords(run, batch, count);
    }
    run.onProgress(records);
    if (run.signal.aborted || elapsedMs >= durationMs || records >= countMax) return records;
    await pace.sleep(TICK_MS);
  }
}

async function writeRecords(run: LoadRun, batch: ClickBatch, count: number): Promise<number> {
  let written = 0;
  while (written < count && !run.signal.aborted) {
    run.generator.fill(batch, count - written);
    await run.output.write(batch);
    written += batch.count;
  }
  return written;
}
