// Stores copied onto every other kind, by processes that are killed at random moments and started again: in the end the
// copy is the store, to the click, and nothing of it is there twice.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVERYTHING } from '../../src/core/ports/store.js';
import { openReader, openStore } from '../../src/stores/open-store.js';
import * as cassandra from '../adapters/cassandra/shared-server.js';
import * as clickhouse from '../adapters/clickhouse/databases.js';
import * as dynamodb from '../adapters/dynamodb/shared-server.js';
import * as postgres from '../adapters/postgres/shared-server.js';
import { clickAgg, temporaryDirectory } from '../cli/click-agg.js';
import { commitOf, randomBy } from '../contract/commits.js';
import { SERVICE_START_MS } from '../services.js';

const DIST = resolve(import.meta.dirname, '../../dist');
const SEED = Number(process.env.COPY_SEED ?? Date.now() % 1_000_000);
/** Of the store that is copied: so many commits its copies may take. */
const COMMITS = 50;

/** What a copying process runs. It tells when it begins, and of each commit. */
const COPIER = `
  const [dist, options] = process.argv.slice(1);
  const { from, to, folder } = JSON.parse(options);
  const { openStore } = await import(dist + '/stores/open-store.js');
  const { copyTotals } = await import(dist + '/followers/copy-totals.js');
  const stores = { from: await openStore(from), to: await openStore(to) };
  const commitMax = { cells: 100, letters: 10, ledger: 100 };
  process.send(0);
  await copyTotals({
    ...stores, folder, commitMax, names: { from: 'the store', to: 'the copy' },
    onProgress: (done) => process.send(done), signal: new AbortController().signal,
  });
  await stores.to.close();
  await stores.from.close();
  process.disconnect();
`;

const directory = temporaryDirectory();
const dataDir = join(directory.path, 'first');
const urls: Record<'postgres' | 'cassandra' | 'clickhouse' | 'dynamodb', string> = {
  ...{ postgres: '', cassandra: '', clickhouse: '', dynamodb: '' },
};

beforeAll(async () => {
  urls.postgres = await postgres.newStoreUrl();
  urls.cassandra = await cassandra.storeUrlOf(directory.path);
  urls.clickhouse = await clickhouse.newStoreUrl();
  urls.dynamodb = await dynamodb.newStoreUrl();
  await succeed('loadgen', '--count', '600', '--event-rate', '1');
  await succeed('run', '--until-end', '--lake');
  const store = await openStore({ dataDir, store: 'duckdb' });
  await store.takeOver();
  const { positions } = await store.standing();
  await store.commit({ ...commitOf({ positions }), complete: true, number: COMMITS });
  await store.close();
}, SERVICE_START_MS);

afterAll(async () => {
  await postgres.dropStore(urls.postgres);
  await cassandra.dropStore(urls.cassandra);
  await clickhouse.dropStore(urls.clickhouse);
  await dynamodb.dropStore(urls.dynamodb);
  directory.remove();
});

async function succeed(...args: string[]): Promise<string> {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
  const env = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
  const outcome = await clickAgg([...args, '--data-dir', dataDir, '--quiet'], { env });
  expect({ args, ...outcome }).toMatchObject({ code: 0, stderr: '' });
  return outcome.stdout;
}

interface Place {
  dataDir: string;
  store: string;
}

/** Copies until it is done, or killed some time after it told so often. Gives whether it was killed. */
async function copy(from: Place, to: Place, killAt?: { told: number; afterMs: number }): Promise<boolean> {
  const options = JSON.stringify({ from, to, folder: directory.path });
  const args = ['--input-type=module', '-e', COPIER, DIST, options];
  const copier = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(copier, 'exit');
  let told = 0;
  copier.on('message', async () => {
    if (!killAt || told++ !== killAt.told) return;
    await sleep(killAt.afterMs);
    copier.kill('SIGKILL');
  });
  const [code, signal] = (await ended) as [number | null, string | null];
  if (signal === null) expect(code).toBe(0);
  return signal !== null;
}

/** Everything that a store holds, however its letters are numbered. */
async function contents(place: Place): Promise<object> {
  const reader = await openReader(place, { allowScan: true });
  try {
    const { sourceIdentity: _, ...state } = await reader.state();
    const filter = { verdict: undefined, reason: undefined, at: [], limit: 10_000 };
    const letters = await reader.deadLetters({ ...filter, after: { partition: -1, offset: -1 } });
    const hours = await reader.query({ ...EVERYTHING, groupBy: ['hour', 'ad_id'] });
    const ledger = await reader.ledgerByPartition();
    return { state, totals: await reader.query(EVERYTHING), hours, ledger, letters };
  } finally {
    await reader.close();
  }
}

test(
  `copies of every kind that are killed and begun again are the store (seed ${SEED})`,
  async () => {
    const random = randomBy(SEED);
    const place = (store: string, folder = dataDir): Place => ({ dataDir: folder, store });
    const duckdb = place('duckdb');
    const back = place('duckdb', join(directory.path, 'back'));
    mkdirSync(back.dataDir);
    const wanted = await contents(duckdb);
    let kills = 0;
    for (const [from, to] of [
      [duckdb, place(urls.postgres)],
      [place(urls.postgres), place(urls.cassandra)],
      [duckdb, place(urls.dynamodb)],
      [place(urls.postgres), place(urls.clickhouse)],
      [place(urls.cassandra), back],
    ] as const) {
      let killed = true;
      for (let attempt = 0; attempt < 2 && killed; attempt++) {
        killed = await copy(from, to, { told: Math.floor(random() * 4), afterMs: random() * 150 });
        if (killed) kills++;
      }
      await copy(from, to);
      expect(await contents(to)).toEqual(wanted);
    }
    expect(kills).toBeGreaterThan(0);
    await Promise.all(
      [urls.cassandra, urls.dynamodb, urls.clickhouse].map((store) => succeed('reconcile', '--store', store)),
    );
  },
  SERVICE_START_MS,
);
