// Redirects: where a browser ends up, and what is in the log then.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { clickUrl } from '../../src/ingest/click-url.js';
import { temporaryDirectory } from '../cli/click-agg.js';
import { PHONE, type Serving, type ServingOptions, startServing } from './serving.js';

const KEY = 'a key of many characters';
const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';

const directory = temporaryDirectory();
const list = join(directory.path, 'hosters.txt');
let serving: Serving | undefined;
beforeAll(() => writeFile(list, '198.51.100.0/24\n'));
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});
afterAll(() => directory.remove());

async function start(options?: ServingOptions): Promise<Serving> {
  serving = await startServing(options);
  return serving;
}

async function lastClick(): Promise<Record<string, unknown>> {
  const clicks = await serving!.clicks();
  return clicks.sort((a, b) => String(a.click_id).localeCompare(String(b.click_id))).at(-1)!;
}

test('a click leads to the ad’s page and is in the log before', async () => {
  const { ask } = await start();
  const beforeMs = Date.now();
  const answer = await ask('/c/ad-1?i=imp-7', {
    headers: { 'user-agent': PHONE, referer: 'https://news.example/a "b"', host: 'clicks.example' },
  });
  expect(answer.status).toBe(302);
  expect(answer.headers.location).toBe('https://shop.example/landing?x=1#top');
  expect(answer.headers['cache-control']).toBe('no-store');
  const click = await lastClick();
  expect(Object.keys(click)).toEqual([
    ...['click_id', 'event_time', 'ad_id', 'campaign_id', 'user_id', 'ip_address', 'country', 'device_type'],
    ...['user_agent', 'referrer', 'impression_id'],
  ]);
  expect(click).toMatchObject({
    ...{
      ad_id: 'ad-1',
      campaign_id: 'camp-1',
      ip_address: '127.0.0.1',
      country: 'ZZ',
      device_type: 'mobile',
    },
    ...{ user_agent: PHONE, referrer: 'https://news.example/a "b"', impression_id: 'imp-7' },
  });
  expect(String(click.click_id)).toMatch(new RegExp(`^${UUID}$`));
  expect(String(click.click_id)[14]).toBe('7');
  expect(Date.parse(String(click.event_time))).toBeGreaterThanOrEqual(beforeMs);
  const cookie = String(answer.headers['set-cookie']);
  expect(cookie).toBe(`ca_uid=${click.user_id}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax`);
});

test('a browser keeps its user id; a made-up one is not taken', async () => {
  const { ask, clicks } = await start({ trustProxy: ['127.0.0.1'] });
  const first = await ask('/c/ad-1', { headers: { 'x-forwarded-proto': 'https' } });
  const cookie = String(first.headers['set-cookie']);
  expect(cookie).toMatch(/; Secure$/);
  const again = await ask('/c/ad-1', { headers: { cookie: `a=b; ${cookie.split(';')[0]}; c=d` } });
  expect(again.headers['set-cookie']).toBeUndefined();
  for (const made of ['x', 'admin', '00000000-0000-1000-8000-000000000000', `${'0'.repeat(36)}`]) {
    const { headers } = await ask('/c/ad-1', { headers: { cookie: `ca_uid=${made}` } });
    expect(headers['set-cookie'], made).toBeDefined();
  }
  const users = (await clicks()).map(({ user_id }) => user_id);
  expect(new Set(users).size).toBe(5);
});

test('ads that are none, or not active, are a page that repeats nothing', async () => {
  const { ask, clicks, lines } = await start();
  for (const path of ['/c/nobody', '/c/ad-2', '/c/%00', '/c/', `/c/${'x'.repeat(129)}`, '/c/%3Cscript%3E']) {
    const { status, text, headers } = await ask(path);
    expect([path, status, headers.location]).toEqual([path, 404, undefined]);
    expect(text).toContain('This ad is not available');
    expect(text).not.toMatch(/script|nobody|%/);
  }
  expect((await ask('/c/%ff')).status).toBe(400);
  expect((await ask('/c/ad-1/')).status).toBe(404);
  expect((await ask('/c/ad-1?url=https://evil.example')).headers.location).toMatch(
    /^https:\/\/shop\.example\//,
  );
  expect(await clicks()).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith('refused ('))).not.toEqual([]);
});

test('ids and pages of any letters', async () => {
  const { ask } = await start();
  const { status, headers } = await ask(new URL(clickUrl('http://x', { adId: 'ad é/?#' })).pathname);
  expect([status, headers.location]).toEqual([302, 'http://xn--bcher-kva.example/%C3%BC']);
  expect(await lastClick()).toMatchObject({ ad_id: 'ad é/?#', campaign_id: 'camp "2"' });
});

test('the client’s time is kept with the server’s beside it, unless it can’t be one', async () => {
  const { ask } = await start();
  const aMinuteAgo = Date.now() - 60_000;
  await ask(`/c/ad-1?t=${aMinuteAgo}`);
  const { event_time: time, received_at: received } = await lastClick();
  expect(time).toBe(aMinuteAgo);
  expect(Date.parse(String(received))).toBeGreaterThan(aMinuteAgo);
  await ask('/c/ad-1?t=2026-02-22T10:00:00.5%2B01:00');
  expect(await lastClick()).toMatchObject({ event_time: '2026-02-22T10:00:00.5+01:00' });
  for (const none of ['soon', '2026-02-30T10:00:00Z', String(Date.now() + 3_600_000), '"', '']) {
    const sentMs = Date.now();
    await ask(`/c/ad-1?t=${encodeURIComponent(none)}`);
    const click = await lastClick();
    expect(Date.parse(String(click.event_time)), none).toBeGreaterThanOrEqual(sentMs);
    expect(click.received_at).toBeUndefined();
  }
});

