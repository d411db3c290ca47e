// The commands that keep ads, and invoices at the prices of the ads table.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const { path: cwd, remove } = temporaryDirectory();
afterAll(remove);

const CSV = [
  'ad_id,campaign_id,advertiser_id,target_url,price_per_click',
  'ad-1,c-1,acme,https://example.com/a?b=c,0.10',
  'ad-2,c-1,acme,http://example.com/ü,',
  '"ad,3",c-2,globex,https://example.org/,2',
  '',
].join('\r\n');

const run = (args: readonly string[], how: Parameters<typeof clickAgg>[1] = {}) =>
  clickAgg(['ads', ...args], { cwd, ...how });

test('ads come from CSV and NDJSON, and go out as they came in', async () => {
  writeFileSync(join(cwd, 'ads.csv'), `\uFEFF${CSV}`);
  expect(await run(['import', 'ads.csv', '--json'])).toMatchObject({
    code: 0,
    stdout: '{"added":3,"changed":0,"unchanged":0}\n',
  });
  const asCsv = await run(['list', '--format', 'csv']);
  expect(asCsv.stdout).toContain('"ad,3",c-2,globex,https://example.org/,2,EUR,true\r\n');
  expect(asCsv.stdout).toContain('ad-2,c-1,acme,http://example.com/%C3%BC,0.10,EUR,true\r\n');
  for (const format of ['csv', 'ndjson']) {
    const { stdout: input } = await run(['list', '--format', format]);
    const again = await run(['import', '-', '--format', format, '--json'], { input });
    expect(again.stdout).toBe('{"added":0,"changed":0,"unchanged":3}\n');
  }
  const [first] = JSON.parse((await run(['list', '--json', '--ad', 'ad-1'])).stdout) as unknown[];
  expect(first).toMatchObject({ ad_id: 'ad-1', price_per_click: '0.10', active: true });
});

test('an import with a line that can’t be taken takes none, and says which and why', async () => {
  const lines = [
    ...['new-1,c-9,acme,https://example.com', 'new-2,c-9,acme,javascript:alert(1)'],
    ...['new-3,c-9,other,https://example.com', 'new-1,c-9,acme,https://example.com'],
    ...['new-4,c-9', 'new-5,c-9,acme,https://user@example.com', `${'x'.repeat(129)},c-9,acme,https://a.b`],
  ];
  const input = ['ad_id,campaign_id,advertiser_id,target_url', ...lines].join('\n');
  const { code, stderr } = await run(['import', '-', '--format', 'csv'], { input });
  expect(code).toBe(1);
  for (const told of [
    'line 3: target_url "javascript:alert(1)": only http and https',
    'line 4: campaign_id "c-9" belongs to another advertiser in line 2',
    'line 5: ad_id "new-1" stands twice',
    'line 6: not as many fields as columns',
    'line 7: target_url "https://user@example.com": a user name in it',
    'line 8: ad_id',
  ]) {
    expect(stderr).toContain(told);
  }
  expect((await run(['list', '--campaign', 'c-9', '--json'])).stdout).toBe('[]\n');
  const unknown = await run(['import', '-', '--format', 'csv'], { input: 'ad,campaign_id\n' });
  expect(unknown.stderr).toContain('there is no column "ad"');
});

test('one ad is changed; what is not given stays', async () => {
  expect((await run(['set', 'ad-2', '--target', 'https://example.com/new', '--active', 'no'])).code).toBe(0);
  const moved = await run(['set', 'ad-2', '--campaign', 'c-2']);
  expect(moved.stderr).toContain('0 added, 1 changed');
  const [ad] = JSON.parse((await run(['list', '--json', '--ad', 'ad-2'])).stdout) as unknown[];
  expect(ad).toEqual({
    ...{ ad_id: 'ad-2', campaign_id: 'c-2', advertiser_id: 'globex', target_url: 'https://example.com/new' },
    ...{ price_per_click: '2', currency: 'EUR', active: false },
  });
  expect(await run(['set', 'ad-77'])).toMatchObject({ code: 2 });
  expect(await run(['set', 'ad-1', '--target', 'ftp://example.com'])).toMatchObject({ code: 2 });
});

test('the click URL of an ad is signed where there is a key', async () => {
  const base = ['--base', 'https://clicks.example.com'];
  expect((await run(['url', 'ad-1', ...base])).stdout).toBe('https://clicks.example.com/c/ad-1?c=c-1\n');
  const env = { CLICK_AGG_SIGNING_KEY: 'a key of the ad server' };
  const signed = await run(['url', 'ad-1', ...base, '--impression', 'i-1'], { env });
  expect(signed.stdout).toMatch(/^https:\/\/clicks\.example\.com\/c\/ad-1\?c=c-1&i=i-1&e=\d+&s=[\w-]{43}\n$/);
  expect(await run(['url', 'ad-none'])).toMatchObject({ code: 1 });
});

test('invoices take their prices from the table', async () => {
  const where = ['--data-dir', join(cwd, 'billed')];
  const ads = JSON.stringify({
    ...{ ad_id: 'ad', campaign_id: 'campaign', advertiser_id: 'x', target_url: 'https://example.com/' },
    price_per_click: '0.30',
  });
  const click = (n: number) =>
    JSON.stringify({
      ...{ click_id: `k${n}`, event_time: '2026-02-22T10:00:00Z', ad_id: 'ad', campaign_id: 'campaign' },
      ...{ user_id: `u${n}`, ip_address: `10.0.0.${n}`, country: 'DE', device_type: 'mobile' },
    });
  writeFileSync(join(cwd, 'clicks.ndjson'), [1, 2, 3].map(click).join('\n'));
  const counted = await clickAgg(['run', '--input', 'clicks.ndjson', '--lake', ...where], { cwd });
  expect(counted.code, counted.stderr).toBe(0);
  const reconcile = ['reconcile', '--prices', 'ads', '--json', ...where];
  const without = await clickAgg(reconcile, { cwd });
  expect(without).toMatchObject({ code: 1, stderr: expect.stringContaining('has a price') });
  expect((await run(['import', '-', ...where], { input: ads })).code).toBe(0);
  const { stdout } = await clickAgg(reconcile, { cwd });
  expect(JSON.parse(stdout)).toMatchObject({
    agree: true,
    billing: [{ campaign_id: 'campaign', clicks: 3, price_per_click: '0.30', amount: '0.90' }],
  });
});
