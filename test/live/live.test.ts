// A living run answers as its store would, keeps strangers out, and is not missed when it is gone.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import type { LiveStatus } from '../../src/core/live-status.js';
import type { StoreBooks } from '../../src/core/ports/books.js';
import { EVERYTHING, type Store } from '../../src/core/ports/store.js';
import { connectLive } from '../../src/live/client.js';
import { startLiveServer } from '../../src/live/server.js';
import { openBooks, openReader } from '../../src/stores/open-store.js';
import { cell, commitOf, deadLetter } from '../contract/commits.js';
import { describeStore } from '../contract/store-contract.js';

const STATUS: LiveStatus = {
  pid: process.pid,
  startedAtMs: 1,
  source: 'embedded log',
  methodHash: 'hash',
  records: 3,
  recordsPerSecond: 1.5,
  ledger: {
    ...{ records: 3, invalid: 0, too_late: 0, duplicate: 0, invalid_traffic: 0 },
    ...{ double_click: 0, bot: 0, billable: 3 },
  },
  partitions: [{ partition: 0, position: 3, end: undefined, watermarkMs: -Infinity }],
  rssBytes: 5,
  horizonClicks: 3,
  horizonBytes: 300,
  lastCommitAtMs: undefined,
  lastCommitMs: undefined,
};

async function live(dataDir: string, beforeSnapshot = async () => {}) {
  const store = await openStore(join(dataDir, 'store.duckdb'));
  const server = await startLiveServer({ store, status: () => STATUS, beforeSnapshot, dataDir });
  const end = async () => {
    await server.close();
    await store.close();
  };
  return { store, server, end };
}

describeStore('A living run', {
  async open(directory): Promise<Store & StoreBooks> {
    const { store, end } = await live(directory);
    const client = await connectLive(directory);
    expect(client).toBeDefined();
    const { takeOver, begin } = store;
    return { ...client!, takeOver, begin, commit: store.commit, close: end };
  },
});

describe('a living run', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'click-agg-live-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  test('says how it is, and no longer when it has ended', async () => {
    const { end } = await live(dataDir);
    const client = await connectLive(dataDir);
    expect(await client?.status()).toEqual(STATUS);
    await end();
    expect(await connectLive(dataDir)).toBeUndefined();
    await expect(client?.status()).rejects.toThrow(/has ended/);
  });

  test('is found by a file that only its owner may read', async () => {
    const { end } = await live(dataDir);
    expect(statSync(join(dataDir, 'run.json')).mode & 0o777).toBe(0o600);
    await end();
  });

  test('answers nobody without the token, and no question it does not know', async () => {
    const { server, end } = await live(dataDir);
    const { token } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')) as { token: string };
    const ask = (method: string, authorization: string, body: string): Promise<number | undefined> =>
      new Promise((done) => {
        const { port } = server;
        request({ host: '127.0.0.1', port, method, headers: { authorization } }, (response) => {
          response.resume();
          done(response.statusCode);
        }).end(body);
      });
    const question = JSON.stringify({ method: 'status', args: [] });
    expect(await ask('POST', '', question)).toBe(401);
    expect(await ask('POST', `Bearer ${token}x`, question)).toBe(401);
    expect(await ask('GET', `Bearer ${token}`, question)).toBe(401);
    expect(await ask('POST', `Bearer ${token}`, question)).toBe(200);
    for (const method of ['constructor', 'close', 'commit', '__proto__', 7])
      expect(await ask('POST', `Bearer ${token}`, JSON.stringify({ method, args: [] }))).toBe(500);
    expect(await ask('POST', `Bearer ${token}`, 'no JSON')).toBe(500);
    await end();
  });

  test('makes a complete commit before a snapshot', async () => {
    let commits = 0;
    const { store, end } = await live(dataDir, async () => {
      commits++;
      await store.commit(commitOf({ cells: [cell()], complete: true }));
    });
    const client = await connectLive(dataDir);
    const snapshot = await client?.snapshot(dataDir, { fromMs: undefined, toMs: undefined });
    expect([commits, snapshot?.complete]).toEqual([1, true]);
    await end();
  });

  test('that was killed leaves a file that nobody minds', async () => {
    const store = await openStore(join(dataDir, 'store.duckdb'));
    await store.commit(commitOf({ cells: [cell()], deadLetters: [deadLetter({ partition: 0, offset: 1 })] }));
    await store.close();
    for (const pid of [2 ** 22 + 5, process.pid]) {
      // A dead pid; then a pid that lives, but nobody listens on the port.
      writeFileSync(join(dataDir, 'run.json'), `{"pid":${pid},"port":1,"token":"ab"}\n`);
      expect(await connectLive(dataDir)).toBeUndefined();
      const reader = await openReader({ dataDir, store: 'duckdb' });
      expect(await reader.query(EVERYTHING)).toHaveLength(1);
      await reader.close();
    }
    const books = await openBooks({ dataDir, store: 'duckdb' });
    await books.markRedriven([{ partition: 0, offset: 1 }], 5);
    await books.close();
  });

  test('before there is a store, one is told to run first', async () => {
    await expect(openReader({ dataDir, store: 'duckdb' })).rejects.toThrow(
      /no totals in .* yet: run `click-agg run` first/,
    );
    await expect(openBooks({ dataDir: join(dataDir, 'none'), store: 'duckdb' })).rejects.toThrow(/no totals/);
  });

  test('a store that fails is told as it is', async () => {
    const { end } = await live(dataDir);
    const client = await connectLive(dataDir);
    const period = { periodId: 'p', fromMs: 0, toMs: 10, closedAtMs: 1, methodHash: 'h', lines: [] };
    await client?.closePeriod(period);
    await expect(client?.closePeriod(period)).rejects.toMatchObject({
      name: 'UserError',
      message: 'period p overlaps p, which is closed',
      hint: expect.stringContaining('never changes'),
    });
    await end();
  });

  test('a reader that goes away half-way disturbs nobody', async () => {
    const { store, end } = await live(dataDir);
    const cells = Array.from({ length: 50_000 }, (_, i) => cell({ adId: `ad-${i}` }));
    await store.commit(commitOf({ cells }));
    const client = await connectLive(dataDir);
    for await (const page of client!.pages(EVERYTHING)) {
      expect(page.length).toBeGreaterThan(0);
      break;
    }
    expect(await client?.query({ ...EVERYTHING, limit: 3 })).toHaveLength(3);
    await end();
  });
});
