// Both kinds of ads table, and what a person is told who gives one that can't be used.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openPostgresAds } from '../../src/adapters/postgres/ads-table.js';
import { openStore } from '../../src/adapters/postgres/store.js';
import { openFileTable } from '../../src/ads/file-table.js';
import { dropStore, newStoreUrl } from '../adapters/postgres/shared-server.js';
import { adOf, describeAdsTable } from '../contract/ads-contract.js';

const folder = mkdtempSync(join(tmpdir(), 'click-agg-ads-'));
const urls: string[] = [];
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  for (const url of urls) await dropStore(url);
});

async function newUrl(): Promise<string> {
  const url = await newStoreUrl();
  urls.push(url);
  return url;
}

let number = 0;
describeAdsTable(
  'a file',
  async () => openFileTable(join(folder, `data-${number}`)),
  async () => {
    number++;
  },
);

let current: string;
describeAdsTable(
  'PostgreSQL',
  () => openPostgresAds(current, { write: true }),
  async () => {
    current = await newUrl();
  },
);

describe('ads.json', () => {
  test('can be read and edited by people, and is read again when it was', async () => {
    const table = openFileTable(join(folder, 'edited'));
    await table.upsert([adOf('a'), adOf('b', { campaignId: 'c-a', advertiserId: 'adv-a' })]);
    const path = join(folder, 'edited', 'ads.json');
    const text = readFileSync(path, 'utf8');
    expect(text.split('\n').filter((line) => line.includes('"ad_id"'))).toHaveLength(2);
    writeFileSync(path, text.replace('"0.10"', '"0.25"').replace('example.com/b', 'example.com/changed'));
    expect(await table.get(['b'])).toEqual([
      adOf('b', {
        ...{ campaignId: 'c-a', advertiserId: 'adv-a', pricePerClick: '0.25' },
        targetUrl: 'https://example.com/changed',
      }),
    ]);
  });

  test.each([
    ['{', 'it is no JSON'],
    ['{"version":1}', 'version, campaigns or ads is not sound'],
    ['{"version":2,"campaigns":[],"ads":[]}', 'was written by a newer click-agg'],
    ['{"version":1,"campaigns":[{"campaign_id":""}],"ads":[]}', 'campaign 1: campaign_id "": missing'],
    [
      '{"version":1,"campaigns":[{"campaign_id":"c","advertiser_id":"x"}],"ads":[{"ad_id":"a","campaign_id":"c","target_url":"javascript:alert(1)"}]}',
      'ad 1: target_url "javascript:alert(1)": only http and https lead anywhere',
    ],
  ])('that is damaged is told of: %s', async (text, told) => {
    const directory = join(folder, 'damaged');
    const table = openFileTable(directory);
    await table.upsert([adOf('a')]);
    writeFileSync(join(directory, 'ads.json'), text);
    await expect(table.get(['a'])).rejects.toThrow(told);
    rmSync(directory, { recursive: true });
  });

  test('is not written where an upsert fails', async () => {
    const table = openFileTable(join(folder, 'full'));
    await table.upsert([adOf('a')]);
    const tooMany = Array.from({ length: 100_000 }, (_, i) => adOf(`b${i}`));
    await expect(table.upsert(tooMany)).rejects.toThrow('would hold more than 100000 ads');
    expect(await table.get(['b1', 'a'])).toEqual([adOf('a')]);
  });
});

describe('a PostgreSQL URL', () => {
  test('whose tables nobody has made is an empty table', async () => {
    const table = await openPostgresAds(await newUrl());
    expect(await table.get(['a'])).toEqual([]);
    await table.close();
  });

  test('of a store is refused: ads have a schema of their own', async () => {
    const url = await newUrl();
    await (await openStore(url)).close();
    await expect(openPostgresAds(url, { write: true })).rejects.toThrow('holds a store');
  });

  test('where nobody answers is an error for those who write, and for others when they ask', async () => {
    const url = 'postgres://nobody@127.0.0.1:9/nothing';
    await expect(openPostgresAds(url, { write: true })).rejects.toThrow('no PostgreSQL server answers');
    const table = await openPostgresAds(url);
    await expect(table.get(['a'])).rejects.toMatchObject({ hint: expect.stringContaining('--ads') });
    await table.close();
  });

  test('that is none is misuse', async () => {
    await expect(openPostgresAds('postgres://host:port/database')).rejects.toThrow(
      '--ads: not a PostgreSQL URL',
    );
  });
});
