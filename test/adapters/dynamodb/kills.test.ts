// Sudden death amid commits, of the service and of the store's writer: whole commits stay, and whoever lives goes on.
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../../src/adapters/dynamodb/store.js';
import type { StoreBooks } from '../../../src/core/ports/books.js';
import { EVERYTHING, type Store } from '../../../src/core/ports/store.js';
import { commitOfLife, randomBy } from '../../contract/commits.js';
import { killWriters, totalsOfLife } from '../../contract/store-kills.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../../services.js';
import { setKeys, urlOf } from './shared-server.js';

const DIST_STORE = resolve(import.meta.dirname, '../../../dist/adapters/dynamodb/store.js');
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

let server: OwnService<'dynamodb'>;
beforeAll(async () => {
  server = await ownService('dynamodb');
  setKeys(server.address);
}, SERVICE_START_MS);
afterAll(() => server?.remove());

/** The store holds the first `commits` commits of the life, and nothing else. */
async function expectLife(store: Store & StoreBooks, commits: number): Promise<void> {
  const { cells, clicks } = totalsOfLife(commits);
  const rows = await store.query(EVERYTHING);
  expect(rows.length).toBe(cells);
  expect(rows.reduce((sum, row) => sum + Number(row.clicks), 0)).toBe(clicks);
  expect((await store.ledger()).billable).toBe(clicks);
  expect((await store.state()).positions[0]?.position).toBe(commits * 10);
}

test(
  `a service that is killed amid commits has what it was told, and the owner goes on when it is back (seed ${SEED})`,
  async () => {
    const random = randomBy(SEED);
    const waits: string[] = [];
    const url = urlOf(server.address, 'killed');
    const store = await openStore(url, { onWait: (line) => waits.push(line) });
    await store.takeOver();
    let step = 0;
    for (let kill = 0; kill < 2; kill++) {
      const back = sleep(random() * 1500)
        .then(() => server.kill())
        .then(() => server.start());
      let isBack = false;
      back.then(() => {
        isBack = true;
      });
      do await store.commit(commitOfLife(step++));
      while (!isBack);
      await back;
      await expectLife(store, step);
    }
    expect(waits.length).toBeGreaterThan(0);
    await store.close();
    const reopened = await openStore(url);
    await expectLife(reopened, step);
    await reopened.close();
  },
  SERVICE_START_MS,
);

test(
  `a writer that is killed at any moment leaves whole commits (seed ${SEED})`,
  () =>
    killWriters({
      module: DIST_STORE,
      exported: 'openStore',
      path: urlOf(server.address, 'writers'),
      kills: 3,
      seed: SEED,
      async open(path) {
        const store = await openStore(path);
        await store.takeOver();
        return store;
      },
    }),
  SERVICE_START_MS,
);
