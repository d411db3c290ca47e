// Which table a question is asked of, what is refused, and that hours and days say the same as minutes.
import { describe, expect, test } from 'vitest';
import { TOTALS_TABLES } from '../../src/adapters/journaled/database.js';
import { openHead } from '../../src/adapters/journaled/head.js';
import { PARTITIONS_MAX, planOf } from '../../src/adapters/journaled/plan.js';
import { openJournaledReader, openJournaledStore } from '../../src/adapters/journaled/store.js';
import { EVERYTHING, type TotalsQuery } from '../../src/core/ports/store.js';
import { QuestionRefused } from '../../src/errors.js';
import { errorAnswerOf } from '../../src/serve/error-answer.js';
import { readTide } from '../../src/serve/tide.js';
import { cell, commitOf, MINUTE_MS, randomBy, START_MS, type WrittenCell } from '../contract/commits.js';
import { MemoryServer } from './memory-database.js';

const DAY_MS = 1440 * MINUTE_MS;
const MIDNIGHT_MS = Date.UTC(2026, 1, 22);
const SEED = Number(process.env.QUESTIONS_SEED ?? Date.now() % 1_000_000);

/** A store whose cells lie in 40 days from the 22nd of February on. */
async function fortyDays(): Promise<MemoryServer> {
  const server = new MemoryServer();
  const store = await openJournaledStore(server.connect());
  const cells = Array.from({ length: 40 }, (_, day) => cell({ minuteMs: START_MS + day * DAY_MS }));
  await store.commit(commitOf({ cells }));
  await store.close();
  return server;
}

describe('a question', () => {
  const planned = async (parts: Partial<TotalsQuery>, allowScan = false): Promise<string> => {
    const { state } = await openHead((await fortyDays()).connect());
    const query = { ...EVERYTHING, ...parts };
    const { table, partitions } = planOf(query, { tables: TOTALS_TABLES, state, allowScan });
    return `${table.name} ${partitions?.length ?? 'all'}`;
  };

  test('is asked of the table that is made for it', async () => {
    const day = { fromMs: MIDNIGHT_MS, toMs: MIDNIGHT_MS + DAY_MS };
    const week = { fromMs: MIDNIGHT_MS, toMs: MIDNIGHT_MS + 7 * DAY_MS };
    const [ad, campaign, country] = [{ adIds: ['ad-1'] }, { campaignIds: ['c'] }, { countries: ['DE'] }];
    expect(await planned({ ...ad, ...day, groupBy: ['minute'] })).toBe('by_ad 1');
    expect(await planned({ ...ad, ...day })).toBe('by_ad 1');
    expect(await planned({ ...ad, ...week, groupBy: ['hour'] })).toBe('ad_hours 1');
    expect(await planned({ ...ad, groupBy: ['day', 'country'] })).toBe('ad_days 1');
    expect(await planned({ ...campaign, ...week, groupBy: ['hour'] })).toBe('campaign_hours 1');
    expect(await planned({ ...campaign, ...day, groupBy: ['country'] })).toBe('campaign_days 1');
    expect(await planned({ ...campaign, ...day, groupBy: ['ad_id'] })).toBe('by_campaign 8');
    expect(await planned({ ...country, ...day, groupBy: ['device_type'] })).toBe('country_days 1');
    expect(await planned({ ...country, groupBy: ['campaign_id'], ...day })).toBe('by_country 8');
    expect(await planned({ ...ad, ...country, groupBy: ['day'] })).toBe('ad_days 1');
    const twenty = { campaignIds: Array.from({ length: 20 }, (_, n) => `c-${n}`) };
    expect(await planned({ ...twenty, ...country, ...day, groupBy: ['device_type'] })).toBe(
      'campaign_days 20',
    );
    expect(await planned({ adIds: ['a', 'b', 'a'], ...week, groupBy: ['day'] })).toBe('ad_days 2');
    // Edges that are no hour's.
    const odd = { fromMs: MIDNIGHT_MS + MINUTE_MS, toMs: MIDNIGHT_MS + DAY_MS };
    expect(await planned({ ...ad, ...odd, groupBy: ['day'] })).toBe('by_ad 1');
    expect(
      await planned({ ...ad, ...day, fromMs: odd.fromMs - MINUTE_MS + 3_600_000, groupBy: ['day'] }),
    ).toBe('ad_hours 1');
    // Before the first minute and behind the last one there is nothing to be left out.
    const wide = { fromMs: 60_001, toMs: START_MS + 39 * DAY_MS + MINUTE_MS };
    expect(await planned({ ...ad, ...wide, groupBy: ['day'] })).toBe('ad_days 1');
  });

  test('that no table answers is refused, with what would answer it', async () => {
    await expect(planned({})).rejects.toThrow(/certain ads, campaigns or countries/);
    await expect(planned({ deviceTypes: ['mobile'], groupBy: ['day'] })).rejects.toThrow(QuestionRefused);
    const many = Array.from({ length: 100 }, (_, index) => `c-${index}`);
    await expect(planned({ campaignIds: many, groupBy: ['minute'] })).rejects.toThrow(
      `it lies in ${100 * 40 * 8} partitions, of which at most ${PARTITIONS_MAX} are read`,
    );
    expect(await planned({ campaignIds: many, groupBy: ['day'] })).toBe('campaign_days 100');
    expect(await planned({}, true)).toBe('by_ad all');
    expect(await planned({ campaignIds: many, groupBy: ['minute'] }, true)).toBe('by_ad all');
    expect(await planned({ deviceTypes: ['mobile'], groupBy: ['day'] }, true)).toBe('country_days all');
  });

  test('is refused by readers unless they may read everything, and over HTTP with 422', async () => {
    const server = await fortyDays();
    const reader = await openJournaledReader(server.connect());
    const [refused] = await Promise.allSettled([reader!.query(EVERYTHING)]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { exitCode: 2, hint: /--allow-scan/ } });
    const { status, answer } = errorAnswerOf(
      (refused as PromiseRejectedResult).reason,
      undefined,
      () => undefined,
    );
    expect([status, answer.error.code]).toEqual([422, 'refused']);
    const scanning = await openJournaledReader(server.connect(), { allowScan: true });
    expect(await scanning!.query(EVERYTHING)).toHaveLength(40);
    const store = await openJournaledStore(server.connect());
    const position = { partition: 0, position: 1, rewindOffset: 0, rewindMaxEventTimeMs: 0 };
    await store.commit(commitOf({ positions: [{ ...position, maxEventTimeMs: START_MS + 1 }] }));
    expect((await readTide(reader!)).newestMs).toBe(START_MS + MINUTE_MS);
  });

  test('there is none where nothing was counted', async () => {
    expect(await openJournaledReader(new MemoryServer().connect())).toBeUndefined();
  });
});

