// Who keeps the books or reads all of a store beside its living owner: both get on, and what must be of one commit is.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rowsOfParquet, TOTALS_COLUMNS } from '../../src/adapters/duckdb/table-files.js';
import { readHead } from '../../src/adapters/journaled/head.js';
import {
  openJournaledBooks,
  openJournaledReader,
  openJournaledStore,
} from '../../src/adapters/journaled/store.js';
import { cell, commitOf, MINUTE_MS, START_MS } from '../contract/commits.js';
import { lifeOf } from './life.js';
import { MemoryServer } from './memory-database.js';
import { expectStore } from './proof.js';

const SEED = Number(process.env.BESIDE_SEED ?? Date.now() % 1_000_000);
const LIFE = 60;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'click-agg-beside-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test(`books are kept and snapshots taken while commits come without a break (seed ${SEED})`, async () => {
  const life = lifeOf(SEED, LIFE);
  const server = new MemoryServer();
  const database = server.connect();
  const store = await openJournaledStore(database);
  await store.takeOver();
  let done = false;
  const committing = (async () => {
    for (const commit of life.commits) await store.commit(commit);
    done = true;
  })();
  const books = (await openJournaledBooks(server.connect()))!;
  const reader = (await openJournaledReader(server.connect()))!;
  const line = { campaignId: 'c', clicks: 1, pricePerClick: '1', amount: '1', currency: 'EUR' };
  let snapshots = 0;
  for (let round = 0; round === 0 || !done; round++) {
    const fromMs = START_MS + round * MINUTE_MS;
    const period = { periodId: `${round}`, fromMs, toMs: fromMs + MINUTE_MS, closedAtMs: 0, methodHash: 'h' };
    await books.closePeriod({ ...period, lines: [line] });
    await books.addAdjustments([
      { ...line, periodId: `${round}`, cause: 'late clicks', recordedAtMs: round },
    ]);
    expect((await reader.closedPeriods()).length).toBe(round + 1);
    expect((await reader.adjustments()).map(({ recordedAtMs }) => recordedAtMs).at(-1)).toBe(round);
    const snapshot = await reader.snapshot(directory, { fromMs: undefined, toMs: undefined });
    expect(await clicksOf(snapshot.totalsFile)).toBe(clicksAfter(snapshot.state.commits));
    snapshots++;
  }
  await committing;
  expect(snapshots).toBeGreaterThan(0);
  await expectStore(store, database, life.expected[LIFE]!);
  function clicksAfter(commits: number): number {
    return [...life.expected[commits]!.cells.values()].reduce((a, b) => a + b, 0);
  }
});

test('a backfill beside the owner changes what the owner sums up next', async () => {
  const server = new MemoryServer();
  const store = await openJournaledStore(server.connect());
  await store.commit(commitOf({ cells: [cell({ clicks: 5 })] }));
  const period = { fromMs: START_MS, toMs: START_MS + MINUTE_MS };
  const files = await store.snapshot(directory, period);
  await store.commit(commitOf({ cells: [cell({ clicks: 9, rewrite: true })] }));
  const books = (await openJournaledBooks(server.connect()))!;
  const revision = { revision: 1, ...period, recordedAtMs: 0, methodHash: 'h', tooLateAdmitted: 0 };
  const none = { positions: [], adjustments: [] };
  await books.replacePeriod({ ...period, ...files, revision: { ...revision, ...none }, adjustments: [] });
  await store.commit(commitOf({ cells: [cell({ minuteMs: START_MS + MINUTE_MS, clicks: 2 })] }));
  expect(await store.audit!({ fromMs: undefined, toMs: undefined }, 5)).toMatchObject({ differing: 0 });
  const reader = (await openJournaledReader(server.connect()))!;
  const query = {
    adIds: ['ad-1'],
    campaignIds: [],
    countries: [],
    deviceTypes: [],
    limit: undefined,
    top: false,
  };
  expect(await reader.query({ ...query, fromMs: undefined, toMs: undefined, groupBy: ['day'] })).toEqual([
    { day: '2026-02-22T00:00:00Z', clicks: 7 },
  ]);
});

test('a commit that nobody completes is completed by the next write of the same epoch', async () => {
  const server = new MemoryServer();
  const store = await openJournaledStore(server.connect());
  await store.commit(commitOf({ cells: [cell()] }));
  const dying = await openJournaledStore(
    server.connect({
      step(what) {
        if (what.startsWith('writeTotals ad_days')) throw new Error('died');
      },
    }),
  );
  await expect(dying.commit(commitOf({ cells: [cell({ adId: 'ad-2' })] }))).rejects.toThrow('died');
  expect((await readHead(server.connect()))?.state.pending).toBeDefined();
  const books = (await openJournaledBooks(server.connect(), { patienceMs: 50 }))!;
  await books.addAdjustments([]);
  await books.markRedriven([], 0);
  expect((await books.standing()).commits).toBe(2);
  expect(await books.audit!({ fromMs: undefined, toMs: undefined }, 5)).toMatchObject({ differing: 0 });
});

async function clicksOf(path: string): Promise<number> {
  let clicks = 0;
  for await (const rows of rowsOfParquet(path, TOTALS_COLUMNS.slice(-1), 'true'))
    for (const [value] of rows) clicks += Number(value);
  return clicks;
}
