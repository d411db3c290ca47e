// The PostgreSQL store: the contract of stores, one owner at a time, sudden death of either side.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rowsOfParquet } from '../../../src/adapters/duckdb/table-files.js';
import { openStore, openStoreBooks, openStoreReader } from '../../../src/adapters/postgres/store.js';
import { DEFAULT_METHOD } from '../../../src/core/method.js';
import type { StoreBooks } from '../../../src/core/ports/books.js';
import { EVERYTHING, type Store } from '../../../src/core/ports/store.js';
import { FencedError } from '../../../src/errors.js';
import { cell, commitOf, commitOfLife, MINUTE_MS, randomBy, START_MS } from '../../contract/commits.js';
import { describeStore } from '../../contract/store-contract.js';
import { killWriters, totalsOfLife } from '../../contract/store-kills.js';
import { type OwnService, ownService } from '../../services.js';
import { dropStore, inSchema, newStoreUrl, schemaOf, sql } from './shared-server.js';

const DIST_STORE = resolve(import.meta.dirname, '../../../dist/adapters/postgres/store.js');
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

const stores = new Map<string, string>();
afterAll(async () => {
  for (const url of stores.values()) await dropStore(url);
});

describeStore('PostgreSQL', {
  async open(directory) {
    const url = stores.get(directory) ?? (await newStoreUrl());
    stores.set(directory, url);
    return await openStore(url);
  },
});

/** The store holds the first `commits` commits of the life, and nothing else. */
async function expectLife(store: Store & StoreBooks, commits: number): Promise<void> {
  const { cells, clicks } = totalsOfLife(commits);
  const rows = await store.query(EVERYTHING);
  expect(rows.length).toBe(cells);
  expect(rows.reduce((sum, row) => sum + Number(row.clicks), 0)).toBe(clicks);
  expect((await store.ledger()).billable).toBe(clicks);
}

describe('the owner of a store on a server', () => {
  let url: string;
  beforeEach(async () => {
    url = await newStoreUrl();
  });
  afterEach(() => dropStore(url));

  test('can’t write any more when another one has taken it over', async () => {
    const [first, second] = [await openStore(url), await openStore(url)];
    expect([await first.takeOver(), await second.takeOver()]).toEqual([1, 2]);
    await expect(first.commit(commitOf({ cells: [cell()] }))).rejects.toThrow(FencedError);
    await expect(first.begin({ method: DEFAULT_METHOD, sourceIdentity: 'log' })).rejects.toThrow(FencedError);
    await second.commit(commitOf({ cells: [cell({ adId: 'ad-2' })] }));
    expect((await second.query(EVERYTHING)).map(({ ad_id }) => ad_id)).toEqual(['ad-2']);
    expect(await first.takeOver()).toBe(3);
    await first.commit(commitOf({ cells: [cell({ adId: 'ad-3' })] }));
    await expect(second.commit(commitOf({}))).rejects.toThrow(FencedError);
    await first.close();
    await second.close();
  });

  test('that never took it over can’t write beside another one', async () => {
    const [first, second] = [await openStore(url), await openStore(url)];
    await first.commit(commitOf({ cells: [cell()] }));
    await expect(second.commit(commitOf({ cells: [cell({ clicks: 9 })] }))).rejects.toThrow(FencedError);
    await first.close();
    await second.close();
  });

  test(`paused amid its commits holds nobody up, and writes nothing when it wakes up (seed ${SEED})`, async () => {
    const random = randomBy(SEED);
    for (let round = 0; round < 2; round++) {
      const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER, DIST_STORE, url], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        serialization: 'advanced',
      });
      const ended = once(owner, 'exit');
      const [[begun]] = (await once(owner, 'message')) as [[number]];
      for (let step = begun; step < begun + 200; step++) owner.send(commitOfLife(step), () => undefined);
      await once(owner, 'message');
      await sleep(random() * 200);
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
      owner.kill('SIGKILL');
      await ended;
    }
  });

  test('commits exactly once however often its connection is cut', async () => {
    const store = await openStore(url);
    await store.takeOver();
    const random = randomBy(SEED);
    let cuts = 0;
    const cut = async (): Promise<void> => {
      await sleep(random() * 30);
      const [ended] = await sql(url, 'SELECT count(pg_terminate_backend(backend))::int AS count FROM writer');
      cuts += Number(ended!.count);
    };
    const commits = 30;
    for (let step = 0; step < commits; step++) {
      const cutting = random() < 0.4 ? cut() : undefined;
      await store.commit(commitOfLife(step));
      await cutting;
    }
    expect(cuts).toBeGreaterThan(0);
    await expectLife(store, commits);
    await store.close();
  });

  test('that is killed at any moment leaves whole commits', async () => {
    await killWriters({
      module: DIST_STORE,
      exported: 'openStore',
      path: url,
      kills: 5,
      seed: SEED,
      async open(path) {
        const store = await openStore(path);
        await store.takeOver();
        return store;
      },
    });
  });
});

/** Rows of a Parquet file, and the sum of one of its columns. */
async function sumOf(path: string, column: string): Promise<[rows: number, sum: number]> {
  let [count, sum] = [0, 0];
  for await (const rows of rowsOfParquet(path, [{ name: column, type: 'BIGINT' }], 'true')) {
    for (const [value] of rows) {
      count++;
      sum += Number(value);
    }
  }
  return [count, sum];
}

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
  const [position] = (await store.state()).positions;
  process.send([position ? position.position / 10 : 0]);