test(`tables answer as one look at everything would (seed ${SEED})`, async () => {
  const random = randomBy(SEED);
  const pick = <T>(things: readonly T[]): T => things[Math.floor(random() * things.length)]!;
  const server = new MemoryServer();
  const store = await openJournaledStore(server.connect());
  const written = new Map<string, WrittenCell>();
  for (let commit = 0; commit < 6; commit++) {
    const cells = Array.from({ length: 60 }, () =>
      cell({
        minuteMs: Date.UTC(2025, 11, 30) + Math.floor(random() * 80) * 61 * MINUTE_MS,
        adId: pick(['a', 'b', 'c', '\uff5e', '😀']),
        campaignId: pick(['x', 'y']),
        ...{
          country: pick(['DE', 'FR']),
          deviceType: pick(['tv', 'mobile']),
          clicks: Math.floor(random() * 5),
        },
      }),
    );
    const unique = new Map(cells.map((one) => [JSON.stringify({ ...one, clicks: 0 }), one]));
    const known = [...unique].map(([name, one]) => ({ ...one, rewrite: written.has(name) }));
    for (const [name, one] of unique) written.set(name, one);
    await store.commit(commitOf({ cells: known.filter(({ clicks, rewrite }) => clicks > 0 || rewrite) }));
  }
  const cells = [...written.values()].filter(({ clicks }) => clicks > 0);
  const reader = await openJournaledReader(server.connect());
  const columns = ['minute', 'hour', 'day', 'ad_id', 'campaign_id', 'country', 'device_type'] as const;
  for (let question = 0; question < 150; question++) {
    const edge = () =>
      Date.UTC(2025, 11, 30) + Math.floor(random() * 90) * pick([MINUTE_MS, 3_600_000, 3_600_000 * 24]);
    const query: TotalsQuery = {
      fromMs: random() < 0.5 ? undefined : edge(),
      toMs: random() < 0.5 ? undefined : edge(),
      adIds: random() < 0.4 ? [pick(['a', 'b', '😀'])] : [],
      campaignIds: random() < 0.3 ? ['x'] : [],
      countries: random() < 0.3 ? ['DE', 'FR'] : ['DE'],
      deviceTypes: random() < 0.3 ? ['tv'] : [],
      groupBy: columns.filter(() => random() < 0.3),
      limit: random() < 0.3 ? 3 : undefined,
      top: random() < 0.3,
    };
    expect(await reader!.query(query), JSON.stringify(query)).toEqual(plainAnswer(cells, query));
  }
});

/** The answer in the plainest way. */
function plainAnswer(cells: readonly WrittenCell[], query: TotalsQuery): Record<string, unknown>[] {
  const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  const oneOf = (wanted: readonly string[], text: string): boolean =>
    wanted.length === 0 || wanted.includes(text);
  const asked =
    query.groupBy.length > 0
      ? query.groupBy
      : (['minute', 'ad_id', 'campaign_id', 'country', 'device_type'] as const);
  const sums = new Map<string, number>();
  for (const one of cells) {
    const { minuteMs, adId, campaignId, country, deviceType, clicks } = one;
    if (query.fromMs !== undefined && minuteMs < query.fromMs) continue;
    if (query.toMs !== undefined && minuteMs >= query.toMs) continue;
    if (!oneOf(query.adIds, adId) || !oneOf(query.campaignIds, campaignId)) continue;
    if (!oneOf(query.countries, country) || !oneOf(query.deviceTypes, deviceType)) continue;
    const row = {
      minute: iso(minuteMs),
      hour: iso(Math.floor(minuteMs / 3_600_000) * 3_600_000),
      day: iso(Math.floor(minuteMs / DAY_MS) * DAY_MS),
      ...{ ad_id: adId, campaign_id: campaignId, country, device_type: deviceType },
    };
    const key = JSON.stringify(asked.map((column) => row[column]));
    sums.set(key, (sums.get(key) ?? 0) + clicks);
  }
  const rows = [...sums].map(([key, clicks]) => ({ values: JSON.parse(key) as string[], clicks }));
  const order = (a: string[], b: string[]): number =>
    a.reduce((before, text, index) => before || Buffer.compare(Buffer.from(text), Buffer.from(b[index]!)), 0);
  rows.sort((a, b) => (query.top ? b.clicks - a.clicks : 0) || order(a.values, b.values));
  return rows.slice(0, query.limit).map(({ values, clicks }) => ({
    ...Object.fromEntries(asked.map((column, i) => [column, values[i]])),
    clicks,
  }));
}