test('the campaign is the table’s; what an unsigned link says instead is kept beside it', async () => {
  const { ask, tally } = await start();
  await ask('/c/ad-1?c=camp-1');
  expect(await lastClick()).not.toHaveProperty('link_campaign_id');
  await ask('/c/ad-1?c=camp-9');
  expect(await lastClick()).toMatchObject({ campaign_id: 'camp-1', link_campaign_id: 'camp-9' });
  expect(tally.otherCampaign).toBe(1);
});

test('with a key, links must be signed and in time, and a signed campaign counts', async () => {
  const { ask, tally, clicks, post } = await start({
    spec: { signingKeys: [KEY, 'the one before this one'] },
  });
  const path = (options: { campaignId?: string; expiresAtMs?: number; key?: string } = {}): string => {
    const { campaignId, expiresAtMs = Date.now() + 60_000, key = KEY } = options;
    const { pathname, search } = new URL(
      clickUrl('http://x', { adId: 'ad-1', campaignId }, { keys: [key], expiresAtMs }),
    );
    return pathname + search;
  };
  expect((await ask('/c/ad-1')).status).toBe(403);
  expect((await ask(path({ expiresAtMs: Date.now() - 1000 }))).status).toBe(403);
  expect((await ask(path({ key: 'somebody else’s key' }))).status).toBe(403);
  expect((await ask(path().replace('/ad-1', '/ad-3'))).status).toBe(403);
  expect((await ask(`${path()}&c=camp-9`)).status).toBe(403);
  expect((await post({ ad_id: 'ad-1' })).status).toBe(401);
  expect(await clicks()).toEqual([]);
  expect(tally.links).toEqual({ unsigned: 1, expired: 1, wrong: 3 });

  expect((await ask(`${path()}&t=${Date.now()}`)).status).toBe(302);
  expect(await lastClick()).toMatchObject({ campaign_id: 'camp-1' });
  expect((await ask(path({ campaignId: 'camp-0', key: 'the one before this one' }))).status).toBe(302);
  const moved = await lastClick();
  expect(moved).toMatchObject({ campaign_id: 'camp-0' });
  expect(moved).not.toHaveProperty('link_campaign_id');
});

test.each([
  ['prefetch', { headers: { 'sec-purpose': 'prefetch;prerender' } }],
  ['prefetch', { headers: { purpose: 'prefetch' } }],
  ['prefetch', { headers: { 'x-moz': 'prefetch' } }],
  ['prefetch', { headers: { 'x-purpose': 'preview' } }],
  ['HEAD request', { method: 'HEAD' }],
  [
    /^crawler \(isbot \d+\.\d+\.\d+\)$/,
    { headers: { 'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' } },
  ],
  ['data centre (hosters.txt)', { headers: { 'x-forwarded-for': '198.51.100.77' } }],
  [undefined, { headers: { 'x-forwarded-for': '198.51.101.77', 'user-agent': PHONE, 'sec-purpose': '' } }],
])('marked as %s: %j', async (mark, options) => {
  const { ask } = await start({ trustProxy: ['127.0.0.1'], spec: { datacenterFiles: [list] } });
  const { status, headers, text } = await ask('/c/ad-1', options);
  expect([status, headers.location, text]).toEqual([302, 'https://shop.example/landing?x=1#top', '']);
  const { invalid_traffic: found } = await lastClick();
  if (mark instanceof RegExp) expect(found).toMatch(mark);
  else expect(found).toBe(mark);
});

test('device and country: client hints before the user agent, a proxy’s header before the database', async () => {
  const geoipFile = join(import.meta.dirname, 'countries.mmdb');
  const { ask } = await start({
    trustProxy: ['127.0.0.1'],
    spec: { geoipFile, countryHeader: 'CF-IPCountry' },
  });
  await ask('/c/ad-1', {
    headers: { 'user-agent': PHONE, 'sec-ch-ua-form-factors': '"Tablet"', 'x-forwarded-for': '192.0.2.1' },
  });
  expect(await lastClick()).toMatchObject({ device_type: 'tablet', country: 'DE', ip_address: '192.0.2.1' });
  await ask('/c/ad-1', {
    headers: { 'sec-ch-ua-mobile': '?1', 'cf-ipcountry': 'JP', 'x-forwarded-for': '192.0.2.1' },
  });
  expect(await lastClick()).toMatchObject({ device_type: 'mobile', country: 'JP' });
});

test('pseudonyms are what is kept, and the country is still found', async () => {
  const geoipFile = join(import.meta.dirname, 'countries.mmdb');
  const { ask, records, lines } = await start({
    trustProxy: ['127.0.0.1'],
    spec: { geoipFile, pseudonymKey: KEY },
  });
  const from = { 'x-forwarded-for': '192.0.2.1' };
  const { headers } = await ask('/c/ad-1', { headers: from });
  const user = /ca_uid=([^;]+)/.exec(String(headers['set-cookie']))![1]!;
  const click = await lastClick();
  expect(click).toMatchObject({ country: 'DE', ip_address: expect.stringMatching(/^fd/) });
  expect(click.user_id).toMatch(/^p_[0-9a-f]{32}$/);
  await ask('/c/ad-1', { headers: { ...from, cookie: `ca_uid=${user}` } });
  expect(await lastClick()).toMatchObject({ user_id: click.user_id, ip_address: click.ip_address });
  await ask('/c/nobody', { headers: from });
  const kept = JSON.stringify([await records(), lines]);
  expect(kept).not.toContain('192.0.2.1');
  expect(kept).not.toContain(user);
});
