// How a load is paced: by a clock and a sleep that are arguments, so that hours pass in no time.
import { describe, expect, test } from 'vitest';
import { SteadyArrivals } from '../../src/core/loadgen/arrivals.js';
import { ClickGenerator } from '../../src/core/loadgen/generator.js';
import type { LoadOutput } from '../../src/engine/loadgen-output.js';
import { type Pace, runAtFullSpeed, runPaced } from '../../src/engine/loadgen-pace.js';
import { loadProfile } from './load.js';

interface Written {
  atMs: number;
  count: number;
  firstAppendMs: number;
  lastAppendMs: number;
}

/** An output that notes what comes, on a clock that goes on when somebody sleeps, and a bit for each write. */
function timedOutput(options: { writeMs?: number } = {}) {
  let nowMs = 5000;
  const written: Written[] = [];
  const output: LoadOutput = {
    name: 'a list',
    async write(batch) {
      nowMs += options.writeMs ?? 0;
      const firstAppendMs = batch.appendTimeMs[0]!;
      const lastAppendMs = batch.appendTimeMs[batch.count - 1]!;
      written.push({ atMs: nowMs - 5000, count: batch.count, firstAppendMs, lastAppendMs });
    },
    async close() {},
  };
  const clock = {
    nowMs: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
    },
  };
  return { output, written, clock, elapsedMs: () => nowMs - 5000 };
}

function paced(pace: Partial<Pace> & { perSecond: number }, countMax?: number, writeMs?: number) {
  const timed = timedOutput(writeMs === undefined ? {} : { writeMs });
  const stop = new AbortController();
  const run = {
    generator: new ClickGenerator(loadProfile()),
    output: timed.output,
    countMax,
    signal: stop.signal,
    onProgress: (_records: number) => {},
  };
  const whole: Pace = { durationMs: undefined, live: undefined, ...timed.clock, ...pace };
  return { ...timed, stop, run, start: () => runPaced(run, whole) };
}

describe('a paced load', () => {
  test.each([1, 3, 1000, 77_777])('of %i a second makes exactly as many in its time', async (perSecond) => {
    const load = paced({ perSecond, durationMs: 3000 });
    expect(await load.start()).toBe(perSecond * 3);
    expect(load.elapsedMs()).toBe(3000);
    const firstHalf = load.written.filter(({ atMs }) => atMs <= 1500);
    const early = firstHalf.reduce((sum, { count }) => sum + count, 0);
    expect(Math.abs(early - perSecond * 1.5)).toBeLessThanOrEqual(Math.max(1, perSecond * 0.03));
  });

  test('ends with its count', async () => {
    const load = paced({ perSecond: 100, durationMs: 60_000 }, 250);
    expect(await load.start()).toBe(250);
    expect(load.elapsedMs()).toBeLessThan(2600);
  });

  test('that can’t keep up leaves clicks out instead of going on for longer', async () => {
    const load = paced({ perSecond: 10_000, durationMs: 60_000 }, undefined, 2000);
    const records = await load.start();
    expect(records).toBeLessThan(400_000);
    expect(records).toBeGreaterThan(200_000);
    // What is behind by a second at the end is still written, in batches that take two seconds each.
    expect(load.elapsedMs()).toBeLessThan(68_000);
  });

  test('by the clock has clicks arrive when they are made', async () => {
    const startMs = 1_800_000_000_000;
    const arrivals = new SteadyArrivals(startMs);
    const load = paced({ perSecond: 200, durationMs: 2000, live: { arrivals, startMs } });
    load.run.generator = new ClickGenerator(loadProfile({ startMs }), arrivals);
    await load.start();
    let lastMs = startMs;
    for (const { atMs, firstAppendMs, lastAppendMs } of load.written) {
      expect(firstAppendMs).toBeGreaterThanOrEqual(lastMs);
      expect(lastAppendMs).toBeGreaterThanOrEqual(startMs + atMs - 20);
      expect(lastAppendMs).toBeLessThanOrEqual(startMs + atMs);
      lastMs = lastAppendMs;
    }
  });

  test('goes on until it is stopped', async () => {
    const load = paced({ perSecond: 50 });
    load.run.onProgress = (records) => {
      if (records >= 500) load.stop.abort();
    };
    expect(await load.start()).toBe(500);
  });
});

describe('a load at full speed', () => {
  test('makes as many as asked, in the order of the generator', async () => {
    const { output, written } = timedOutput();
    const generator = new ClickGenerator(loadProfile());
    const signal = new AbortController().signal;
    const progress: number[] = [];
    const run = { generator, output, countMax: 40_000, signal, onProgress: (n: number) => progress.push(n) };
    expect(await runAtFullSpeed(run)).toBe(40_000);
    expect(written.reduce((sum, { count }) => sum + count, 0)).toBe(40_000);
    expect(progress.at(-1)).toBe(40_000);
    expect(generator.truth().records).toBe(40_000);
  });

  test('writes what it says when it is stopped', async () => {
    const { output, written } = timedOutput();
    const generator = new ClickGenerator(loadProfile());
    const stop = new AbortController();
    const run = {
      generator,
      output,
      countMax: undefined,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    };
    const records = await runAtFullSpeed(run);
    expect(records).toBe(generator.truth().records);
    expect(written.reduce((sum, { count }) => sum + count, 0)).toBe(records);
  });

  test('passes on what the output says', async () => {
    const output: LoadOutput = {
      name: 'a full disk',
      write: () => Promise.reject(new Error('full')),
      close: async () => {},
    };
    const signal = new AbortController().signal;
    const generator = new ClickGenerator(loadProfile());
    const run = { generator, output, countMax: 100_000, signal, onProgress: () => {} };
    await expect(runAtFullSpeed(run)).rejects.toThrow('full');
  });
});
