// A run that counts into a file and brings a server the same totals: killed, with the server away, and the other way
// round. Both stores answer the same, and both are what the recomputation finds.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dropStore, newStoreUrl } from '../adapters/postgres/shared-server.js';
import { BIN, clickAgg, temporaryDirectory } from './click-agg.js';

const KILLS = 4;

const directory = temporaryDirectory();
const dataDir = join(directory.path, 'killed');
const urls: string[] = [];

beforeAll(async () => {
  const load = ['--count', '20000', '--seed', '12', '--event-rate', '8'];
  await succeed(['loadgen', ...load, '--data-dir', dataDir]);
});
afterAll(async () => {
  for (const url of urls) await dropStore(url);
  directory.remove();
});

async function newStore(): Promise<string> {
  const url = await newStoreUrl();
  urls.push(url);
  return url;
}

async function succeed(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await clickAgg([...args, '--quiet']);
  expect({ args, code }, stderr).toEqual({ args, code: 0 });
  return { stdout, stderr };
}

async function expectSame(stores: readonly string[], dir: string): Promise<void> {
  for (const what of [
    ['query', '--format', 'csv'],
    ['query', '--ledger', '--json'],
    ['dead-letters', 'count', '--json'],
  ]) {
    const answers = await Promise.all(
      stores.map(async (store) => (await succeed([...what, '--data-dir', dir, '--store', store])).stdout),
    );
    expect(answers[1]).toBe(answers[0]);
  }
}

test(`a run that is killed ${KILLS} times brings both stores the same`, async () => {
  const stores = ['duckdb', await newStore()];
  const args = [
    'run',
    '--until-end',
    '--data-dir',
    dataDir,
    ...stores.flatMap((store) => ['--store', store]),
  ];
  for (let kill = 0; kill < KILLS; kill++) {
    const run = spawn(process.execPath, [BIN, ...args, '--commit-every', '10ms'], { stdio: 'ignore' });
    const ended = once(run, 'exit');
    await Promise.race([ended, sleep(500 + 400 * kill)]);
    run.kill('SIGKILL');
    await ended;
  }
  const { stdout, stderr } = await succeed([...args, '--json', '--lake']);
  expect(stderr).toBe('');
  const { followers } = JSON.parse(stdout) as { followers: { commits: number; behind: number }[] };
  expect(followers).toMatchObject([{ behind: 0, trouble: null }]);
  expect(followers[0]!.commits).toBeGreaterThan(1);
  await expectSame(stores, dataDir);
  for (const store of stores) await succeed(['reconcile', '--data-dir', dataDir, '--store', store]);
});

test('a store that is away holds nobody up, and gets its commits later', async () => {
  const dir = join(directory.path, 'away');
  await succeed(['loadgen', '--count', '5000', '--seed', '3', '--event-rate', '8', '--data-dir', dir]);
  const first = await newStore();
  const second = await newStore();
  const run = ['run', '--until-end', '--commit-every', '20ms', '--data-dir', dir];
  const gone = new URL(second);
  gone.port = '1';
  const alone = await succeed([...run, '--store', first, '--store', gone.href]);
  expect(alone.stderr).toMatch(/127\.0\.0\.1:1\S* lacks the last commits .*: the next run brings those/);
  expect(alone.stderr).not.toContain(gone.password);
  expect((await succeed([...run, '--store', first, '--store', second])).stderr).toBe('');
  await expectSame([first, second], dir);
});

test('the same store twice, and a follower that is none, are refused', async () => {
  const [url] = urls as [string];
  for (const [stores, line] of [
    [['duckdb', 'duckdb'], /names the same store twice/],
    [[url, `${url}&application_name=other`], /--store names postgres:\S+ twice/],
    [['duckdb', 'postgres://a:b@c:d/e'], /^click-agg: /],
    [['duckdb', 'oracle://db'], /--store: must be/],
  ] as const) {
    const args = ['run', '--data-dir', dataDir, ...stores.flatMap((store) => ['--store', store])];
    const { code, stderr } = await clickAgg(args);
    expect({ stores, code }, stderr).toEqual({ stores, code: 2 });
    expect(stderr).toMatch(line);
  }
});