`;

describe('a server that is killed', () => {
  let server: OwnService<'postgres'>;
  beforeEach(async () => {
    // What is killed is the server, not the machine: its files need not reach the disk.
    server = await ownService('postgres', { settings: { fsync: 'off' } });
  });
  afterEach(() => server.remove());

  test(`amid commits holds whole commits, and the owner goes on when it is back (seed ${SEED})`, async () => {
    const random = randomBy(SEED);
    const warnings: string[] = [];
    const url = inSchema(server.address.url, 'killed');
    const store = await openStore(url, { onWait: (line) => warnings.push(line) });
    await store.takeOver();
    let step = 0;
    for (let kill = 0; kill < 3; kill++) {
      // A busy machine may need longer for one than there is until the kill.
      await store.commit(commitOfLife(step++));
      const killing = sleep(20 + random() * 150).then(() => server.kill());
      let back: Promise<void> | undefined;
      killing.then(() => {
        back = sleep(random() * 300).then(() => server.start());
      });
      while (!back) await store.commit(commitOfLife(step++));
      await back;
      expect((await store.state()).positions[0]?.position).toBe(step * 10);
      await expectLife(store, step);
    }
    expect(step).toBeGreaterThan(3);
    for (const line of warnings) expect(line).not.toContain(new URL(url).password);
    await store.close();
  });
});

describe('beside commits', () => {
  let url: string;
  let directory: string;
  let store: Store & StoreBooks;
  beforeEach(async () => {
    url = await newStoreUrl();
    directory = mkdtempSync(join(tmpdir(), 'click-agg-snapshot-'));
    store = await openStore(url);
  });
  afterEach(async () => {
    await store.close();
    await dropStore(url);
    rmSync(directory, { recursive: true, force: true });
  });

  test('every snapshot is of one commit', async () => {
    let done = false;
    const committing = (async () => {
      for (let step = 0; step < 20; step++) await store.commit(commitOfLife(step));
      done = true;
    })();
    const reader = await openStoreBooks(url);
    while (!done) {
      const { state, totalsFile, ledgerFile } = await reader!.snapshot(directory, {
        fromMs: undefined,
        toMs: undefined,
      });
      const { cells, clicks } = totalsOfLife((state.positions[0]?.position ?? 0) / 10);
      expect(await sumOf(totalsFile, 'clicks')).toEqual([cells, clicks]);
      expect((await sumOf(ledgerFile, 'billable'))[1]).toBe(clicks);
    }
    await committing;
    await reader!.close();
  });

  test('a new day is begun by the owner and by a backfill at the same time', async () => {
    const DAY_MS = 1440 * MINUTE_MS;
    const source = await newStoreUrl();
    const other = await openStore(source);
    const period = { fromMs: START_MS, toMs: START_MS + 30 * DAY_MS };
    const days = Array.from({ length: 15 }, (_, day) => START_MS + day * DAY_MS);
    await other.commit(commitOf({ cells: days.map((minuteMs) => cell({ minuteMs })) }));
    const files = await other.snapshot(directory, { fromMs: undefined, toMs: undefined });
    await other.close();
    await dropStore(source);
    const books = await openStoreBooks(url);
    const revision = {
      revision: 1,
      ...period,
      recordedAtMs: 0,
      methodHash: 'hash',
      positions: [],
      tooLateAdmitted: 0,
      adjustments: [],
    };
    await Promise.all([
      books!.replacePeriod({ ...period, ...files, revision, adjustments: [] }),
      ...days.map((day) =>
        store.commit(commitOf({ cells: [cell({ minuteMs: day + MINUTE_MS, adId: 'b' })] })),
      ),
    ]);
    const rows = await store.query({ ...EVERYTHING, groupBy: ['ad_id'] });
    // Commits before the replacement are replaced by it, those after it stay.
    expect(rows).toContainEqual({ ad_id: 'ad-1', clicks: 15 });
    const partitions = await sql(
      url,
      `SELECT count(*)::int AS count FROM pg_inherits WHERE inhparent = 'totals'::regclass`,
    );
    expect(partitions).toEqual([{ count: 15 }]);
    await books!.close();
  });

  test('texts of any kind come through a snapshot and back', async () => {
    const texts = [
      '',
      '"',
      '""',
      ',',
      '\n',
      '\r\n',
      '\r',
      '\\N',
      '\\.',
      '\n\\.\n',
      "'",
      'NULL',
      ' a ',
      '\t',
      '日"本,\n',
    ];
    const cells = texts.map((adId) => cell({ adId, campaignId: `x${adId}` }));
    await store.commit(commitOf({ cells }));
    const before = await store.query(EVERYTHING);
    const files = await store.snapshot(directory, { fromMs: undefined, toMs: undefined });
    const period = { fromMs: START_MS, toMs: START_MS + MINUTE_MS };
    await store.commit(commitOf({ cells: cells.map((one) => ({ ...one, clicks: 0, rewrite: true })) }));
    expect(await store.query(EVERYTHING)).toEqual([]);
    const revision = { revision: 1, ...period, recordedAtMs: 0, methodHash: 'h', tooLateAdmitted: 0 };
    await store.replacePeriod({
      ...period,
      ...files,
      revision: { ...revision, positions: [], adjustments: [] },
      adjustments: [],
    });
    expect(await store.query(EVERYTHING)).toEqual(before);
    expect(before).toHaveLength(texts.length);
  });

  test('a reader sees a store only when there is one', async () => {
    const empty = await newStoreUrl();
    expect(await openStoreReader(empty)).toBeUndefined();
    const reader = await openStoreReader(url);
    expect(await reader!.query(EVERYTHING)).toEqual([]);
    await reader!.close();
    expect(await sql(empty, 'SELECT 1 AS x FROM pg_namespace WHERE nspname = $1', [schemaOf(empty)])).toEqual(
      [],
    );
  });
});
