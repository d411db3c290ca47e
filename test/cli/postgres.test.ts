// Everything on a PostgreSQL server that is done on DuckDB otherwise, by the commands that a person types: the answers
// must be the same, to the byte.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectLive } from '../../src/live/client.js';
import { dropStore, newStoreUrl } from '../adapters/postgres/shared-server.js';
import { BIN, clickAgg, temporaryDirectory } from './click-agg.js';

const RECORDS = 30_000;
const KILLS = 4;
const PERIOD = ['--from', '2026-02-22T00:00Z', '--to', '2026-02-22T00:15Z'];

const directory = temporaryDirectory();
const onServer = join(directory.path, 'on-server');
const inFile = join(directory.path, 'in-file');
let url: string;
/** The URL without its password, and the password in the environment. */
let store: string;
let env: Record<string, string>;

beforeAll(async () => {
  url = await newStoreUrl();
  const address = new URL(url);
  env = address.password ? { PGPASSWORD: decodeURIComponent(address.password) } : {};
  address.password = '';
  store = address.href;
  const load = ['--count', `${RECORDS}`, '--seed', '11', '--event-rate', '8'];
  await succeed(['loadgen', ...load, '--data-dir', onServer]);
  cpSync(onServer, inFile, { recursive: true });
});
afterAll(async () => {
  await dropStore(url);
  directory.remove();
});

async function succeed(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await clickAgg([...args, '--quiet'], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** What a command prints on both stores; it must be the same. */
async function sameOnBoth(args: readonly string[], changing: RegExp = /$^/g): Promise<string> {
  const [there, here] = await Promise.all([
    succeed([...args, '--data-dir', onServer, '--store', store]),
    succeed([...args, '--data-dir', inFile]),
  ]);
  expect(there.replaceAll(changing, '')).toBe(here.replaceAll(changing, ''));
  return there;
}

describe('on PostgreSQL as on DuckDB', () => {
  test(`a run that is killed ${KILLS} times counts what an undisturbed one counts`, async () => {
    await succeed(['run', '--until-end', '--lake', '--data-dir', inFile]);
    for (let kill = 0; kill < KILLS; kill++) {
      const args = ['run', '--until-end', '--commit-every', '10ms', '--data-dir', onServer, '--store', store];
      const run = spawn(process.execPath, [BIN, ...args], {
        env: { ...process.env, ...env },
        stdio: 'ignore',
      });
      const ended = once(run, 'exit');
      await Promise.race([ended, sleep(300 + 200 * kill)]);
      run.kill('SIGKILL');
      await ended;
    }
    await succeed(['run', '--until-end', '--lake', '--data-dir', onServer, '--store', store]);
    const csv = await sameOnBoth(['query', '--format', 'csv']);
    expect(csv.split('\n').length).toBeGreaterThan(RECORDS / 4);
    await sameOnBoth(['query', '--ledger', '--json']);
  });

  test('questions are answered the same', async () => {
    await sameOnBoth(['query', '--group-by', 'hour,country', '--json']);
    await sameOnBoth(['query', '--group-by', 'campaign_id', '--top', '10', ...PERIOD]);
    await sameOnBoth(['query', '--device', 'tv', '--country', 'DE,US', '--format', 'csv']);
    await sameOnBoth(['dead-letters', 'count', '--json']);
    await sameOnBoth(['dead-letters', 'list', '--limit', '1000', '--verdict', 'invalid', '--json']);
    await sameOnBoth(['top', '--once', '--limit', '50', '--json']);
  });

  test('the recomputation agrees, too-late clicks are billed, and a period is closed', async () => {
    const times = /"(generated_at|recorded_at|closed_at)":\s*"[^"]*"|"(totals|ledger)File":\s*"[^"]*"/g;
    const filled = await sameOnBoth(['backfill', ...PERIOD, '--price', '0.10', '--json'], times);
    expect(JSON.parse(filled)).toMatchObject({ changed: true, revision: 1 });
    await sameOnBoth(['reconcile', ...PERIOD, '--price', '0.10', '--close', '--json'], times);
    const again = await sameOnBoth(['backfill', ...PERIOD, '--price', '0.10', '--json'], times);
    expect(JSON.parse(again)).toMatchObject({ changed: false });
    const report: unknown = JSON.parse(await sameOnBoth(['reconcile', '--json'], times));
    expect(report).toMatchObject({ agree: true, differing: 0 });
    await sameOnBoth(['query', '--format', 'csv']);
  });

  test('a living run writes its open minutes before it is reconciled, and shows itself in top', async () => {
    const args = ['run', '--data-dir', onServer, '--store', store, '--quiet'];
    const run = spawn(process.execPath, [BIN, ...args], { env: { ...process.env, ...env }, stdio: 'ignore' });
    const ended = once(run, 'exit');
    try {
      while (!(await connectLive(onServer))) await sleep(50);
      await succeed([
        'loadgen',
        '--count',
        '5000',
        '--seed',
        '12',
        '--start',
        '2026-02-22T02:00Z',
        '--data-dir',
        onServer,
      ]);
      const lake = ['lake', '--until-end', '--data-dir', onServer];
      await succeed(lake);
      const counted = RECORDS + 5000;
      while ((await (await connectLive(onServer))!.status()).ledger.records < counted) await sleep(50);
      const report = JSON.parse(
        await succeed(['reconcile', '--json', '--data-dir', onServer, '--store', store]),
      );
      expect(report).toMatchObject({ agree: true, open: 0, ledger: { records: RECORDS + 5000 } });
      const top = JSON.parse(await succeed(['top', '--json', '--data-dir', onServer, '--store', store]));
      expect(top).toMatchObject({ live: true, ledger: { records: RECORDS + 5000 } });
    } finally {
      run.kill('SIGINT');
      await ended;
    }
  });
});

describe('what can’t be opened is told in one line', () => {
  test.each([
    ['nothing was counted yet', ['query'], '?schema=none_yet', 1, /no totals in postgres:.* yet: run/],
    ['the password is wrong', ['query'], 'password', 1, /refuses the password/],
    ['nobody answers', ['run', '--until-end'], 'port', 1, /no PostgreSQL server answers/],
    ['it is no URL', ['query'], 'mysql', 2, /must be duckdb or begin with postgres:/],
  ] as const)('%s', async (_, command, wrong, exitCode, line) => {
    const address = new URL(store);
    if (wrong === 'port') address.port = '1';
    if (wrong === '?schema=none_yet') address.searchParams.set('schema', 'none_yet');
    const text = wrong === 'mysql' ? 'mysql://me:hidden-secret@host/db' : address.href;
    const given = wrong === 'password' ? { ...env, PGPASSWORD: 'hidden-secret' } : env;
    const args = [...command, '--data-dir', onServer, '--store', text];
    const { code, stdout, stderr } = await clickAgg(args, { env: given });
    expect([code, stdout]).toEqual([exitCode, '']);
    expect(stderr).toMatch(line);
    expect(stderr).not.toContain('hidden-secret');
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  });
});
