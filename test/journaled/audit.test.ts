// What somebody wrote by hand into one of the tables is found by comparing them.
import { expect, test } from 'vitest';
import { TOTALS_TABLES } from '../../src/adapters/journaled/database.js';
import { bucketOf, keptDimension, rowOf } from '../../src/adapters/journaled/places.js';
import { openJournaledReader, openJournaledStore } from '../../src/adapters/journaled/store.js';
import { MINUTE_MS } from '../contract/commits.js';
import { lifeOf } from './life.js';
import { MemoryServer } from './memory-database.js';

const SEED = Number(process.env.AUDIT_SEED ?? Date.now() % 1_000_000);
const ALWAYS = { fromMs: undefined, toMs: undefined };

test(`a spoilt row of any table is found, and no other (seed ${SEED})`, async () => {
  const { commits } = lifeOf(SEED, 12);
  const begun = new MemoryServer();
  const store = await openJournaledStore(begun.connect());
  for (const commit of commits) await store.commit(commit);
  expect(await store.audit!(ALWAYS, 5)).toEqual({ tables: 8, differing: 0, differences: [] });
  const day = Date.UTC(2026, 1, 28);
  const part = { fromMs: day + 22 * 60 * MINUTE_MS + 17 * MINUTE_MS, toMs: day + 25 * 60 * MINUTE_MS };
  expect((await store.audit!(part, 5)).differing).toBe(0);
  const [, ...copies] = TOTALS_TABLES;
  for (const table of copies) {
    const server = begun.copy();
    const dimension = keptDimension(table, ['ad-9', 'campaign-9', 'XX', 'tv']);
    const row = rowOf(table, dimension, { atMs: day, clicks: 7, shards: 8 });
    expect(row.bucket).toBe(bucketOf(table, day));
    server.spoil(table, row);
    const reader = await openJournaledReader(server.connect());
    const { differing, differences } = await reader!.audit!(ALWAYS, 5);
    expect(differing, table.name).toBe(1);
    const [adId, campaignId, country, deviceType] = dimension;
    const texts = { adId, campaignId, country, deviceType };
    expect(differences).toEqual([{ table: table.name, timeMs: day, ...texts, clicks: 7, expected: 0 }]);
  }
});
