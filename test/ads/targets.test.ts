// Targets with real servers: who is asked how often, and what goes on when one of them is killed or falls silent.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgresAds } from '../../src/adapters/postgres/ads-table.js';
import { connectRedis, type RedisConnection } from '../../src/adapters/redis/connection.js';
import { type Ad, type AdsTable, toTarget } from '../../src/ads/ad.js';
import { cachedTargets } from '../../src/ads/cached-targets.js';
import { SharedTargets } from '../../src/ads/shared-targets.js';
import { type Targets, TargetsUnavailableError } from '../../src/ads/targets.js';
import { openAdsTable, openTargets, shareChanges } from '../../src/stores/open-ads.js';
import { adOf } from '../contract/ads-contract.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../services.js';

const TTL_MS = 200;

let redis: OwnService<'redis'>;
let postgres: OwnService<'postgres'>;
let table: AdsTable;
let cache: RedisConnection;

beforeAll(async () => {
  redis = await ownService('redis');
  postgres = await ownService('postgres');
  table = await openPostgresAds(postgres.address.url, { write: true });
  cache = await connectRedis(redis.address.url, { answerWaitMs: 5_000 });
}, SERVICE_START_MS);

afterAll(async () => {
  await table.close();
  await cache.close();
  await redis.remove();
  await postgres.remove();
});

const opened: Targets[] = [];
const lines: string[] = [];
/** A server of its own. */
async function serve(options: { redis?: string | undefined; adsTtlMs?: number } = {}): Promise<Targets> {
  const targets = await openTargets(
    { dataDir: 'none', ads: postgres.address.url, redis: redis.address.url, adsTtlMs: 60_000, ...options },
    (line) => lines.push(line),
  );
  opened.push(targets);
  return targets;
}

/** The same, but it waits for Redis for as long as a busy machine may take: what it asks whom is certain then. */
async function servePatiently({ adsTtlMs = 60_000 } = {}): Promise<Targets> {
  const onChange = (line: string) => lines.push(line);
  const targets = cachedTargets({
    table: await openAdsTable({ dataDir: 'none', ads: postgres.address.url }, { answerWaitMs: 2_000 }),
    redis: await connectRedis(redis.address.url, { onChange, answerWaitMs: 5_000 }),
    ...{ memory: { knownMs: adsTtlMs, unknownMs: adsTtlMs / 2 }, tableWaitMs: 2_000, onChange },
    shared: { knownMs: 600_000, unknownMs: 30_000 },
  });
  opened.push(targets);
  return targets;
}

let made = 0;
async function newAds(count: number): Promise<Ad[]> {
  const ads = Array.from({ length: count }, () => adOf(`ad-${made++}`));
  await table.upsert(ads);
  return ads;
}
async function newAd(): Promise<Ad> {
  return (await newAds(1))[0]!;
}

beforeEach(() => {
  lines.length = 0;
});
afterEach(async () => {
  for (const targets of opened.splice(0)) await targets.close();
});

/** Asks until the answer is as wanted: caches and reconnections take their time. */
async function eventually<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await sleep(20);
  }
}

describe('an ad', () => {
  test('that a thousand ask for at once is asked for once', async () => {
    const ad = await newAd();
    const targets = await serve();
    const found = await Promise.all(Array.from({ length: 1_000 }, () => targets.find(ad.adId)));
    expect(new Set(found.map((target) => JSON.stringify(target)))).toEqual(
      new Set([JSON.stringify(toTarget(ad))]),
    );
    expect(targets.stats()).toMatchObject({ queries: 1, hits: 0, cached: 1 });
    expect(targets.find(ad.adId)).toEqual(toTarget(ad));
    expect(targets.stats()).toMatchObject({ queries: 1, hits: 1 });
  });

  test('comes with others that are asked for in the same moment', async () => {
    const ads = await newAds(3_000);
    const targets = await serve();
    const found = await Promise.all(ads.map(({ adId }) => targets.find(adId)));
    expect(found).toEqual(ads.map(toTarget));
    expect(targets.stats().queries).toBeLessThan(30);
  });

  test('that one server has looked up the others have from Redis', async () => {
    const ad = await newAd();
    expect(await (await servePatiently()).find(ad.adId)).toEqual(toTarget(ad));
    const other = await servePatiently();
    await eventually(
      () => cache.get(`click-agg:ad:${ad.adId}`),
      (text) => typeof text === 'string',
    );
    expect(await other.find(ad.adId)).toEqual(toTarget(ad));
    expect(other.stats()).toMatchObject({ shared: 1, queries: 0 });
  });

  test('that does not exist is remembered as such, in memory and in Redis', async () => {
    const id = `none-${made++}`;
    const [one, other] = [await servePatiently(), await servePatiently()];
    expect(await one.find(id)).toBeUndefined();
    expect(await one.find(id)).toBeUndefined();
    expect(one.stats().queries).toBe(1);
    await eventually(
      () => cache.get(`click-agg:ad:${id}`),
      (text) => text === '-',
    );
    expect(await other.find(id)).toBeUndefined();
    expect(other.stats()).toMatchObject({ shared: 1, queries: 0, cached: 0 });
  });

  test('that is changed or made is seen by all, as soon as Redis hears of it', async () => {
    const ad = await newAd();
    const id = `later-${made++}`;
    const servers = [await serve({ adsTtlMs: TTL_MS }), await serve({ adsTtlMs: TTL_MS })];
    for (const server of servers) {
      expect(await server.find(ad.adId)).toEqual(toTarget(ad));
      expect(await server.find(id)).toBeUndefined();
    }
    const changes = [adOf(ad.adId, { targetUrl: 'https://example.org/new', active: false }), adOf(id)];
    await table.upsert(changes);
    expect(await shareChanges(redis.address.url, changes)).toBe(true);
    for (const server of servers) {
      for (const change of changes) {
        await eventually(
          async () => await server.find(change.adId),
          (found) => JSON.stringify(found) === JSON.stringify(toTarget(change)),
        );
      }
    }
  });

  test('is not overwritten in Redis by a server that had read it before it was changed', async () => {
    const ad = await newAd();
    const changed = adOf(ad.adId, { targetUrl: 'https://example.org/new' });
    expect(await shareChanges(redis.address.url, [changed])).toBe(true);
    const shared = new SharedTargets(cache, { knownMs: 60_000, unknownMs: 60_000 });
    await shared.fill(ad.adId, toTarget(ad));
    await shared.fill(ad.adId, undefined);
    expect(await shared.get(ad.adId)).toEqual(toTarget(changed));
  });

  test.each(['', '[]', '{', 'null', '["c","javascript:alert(1)",true]', '["c","https://x.y/",1]'])(
    'of which Redis says %j is looked up in the table',
    async (text) => {
      const ad = await newAd();
      await cache.set(`click-agg:ad:${ad.adId}`, text, 60_000);
      expect(await (await serve()).find(ad.adId)).toEqual(toTarget(ad));
    },
  );
});

