// The short edition of `npm run torture`: two minutes in which everything is killed and paused that click-agg
// consists of and relies on. Its seed is printed; `npm run torture -- --minutes 2 --seed N` repeats it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { storm } from '../../src/torture/storm.js';
import { SERVICE_START_MS } from '../services.js';

const FAULTS_MS = 120_000;

test(
  'no click is lost or counted twice, whatever is killed',
  async () => {
    const seed = 1 + (Date.now() % 1_000_000);
    const directory = mkdtempSync(join(tmpdir(), 'click-agg-torture-'));
    const lines = [`storm of seed ${seed} in ${directory}`];
    console.log(lines[0]);
    const signal = new AbortController().signal;
    const outcome = await storm({
      ...{ seed, directory, signal, durationMs: FAULTS_MS, rate: 300, store: 'postgres' },
      // They end with the run of the tests, even if this test doesn't.
      serverFolder: (name) => join(inject('servicesFolder'), `storm-${name}`),
      say: (line) => lines.push(line),
    });
    expect(outcome.problems, lines.join('\n')).toEqual([]);
    // It was a storm, and there was something to lose.
    expect(Object.keys(outcome.faults).length).toBeGreaterThanOrEqual(5);
    for (const [verdict, records] of Object.entries(outcome.verdicts)) {
      expect(records, verdict).toBeGreaterThan(0);
    }
    expect(outcome.deadLetters).toBeGreaterThan(0);
    expect(outcome.withdrawn).toBeGreaterThan(0);
    rmSync(directory, { recursive: true, force: true });
  },
  SERVICE_START_MS,
);
