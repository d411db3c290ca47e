// The whole way in a real browser with everything on servers: ads in PostgreSQL, targets in Redis, clicks by way of the
// spool into Kafka, totals in PostgreSQL, commits told through Redis to two dashboards, of which one is inside `ingest`.
// Then each of the servers is killed while somebody looks.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StatusAnswer } from '../../src/serve/api.js';
import { temporaryDirectory } from '../cli/click-agg.js';
import { type Process, startClickAgg, succeed, until } from '../cli/topic-runs.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../services.js';
import { delivery, openBrowser, shownTotal, type Visit, visit } from './browser.js';
import { endAll, type Server, startServer, urlAfter } from './servers.js';

const folder = temporaryDirectory();
const processes: Process[] = [];
let kafka: OwnService<'kafka'>;
let postgres: OwnService<'postgres'>;
let redis: OwnService<'redis'>;
let browser: Browser;
let advertiser: HttpServer;
let ingest: Server;
let dashboard: Server;
/** Both dashboards, on the page of the ad. */
let viewers: Visit[] = [];
let clicks = 0;

beforeAll(async () => {
  [browser, kafka, postgres, redis] = await Promise.all([
    openBrowser(),
    ownService('kafka'),
    ownService('postgres'),
    ownService('redis'),
  ]);
  advertiser = createServer((_, response) => response.end('<!doctype html><title>Shoes</title>'));
  advertiser.listen(0, '127.0.0.1');
  await once(advertiser, 'listening');
  const target = `http://127.0.0.1:${(advertiser.address() as AddressInfo).port}/shoes`;
  const ads = join(folder.path, 'ads.csv');
  writeFileSync(ads, `ad_id,campaign_id,advertiser_id,target_url\nshoes-1,autumn,acme,${target}\n`);
  await succeed(['ads', 'import', ads, ...place('ads'), '--ads', postgres.address.url]);
  await succeed(['topics', 'create', ...topic()]);
  ingest = await startIngest(0);
  const counting = ['run', ...topic(), ...place('run'), ...store(), '--group', 'live', '--open-minutes'];
  processes.push(ingest, startClickAgg('run', counting));
  dashboard = await startServer('dashboard', [...place('dashboard'), ...store(), '--port', '0']);
  processes.push(dashboard);
}, SERVICE_START_MS);

afterAll(async () => {
  await browser?.close();
  await endAll(processes);
  advertiser?.close();
  for (const one of [kafka, postgres, redis]) await one?.remove();
  folder.remove();
});

const topic = () => ['--brokers', kafka.address.brokers, '--topic', 'clicks'];
const store = () => ['--store', postgres.address.url, '--redis', redis.address.url];
/** Each process has a data directory of its own, as on machines of their own. */
const place = (name: string) => ['--data-dir', join(folder.path, name)];

/** `ingest --dashboard` on this port for clicks. */
function startIngest(port: number): Promise<Server> {
  const dashboardToo = ['--dashboard', '--dashboard-port', '0'];
  const ads = ['--ads', postgres.address.url];
  const rest = [...topic(), ...store(), ...ads, ...place('ingest'), '--port', String(port)];
  return startServer('ingest', [...dashboardToo, ...rest]);
}

const dashboardOf = (server: Server): string => urlAfter('dashboard on', server);

/** A browser with windows: by its own name a headless one is a crawler, whose clicks are not billed. */
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36';

/** Clicks on the ad as a new visitor, who is sent on to the advertiser's page. */
async function click(): Promise<void> {
  const visitor = await visit(browser, `${ingest.url}/c/shoes-1`, { userAgent: USER_AGENT });
  expect(await visitor.page.title()).toBe('Shoes');
  await visitor.close();
  clicks++;
}

/** Until every dashboard shows all clicks. */
async function allShown(): Promise<void> {
  await until(`${clicks} clicks are on every chart`, async () => {
    const totals = await Promise.all(viewers.map(({ page }) => shownTotal(page)));
    return totals.every((total) => total === clicks);
  });
}

/** How the dashboard hears of the run, and that all of it is in the store. */
async function heardBy(url: string): Promise<StatusAnswer['source']> {
  return ((await (await fetch(`${url}/v1/status`)).json()) as StatusAnswer).source;
}

async function toldByRedis(): Promise<void> {
  for (const url of [dashboard.url, dashboardOf(ingest)]) {
    await until(`${url} hears the run through Redis`, async () => (await heardBy(url)) === 'redis');
  }
}

test('a click is on the chart of every dashboard within seconds, told through Redis', async () => {
  await toldByRedis();
  viewers = await Promise.all(
    [dashboard.url, dashboardOf(ingest)].map((url) => visit(browser, `${url}/ads/shoes-1`)),
  );
  for (const { page } of viewers)
    await until('the socket is open', async () => (await delivery(page)) === 'live');
  const clickedAtMs = performance.now();
  await click();
  await allShown();
  const seconds = (performance.now() - clickedAtMs) / 1_000;
  console.log(`a click was on both charts ${seconds.toFixed(1)} s after it was made`);
});

test('without Redis a click is redirected and shown all the same; with it again they are told', async () => {
  await redis.kill();
  await click();
  await allShown();
  for (const { page } of viewers) await expect.poll(() => delivery(page)).toBe('live');
  await redis.start();
  await toldByRedis();
  await click();
  await allShown();
});

test('without Kafka a click is redirected, and is on the chart once Kafka is back', async () => {
  await kafka.kill();
  await click();
  await click();
  for (const { page } of viewers) await expect.poll(() => shownTotal(page)).toBe(clicks - 2);
  await kafka.start();
  await allShown();
});

test('without PostgreSQL a known ad is redirected, and the page shows what it knows until it is back', async () => {
  await postgres.kill();
  await click();
  for (const { page } of viewers) await expect.poll(() => shownTotal(page)).toBe(clicks - 1);
  await postgres.start();
  await allShown();
});

test('a click that was answered is on the chart though ingest was killed at once', async () => {
  await kafka.pause();
  await click();
  await ingest.kill();
  await kafka.resume();
  const inside = viewers[1]!;
  await until('the page says so', async () => (await delivery(inside.page)) === 'offline');
  await inside.close();
  viewers.pop();
  ingest = await startIngest(ingest.port);
  processes.push(ingest);
  viewers.push(await visit(browser, `${dashboardOf(ingest)}/ads/shoes-1`));
  await click();
  await allShown();
  for (const viewer of viewers) await viewer.close();
});
