// Sudden death of either side: Cassandra by SIGKILL amid commits, and its writers at any moment.
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { initStore, openStore, openStoreReader } from '../../../src/adapters/cassandra/store.js';
import type { StoreBooks } from '../../../src/core/ports/books.js';
import { EVERYTHING, type Store } from '../../../src/core/ports/store.js';
import { FencedError } from '../../../src/errors.js';
import { cell, commitOf, commitOfLife, randomBy } from '../../contract/commits.js';
import { killWriters, totalsOfLife } from '../../contract/store-kills.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../../services.js';
import { dropStore, newStoreUrl } from './shared-server.js';

const DIST_STORE = resolve(import.meta.dirname, '../../../dist/adapters/cassandra/store.js');
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const KILL_MS = 300_000;

/** The store holds the first `commits` commits of the life, and nothing else. */
async function expectLife(store: Store & StoreBooks, commits: number): Promise<void> {
  const { cells, clicks } = totalsOfLife(commits);
  const rows = await store.query(EVERYTHING);
  expect(rows.length).toBe(cells);
  expect(rows.reduce((sum, row) => sum + Number(row.clicks), 0)).toBe(clicks);
  expect((await store.ledger()).billable).toBe(clicks);
}

describe('a writer', () => {
  let url: string;
  beforeEach(async () => {
    url = await newStoreUrl();
    await initStore(url);
  });
  afterEach(() => dropStore(url));

  test('can’t write any more when another one has taken the store over', async () => {
    const [first, second] = [await openStore(url), await openStore(url)];
    expect([await first.takeOver(), await second.takeOver()]).toEqual([1, 2]);
    await expect(first.commit(commitOf({ cells: [cell()] }))).rejects.toThrow(FencedError);
    await second.commit(commitOf({ cells: [cell({ adId: 'ad-2' })] }));
    const reader = await openStoreReader(url, { allowScan: true });
    expect((await reader!.query(EVERYTHING)).map(({ ad_id }) => ad_id)).toEqual(['ad-2']);
    for (const one of [first, second, reader!]) await one.close();
  });

  test(
    `that is killed at any moment leaves whole commits (seed ${SEED})`,
    async () => {
      await killWriters({
        ...{ module: DIST_STORE, exported: 'openStore', path: url, kills: 3, seed: SEED },
        async open(path) {
          const store = await openStore(path);
          await store.takeOver();
          return store;
        },
      });
    },
    KILL_MS,
  );
});

describe('a node', () => {
  let server: OwnService<'cassandra'>;
  let url: string;
  beforeAll(async () => {
    server = await ownService('cassandra');
    url = server.address.url;
    await initStore(url);
  }, SERVICE_START_MS);
  afterAll(() => server.remove());

  test(
    `that is killed amid commits holds whole commits, and the owner goes on when it is back (seed ${SEED})`,
    async () => {
      const random = randomBy(SEED);
      const warnings: string[] = [];
      const store = await openStore(url, { onWait: (line) => warnings.push(line) });
      await store.takeOver();
      let step = 0;
      for (let kill = 0; kill < 2; kill++) {
        const killing = sleep(100 + random() * 400).then(() => server.kill());
        let back: Promise<void> | undefined;
        killing.then(() => {
          back = server.start();
        });
        while (!back) await store.commit(commitOfLife(step++));
        await back;
        expect((await store.state()).positions[0]?.position).toBe(step * 10);
        await expectLife(store, step);
      }
      expect(step).toBeGreaterThan(1);
      expect(warnings.length).toBeGreaterThan(0);
      for (const line of warnings) {
        expect(line).toMatch(/cassandra:\/\/cassandra@127.0.0.1:\d+\/click_agg.*waiting up to 120 s/);
      }
      await store.close();
    },
    KILL_MS,
  );

  test(
    'that is silent is waited for, and no commit is lost or made twice',
    async () => {
      const store = await openStore(url);
      await store.takeOver();
      const before = (await store.standing()).commits;
      await server.pause();
      const committing = Promise.all(
        [0, 1, 2].map((step) => store.commit({ ...commitOfLife(step), ledger: [] })),
      );
      await sleep(2_000);
      await server.resume();
      await committing;
      expect((await store.standing()).commits).toBe(before + 3);
      await store.close();
    },
    KILL_MS,
  );

  test('that is gone is told of in one line, at once where nobody counts on it', async () => {
    const reader = await openStoreReader(url);
    await server.kill();
    await expect(openStoreReader(url)).rejects.toThrow(
      /^no Cassandra node answers at cassandra:\/\/cassandra@/,
    );
    await expect(reader!.standing()).rejects.toMatchObject({ name: 'UserError' });
    await reader!.close();
  });
});
