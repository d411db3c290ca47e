// The short editions of `npm run torture`: minutes in which everything is killed and paused that click-agg consists of
// and relies on. Their seeds are printed; `npm run torture -- --minutes 2 --seed N`, with --follower or --store as the
// names say, repeats them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { type StormOptions, type StormOutcome, storm } from '../../src/torture/storm.js';
import { SERVICE_START_MS } from '../services.js';

type Weather = Pick<StormOptions, 'store' | 'follower' | 'durationMs' | 'first'>;

/** A storm that ends without problems. */
async function survived(weather: Weather): Promise<StormOutcome> {
  const seed = 1 + (Date.now() % 1_000_000);
  const directory = mkdtempSync(join(tmpdir(), 'click-agg-torture-'));
  const lines = [`storm of seed ${seed} in ${directory}`];
  console.log(lines[0]);
  const signal = new AbortController().signal;
  const outcome = await storm({
    ...{ ...weather, seed, directory, signal, rate: 300 },
    // They end with the run of the tests, even if this test doesn't.
    serverFolder: (name) => join(inject('servicesFolder'), `storm-${weather.store}-${name}`),
    say: (line) => lines.push(line),
  });
  expect(outcome.problems, lines.join('\n')).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
  return outcome;
}

test(
  'PostgreSQL and a store that follows it: no click is lost or counted twice, whatever is killed',
  async () => {
    const outcome = await survived({ store: 'postgres', follower: 'clickhouse', durationMs: 120_000 });
    // It was a storm, and there was something to lose.
    expect(Object.keys(outcome.faults).length).toBeGreaterThanOrEqual(3);
    for (const [verdict, records] of Object.entries(outcome.verdicts)) {
      expect(records, verdict).toBeGreaterThan(0);
    }
    expect(outcome.deadLetters).toBeGreaterThan(0);
    expect(outcome.withdrawn).toBeGreaterThan(0);
  },
  SERVICE_START_MS,
);

test(
  'Cassandra: the same when the node is killed, and the run that writes into it',
  async () => {
    const first = ['kill the store, then the active run', 'kill both runs'];
    const outcome = await survived({ store: 'cassandra', durationMs: 30_000, first });
    // Chance may have added more of them.
    expect(outcome.faults[first[0]!]).toBeGreaterThanOrEqual(1);
    expect(outcome.verdicts.billable).toBeGreaterThan(0);
  },
  SERVICE_START_MS,
);
