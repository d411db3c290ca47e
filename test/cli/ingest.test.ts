// The command as a process: clicks in over HTTP, and what `run`, `query`, metrics and Redis make of them.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PHONE } from '../ingest/serving.js';
import { sampleValue } from '../metrics/exposition.js';
import { startWatched, until, type Watched } from '../metrics/watched.js';
import { ownService, SERVICE_START_MS } from '../services.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const directory = temporaryDirectory();
const dataDir = join(directory.path, 'clicks');
let started: Watched | undefined;
beforeAll(async () => {
  const ads = 'ad_id,campaign_id,advertiser_id,target_url\nad-1,camp-1,adv-1,https://shop.example/\n';
  await writeFile(join(directory.path, 'ads.csv'), ads);
  const imported = await clickAgg(['ads', 'import', 'ads.csv', '--data-dir', dataDir], {
    cwd: directory.path,
  });
  expect(imported.code, imported.stderr).toBe(0);
});
afterEach(() => {
  started?.process.kill('SIGKILL');
  started = undefined;
});
afterAll(() => directory.remove());

/** Starts it and gives the URL that it takes clicks on. */
async function start(...args: string[]): Promise<{ watched: Watched; url: string }> {
  const watched = await startWatched(['ingest', '--port', '0', '--data-dir', dataDir, ...args]);
  started = watched;
  const url = await until(
    async () => watched.log.map((entry) => entry.url).find((one): one is string => typeof one === 'string'),
    'the server to listen',
  );
  return { watched, url };
}

async function click(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(url, { redirect: 'manual', headers: { 'user-agent': PHONE, ...headers } });
}

