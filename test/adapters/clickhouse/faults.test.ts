// Sudden death and sleep: of the server, of the store's owner. What is left are whole commits, each once.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkStore, initStore, openStore, openStoreReader } from '../../../src/adapters/clickhouse/store.js';
import { EVERYTHING, type StoreReader } from '../../../src/core/ports/store.js';
import { FencedError } from '../../../src/errors.js';
import { cell, commitOf, commitOfLife, randomBy } from '../../contract/commits.js';
import { killWriters, totalsOfLife } from '../../contract/store-kills.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../../services.js';
import { dropStores, inDatabase, storeIn } from './databases.js';

const DIST_STORE = resolve(import.meta.dirname, '../../../dist/adapters/clickhouse/store.js');
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

afterAll(dropStores);

/** The store holds the first `commits` commits of the life, and nothing else. */
async function expectLife(store: StoreReader, commits: number): Promise<void> {
  const { cells, clicks } = totalsOfLife(commits);
  const rows = await store.query(EVERYTHING);
  expect(rows.length).toBe(cells);
  expect(rows.reduce((sum, row) => sum + Number(row.clicks), 0)).toBe(clicks);
  expect((await store.ledger()).billable).toBe(clicks);
  expect((await store.state()).positions[0]?.position ?? 0).toBe(commits * 10);
}

describe('the owner of a store', () => {
  test('can’t write any more when another one has taken it over', async () => {
    const url = await storeIn('taken');
    const [first, second] = [await openStore(url), await openStore(url)];
    expect([await first.takeOver(), await second.takeOver()]).toEqual([1, 2]);
    await expect(first.commit(commitOf({ cells: [cell()] }))).rejects.toThrow(FencedError);
    await second.commit(commitOf({ cells: [cell({ adId: 'ad-2' })] }));
    expect((await second.query(EVERYTHING)).map(({ ad_id }) => ad_id)).toEqual(['ad-2']);
    await first.close();
    await second.close();
  });

  test(
    `that is killed at any moment leaves whole commits (seed ${SEED})`,
    async () => {
      await killWriters({
        ...{ module: DIST_STORE, exported: 'openStore', path: await storeIn('killed'), kills: 3, seed: SEED },
        async open(path) {
          const store = await openStore(path);
          await store.takeOver();
          return store;
        },
      });
    },
    SERVICE_START_MS,
  );

  test(`paused amid its commits writes nothing when it wakes up (seed ${SEED})`, async () => {
    const url = await storeIn('paused');
    const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER, DIST_STORE, url], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    const ended = once(owner, 'exit');
    try {
      await once(owner, 'message');
      for (let step = 0; step < 100; step++) owner.send(commitOfLife(step), () => undefined);
      await once(owner, 'message');
      await sleep(randomBy(SEED)() * 300);
      owner.kill('SIGSTOP');
      const store = await openStore(url);
      await store.takeOver();
      const commits = (await store.state()).positions[0]!.position / 10;
      await expectLife(store, commits);
      await store.commit(commitOfLife(commits));
      const failure = new Promise((told) => {
        owner.on('message', (message) => message !== 'committed' && told(message));
      });
      owner.kill('SIGCONT');
      expect(await failure).toBe('FencedError');
      await expectLife(store, commits + 1);
      await store.close();
    } finally {
      owner.kill('SIGKILL');
      await ended;
    }
  });
});

/** Takes the store over, commits what it is sent, and tells how that went. */
const OWNER = `
  const [module, url] = process.argv.slice(1);
  const store = await (await import(module)).openStore(url);
  await store.takeOver();
  let failed = false;
  process.on('message', async (commit) => {
    try {
      await store.commit(commit);
      process.send('committed');
    } catch (error) {
      if (!failed) process.send(error.name);
      failed = true;
    }
  });
  process.send('ready');
`;

describe('a server of its own', () => {
  let server: OwnService<'clickhouse'>;
  let url: string;
  beforeAll(async () => {
    server = await ownService('clickhouse', { settings: { CLICKHOUSE_PASSWORD: 'hidden-secret' } });
    const address = new URL(inDatabase(server.address.url, 'clicks'));
    address.password = 'hidden-secret';
    url = address.href;
    await initStore(url);
  }, SERVICE_START_MS);
  afterAll(() => server.remove());

  test(`killed amid commits holds whole ones, and the owner goes on when it is back (seed ${SEED})`, async () => {
    const random = randomBy(SEED);
    const warnings: string[] = [];
    const store = await openStore(url, { onWait: (line) => warnings.push(line) });
    await store.takeOver();
    let step = 0;
    for (let kill = 0; kill < 3; kill++) {
      // A busy machine may need longer for one than there is until the kill.
      await store.commit(commitOfLife(step++));
      let back: Promise<void> | undefined;
      const killing = sleep(20 + random() * 400).then(async () => {
        await server.kill();
        back = sleep(random() * 300).then(() => server.start());
      });
      while (!back) await store.commit(commitOfLife(step++));
      await killing;
      await back;
      await expectLife(store, step);
    }
    expect(step).toBeGreaterThan(3);
    expect(warnings.length).toBeGreaterThan(0);
    for (const line of warnings) expect(line).not.toContain('hidden-secret');
    await store.close();
  });

  test('that asks for a password is told one', async () => {
    const without = new URL(url);
    without.password = '';
    const refused = openStoreReader(without.href);
    await expect(refused).rejects.toThrow(
      /^clickhouse:\/\/default@[\d.:]+\/clicks refuses the user or the password$/,
    );
    const wrong = new URL(url);
    wrong.password = 'other-secret';
    await expect(openStore(wrong.href)).rejects.toThrow(/refuses the user or the password$/);
  });

  test('that hangs is said to, and goes on where it was when it wakes up', async () => {
    const store = await openStore(url);
    await store.takeOver();
    const { commits } = await store.standing();
    await server.pause();
    const committing = store.commit(commitOf({ cells: [cell({ adId: 'awake' })] }));
    await expect(checkStore(url)).rejects.toThrow(/\/clicks does not answer in time$/);
    await server.resume();
    await committing;
    expect((await store.standing()).commits).toBe(commits + 1);
    await store.close();
  });
});
