// What every ads table promises, whatever it is kept in.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Ad, AdsTable } from '../../src/ads/ad.js';

/** An ad with a campaign and an advertiser of its own, unless told otherwise. */
export function adOf(adId: string, fields: Partial<Ad> = {}): Ad {
  return {
    adId,
    campaignId: `c-${adId}`,
    advertiserId: `adv-${adId}`,
    targetUrl: `https://example.com/${encodeURIComponent(adId)}`,
    pricePerClick: '0.10',
    currency: 'EUR',
    active: true,
    ...fields,
  };
}

async function all(table: AdsTable, filter?: Parameters<AdsTable['list']>[0]): Promise<Ad[]> {
  const pages: Ad[][] = [];
  for await (const page of table.list(filter)) pages.push(page);
  return pages.flat();
}

/** `open` opens the same table again and again; another one for each test. */
export function describeAdsTable(
  name: string,
  open: () => Promise<AdsTable>,
  renew: () => Promise<void>,
): void {
  describe(`the ads table in ${name}`, () => {
    let table: AdsTable;
    beforeEach(async () => {
      await renew();
      table = await open();
    });
    afterEach(() => table.close());

    test('is empty at first', async () => {
      expect(await table.get(['a'])).toEqual([]);
      expect(await all(table)).toEqual([]);
      expect(await table.prices()).toEqual([]);
      expect(await table.campaignsOf('adv-a')).toEqual([]);
      expect(await table.advertiserOf('c-a')).toBeUndefined();
    });

    test('gives back what was put into it, to others and after it was opened again', async () => {
      const odd = adOf('ä "1",\\ \u2028中', { pricePerClick: undefined, currency: undefined, active: false });
      expect(await table.upsert([odd, adOf('a')])).toEqual({
        added: 2,
        unchanged: 0,
        written: expect.any(Array),
      });
      expect(await all(table)).toEqual([adOf('a'), odd]);
      const again = await open();
      expect(await again.get([odd.adId, 'none'])).toEqual([odd]);
      await again.upsert([adOf('a', { targetUrl: 'https://example.org/' })]);
      await again.close();
      expect(await table.get(['a'])).toEqual([adOf('a', { targetUrl: 'https://example.org/' })]);
    });

    test('tells what was new, what changed and what was the same', async () => {
      await table.upsert([adOf('a'), adOf('b'), adOf('c')]);
      const { added, unchanged, written } = await table.upsert([
        ...[adOf('a'), adOf('b', { active: false }), adOf('c', { pricePerClick: '0.2' }), adOf('d')],
      ]);
      expect({ added, unchanged, written: written.sort() }).toEqual({
        added: 1,
        unchanged: 1,
        written: ['b', 'c', 'd'],
      });
    });

    test('gives all ads of a campaign one owner and one price; a price that is not said stays', async () => {
      const shared = { campaignId: 'c', advertiserId: 'x' };
      await table.upsert([
        adOf('a', shared),
        adOf('b', { ...shared, pricePerClick: undefined, currency: undefined }),
      ]);
      expect(await table.get(['b'])).toEqual([adOf('b', shared)]);
      await table.upsert([
        adOf('a', { campaignId: 'c', advertiserId: 'y', pricePerClick: '1.5', currency: 'USD' }),
      ]);
      expect(await all(table)).toEqual(
        ['a', 'b'].map((id) =>
          adOf(id, { campaignId: 'c', advertiserId: 'y', pricePerClick: '1.5', currency: 'USD' }),
        ),
      );
      expect(await table.prices()).toEqual([{ campaignId: 'c', pricePerClick: '1.5', currency: 'USD' }]);
      expect(await table.advertiserOf('c')).toBe('y');
      expect(await table.campaignsOf('x')).toEqual([]);
    });

    test('keeps a campaign whose ads have left it: its clicks still have an owner and a price', async () => {
      await table.upsert([adOf('a', { campaignId: 'old', advertiserId: 'x' })]);
      await table.upsert([adOf('a', { campaignId: 'new', advertiserId: 'x' })]);
      const again = await open();
      expect(await again.campaignsOf('x')).toEqual(['new', 'old']);
      expect((await again.prices()).map(({ campaignId }) => campaignId)).toEqual(['new', 'old']);
      await again.close();
    });

    test('lists by ad, campaign, advertiser and whether it is active, in pages and in order', async () => {
      const many = Array.from({ length: 5_200 }, (_, i) =>
        adOf(`ad-${String(i).padStart(5, '0')}`, {
          campaignId: `c${i % 7}`,
          advertiserId: `adv${(i % 7) % 2}`,
          active: i % 3 > 0,
        }),
      );
      expect((await table.upsert(many.toReversed())).added).toBe(many.length);
      expect(await all(table)).toEqual(many);
      for (const filter of [
        { campaignIds: ['c1', 'c2'] },
        { advertiserIds: ['adv1'], active: true },
        { adIds: ['ad-00003', 'ad-00004', 'nowhere'], active: false },
      ]) {
        const { campaignIds, advertiserIds, adIds, active } = { ...empty, ...filter };
        const wanted = many.filter(
          (ad) =>
            (campaignIds.length === 0 || campaignIds.includes(ad.campaignId)) &&
            (advertiserIds.length === 0 || advertiserIds.includes(ad.advertiserId)) &&
            (adIds.length === 0 || adIds.includes(ad.adId)) &&
            (active === undefined || ad.active === active),
        );
        expect(await all(table, filter)).toEqual(wanted);
      }
    });

    test('takes what many put into it at once', async () => {
      const tables = await Promise.all(Array.from({ length: 4 }, open));
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, i) => tables[i % 4]!.upsert([adOf(`ad-${i % 10}`), adOf(`own-${i}`)])),
      );
      expect(outcomes.reduce((sum, { added }) => sum + added, 0)).toBe(30);
      expect(await all(table)).toHaveLength(30);
      for (const one of tables) await one.close();
    });
  });
}

const empty = {
  campaignIds: [] as string[],
  advertiserIds: [] as string[],
  adIds: [] as string[],
  active: undefined as boolean | undefined,
};
