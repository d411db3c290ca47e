// A store is filled from another one, follows it from then on, and is told apart from one with totals of its own.
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dropStore, newStoreUrl } from '../adapters/postgres/shared-server.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const directory = temporaryDirectory();
const dataDir = join(directory.path, 'first');
const urls: string[] = [];

afterAll(async () => {
  for (const url of urls) await dropStore(url);
  directory.remove();
});

async function newStore(): Promise<string> {
  urls.push(await newStoreUrl());
  return urls.at(-1)!;
}

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await clickAgg([...args, '--data-dir', dataDir, '--quiet']);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout;
}

async function expectSame(stores: readonly string[]): Promise<void> {
  for (const what of [
    ['query', '--format', 'csv'],
    ['query', '--ledger', '--json'],
    ['dead-letters', 'count', '--json'],
    ['dead-letters', 'list', '--json', '--limit', '10000', '--verdict', 'bot'],
  ]) {
    const answers = await Promise.all(stores.map((store) => succeed(...what, '--store', store)));
    for (const answer of answers) expect(sorted(answer)).toEqual(sorted(answers[0]!));
  }
  for (const store of stores) await succeed('reconcile', '--store', store);
}

/** Newest first is by the commits of each store. */
function sorted(answer: string): string[] {
  return answer.split('\n').sort();
}

test('a copy is the first store, and follows it from then on', async () => {
  const first = await newStore();
  const load = ['loadgen', '--count', '8000', '--event-rate', '8'];
  await succeed(...load, '--seed', '5');
  await succeed('run', '--until-end', '--lake', '--commit-every', '100ms', '--store', first);
  const second = await newStore();
  expect(await succeed('copy-totals', '--from', first, '--to', second)).toMatch(
    /: \d{4} totals and \d+ dead/,
  );
  await expectSame([first, second]);
  expect(JSON.parse(await succeed('copy-totals', '--json', '--from', first, '--to', second))).toMatchObject({
    cells: 0,
    letters: 0,
  });
  const more = ['run', '--until-end', '--lake', '--store', first];
  await succeed(...load, '--seed', '6', '--start', '2026-02-22T00:30Z');
  await succeed(...more, '--store', second);
  await expectSame([first, second]);
  // What a backfill changes comes with no commit: a copy brings it, and its revision.
  const period = ['--from', '2026-02-22', '--to', '2026-02-22T00:12Z'];
  expect(await succeed('backfill', ...period, '--store', first)).toContain('is revision 1');
  await succeed('copy-totals', '--from', first, '--to', second);
  expect(await succeed('reconcile', '--store', second)).toContain('Backfill 1 of');
  // It falls behind, and a copy brings it up to date.
  await succeed(...load, '--seed', '7', '--start', '2026-02-22T01:00Z');
  await succeed(...more);
  await succeed('copy-totals', '--from', first, '--to', second);
  await succeed('copy-totals', '--from', second, '--to', 'duckdb');
  await expectSame([first, second, 'duckdb']);
});

test('what holds something else, or nothing, is refused', async () => {
  const [first, second] = urls as [string, string];
  const empty = await newStore();
  const other = join(directory.path, 'other');
  await clickAgg(['loadgen', '--count', '100', '--data-dir', other]);
  await clickAgg(['run', '--until-end', '--data-dir', other]);
  for (const [args, code, line] of [
    [['--from', first, '--to', first], 2, /name the same store/],
    [['--from', empty, '--to', second], 1, /holds totals already|holds no totals/],
    [
      ['--from', first, '--to', 'duckdb', '--data-dir', other],
      1,
      /duckdb holds totals already, and not those/,
    ],
    [['--from', first], 2, /--to is required/],
    [['--from', first, '--to', 'cassandra://host'], 2, /--to: a Cassandra URL names a keyspace/],
  ] as const) {
    const { stderr, ...outcome } = await clickAgg(['copy-totals', '--data-dir', dataDir, ...args]);
    expect({ args, code: outcome.code }, stderr).toEqual({ args, code });
    expect(stderr).toMatch(line);
  }
});