describe('PostgreSQL', () => {
  test.each(['kill', 'pause'] as const)('gone (%s): known ads go on, others are not known', async (how) => {
    const [ad, elsewhere, nowhere] = await newAds(3);
    const targets = await servePatiently({ adsTtlMs: TTL_MS });
    expect(await targets.find(ad!.adId)).toEqual(toTarget(ad!));
    await (await servePatiently()).find(elsewhere!.adId);
    await eventually(
      () => cache.get(`click-agg:ad:${elsewhere!.adId}`),
      (text) => typeof text === 'string',
    );
    await postgres[how]();
    try {
      await cache.delete([`click-agg:ad:${ad!.adId}`]);
      // Longer than its life in memory, so that some of the answers are old ones.
      while (targets.stats().stale < 3) {
        expect(await targets.find(ad!.adId)).toEqual(toTarget(ad!));
        await sleep(TTL_MS);
      }
      expect(await targets.find(elsewhere!.adId)).toEqual(toTarget(elsewhere!));
      await expect((async () => targets.find(nowhere!.adId))()).rejects.toThrow(TargetsUnavailableError);
      expect(targets.stats()).toMatchObject({ failures: 1, tableAnswers: false });
      expect(lines).toEqual([expect.stringMatching(/^no answer from the ads table/)]);
    } finally {
      await (how === 'kill' ? postgres.start() : postgres.resume());
    }
    const found = await eventually(
      async () => {
        const [outcome] = await Promise.allSettled([targets.find(nowhere!.adId)]);
        return outcome;
      },
      ({ status }) => status === 'fulfilled',
    );
    expect(found).toMatchObject({ value: toTarget(nowhere!) });
    expect(lines.at(-1)).toMatch(/answers again$/);
  });

  test('gone when a server starts is waited for, and ads come from Redis meanwhile', async () => {
    const ad = await newAd();
    await (await servePatiently()).find(ad.adId);
    await eventually(
      () => cache.get(`click-agg:ad:${ad.adId}`),
      (text) => typeof text === 'string',
    );
    await postgres.kill();
    try {
      expect(await (await servePatiently()).find(ad.adId)).toEqual(toTarget(ad));
    } finally {
      await postgres.start();
    }
  });
});

describe('Redis', () => {
  test.each(['kill', 'pause'] as const)('gone (%s): every ad is still found', async (how) => {
    const ads = await newAds(20);
    const targets = await serve();
    expect(await targets.find(ads[0]!.adId)).toEqual(toTarget(ads[0]!));
    await redis[how]();
    try {
      for (const ad of ads) expect(await targets.find(ad.adId)).toEqual(toTarget(ad));
      expect(targets.stats()).toMatchObject({ redisAnswers: false, failures: 0 });
      expect(await (await serve()).find(ads[1]!.adId)).toEqual(toTarget(ads[1]!));
      expect(await shareChanges(redis.address.url, ads)).toBe(false);
    } finally {
      await (how === 'kill' ? redis.start() : redis.resume());
    }
    await eventually(
      async () => {
        await targets.find(`none-${made++}`);
        return targets.stats().redisAnswers;
      },
      (answers) => answers === true,
    );
    expect(lines.filter((line) => line.startsWith('redis://')).at(-1)).toMatch(/answers again$/);
  });
});