test('what is answered is counted, what is marked is not billed, and metrics tell of both', async () => {
  const { watched, url } = await start();
  const cookie = 'ca_uid=3f2b8c1e-0000-4000-8000-000000000001';
  for (let i = 0; i < 5; i++) expect((await click(`${url}/c/ad-1`)).status).toBe(302);
  for (let i = 0; i < 3; i++) expect((await click(`${url}/c/ad-1`, { cookie })).status).toBe(302);
  expect((await click(`${url}/c/ad-1`, { 'user-agent': 'Googlebot/2.1' })).status).toBe(302);
  expect((await click(`${url}/c/nobody`)).status).toBe(404);
  const body = JSON.stringify([{ ad_id: 'ad-1', event_time: Date.now() }, {}]);
  const posted = await fetch(`${url}/v1/clicks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(posted.status).toBe(207);

  const families = await watched.metrics();
  const value = (name: string, labels: Record<string, string> = {}) =>
    sampleValue(families, `click_agg_ingest_${name}`, labels);
  expect(value('answers_total', { route: 'redirect', status: '302' })).toBe(9);
  expect(value('answers_total', { route: 'redirect', status: '404' })).toBe(1);
  expect(value('clicks_accepted_total')).toBe(10);
  expect(value('clicks_rejected_total', { reason: 'ad_id' })).toBe(1);
  expect(value('invalid_traffic_total', { kind: 'crawler' })).toBe(1);
  expect(value('log_taken_total')).toBe(10);
  const duration = 'click_agg_ingest_answer_duration_seconds';
  expect(sampleValue(families, duration, { route: 'redirect' }, `${duration}_count`)).toBe(10);
  for (const base of [url, watched.url]) {
    for (const path of ['/healthz', '/readyz']) expect((await fetch(base + path)).status, path).toBe(200);
  }
  expect(await watched.stop()).toBe(0);

  const counted = await clickAgg(['run', '--until-end', '--data-dir', dataDir]);
  expect(counted.code, counted.stderr).toBe(0);
  const asked = await clickAgg(['query', '--ledger', '--json', '--data-dir', dataDir]);
  expect(JSON.parse(asked.stdout)).toMatchObject({
    ...{ records: 10, invalid: 0, double_click: 2, invalid_traffic: 1, bot: 0, billable: 7 },
  });
});

test(
  'a click that Redis has seen is marked; without Redis clicks go on unmarked',
  async () => {
    const redis = await ownService('redis');
    try {
      const { watched, url } = await start('--mark-seen', '--redis', redis.address.url);
      const cookie = 'ca_uid=3f2b8c1e-0000-4000-8000-000000000002';
      // The first questions may come before Redis has answered anything.
      await until(async () => {
        await click(`${url}/c/ad-1`, { cookie });
        const answer = sampleValue(await watched.metrics(), 'click_agg_ingest_seen_answers_total', {
          answer: 'seen',
        });
        return answer || undefined;
      }, 'a click to be seen');
      await redis.kill();
      for (let i = 0; i < 20; i++) expect((await click(`${url}/c/ad-1`, { cookie })).status).toBe(302);
      const families = await watched.metrics();
      const answers = (answer: string) =>
        sampleValue(families, 'click_agg_ingest_seen_answers_total', { answer }) ?? 0;
      expect(answers('unknown')).toBeGreaterThanOrEqual(20);
      await redis.start();
      const before = answers('seen');
      await until(async () => {
        await click(`${url}/c/ad-1`, { cookie });
        const seen = sampleValue(await watched.metrics(), 'click_agg_ingest_seen_answers_total', {
          answer: 'seen',
        });
        return (seen ?? 0) > before ? seen : undefined;
      }, 'a click to be seen again');
      expect(await watched.stop()).toBe(0);
    } finally {
      await redis.remove();
    }
  },
  SERVICE_START_MS,
);

test('a spool that is full is told: by 503 and when to come back, and by not being ready', async () => {
  const { watched, url } = await start(
    '--brokers',
    '127.0.0.1:1',
    '--spool-limit',
    '1MiB',
    '--batch-limit',
    '1000',
  );
  const body = JSON.stringify(
    Array.from({ length: 500 }, () => ({ ad_id: 'ad-1', padding: 'x'.repeat(500) })),
  );
  const post = () =>
    fetch(`${url}/v1/clicks`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const full = await until(async () => {
    const answer = await post();
    return answer.status === 503 ? answer : undefined;
  }, 'the spool to be full');
  expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await full.json()).toMatchObject({ accepted: 0, rejected: 500 });
  const refused = await click(`${url}/c/ad-1`, { referer: `https://news.example/${'x'.repeat(2000)}` });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const families = await watched.metrics();
  const value = (name: string) => sampleValue(families, `click_agg_ingest_${name}`);
  expect(value('log_taken_total')).toBe(value('clicks_accepted_total'));
  expect(value('spool_waiting_clicks')).toBe(value('log_taken_total'));
  expect(value('log_refused_total')).toBeGreaterThan(500);
  const ready = await until(async () => {
    const answer = await fetch(`${url}/readyz`);
    return answer.status === 503 ? answer : undefined;
  }, 'the server not to be ready');
  expect(await ready.json()).toMatchObject({ status: 'unavailable', log: 'the spool is full' });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test('misuse is told in a line, and secrets are not typed', async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await clickAgg(['ingest', '--data-dir', dataDir, ...args]);
    return [code, stderr.split('\n')[0]];
  };
  expect(await refused('--pseudonymise')).toEqual([2, 'click-agg: --pseudonymise needs a key']);
  expect(await refused('--mark-seen')).toEqual([2, 'click-agg: --mark-seen needs --redis']);
  expect(await refused('--country-header', 'x')).toEqual([
    2,
    'click-agg: --country-header is believed from proxies only',
  ]);
  expect(await refused('--trust-proxy', 'proxy')).toEqual([
    2,
    'click-agg: --trust-proxy: "proxy" is no network',
  ]);
  for (const secret of ['--signing-key', '--api-key', '--pseudonym-key']) {
    expect((await refused(secret, 'a key of many characters'))[0], secret).toBe(2);
  }
  const short = await clickAgg(['ingest'], { env: { CLICK_AGG_SIGNING_KEY: 'too short' } });
  expect([short.code, short.stderr]).toEqual([2, expect.stringContaining('at least 16 characters')]);
  expect(short.stderr).not.toContain('too short');

  const { url } = await start();
  const { port } = new URL(url);
  expect(await refused('--port', port)).toEqual([1, expect.stringMatching(/another (program|process)/)]);
});
