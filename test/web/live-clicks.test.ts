// The whole way in a real browser: it clicks on an ad, is sent on to the advertiser, and the click is on the chart of
// whoever looks, within seconds. Then the line to the browser is cut in each way that a line can be.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryDirectory } from '../cli/click-agg.js';
import { type Process, startClickAgg, succeed, until } from '../cli/topic-runs.js';
import { SERVICE_START_MS } from '../services.js';
import { delivery, openBrowser, shownTotal, visit } from './browser.js';
import { openCutLine } from './cut-line.js';
import { endAll, type Server, startServer } from './servers.js';

const folder = temporaryDirectory();
const dataDir = join(folder.path, 'data');
const processes: Process[] = [];
let browser: Browser;
let advertiser: HttpServer;
let ingest: Server;
let dashboard: Server;

beforeAll(async () => {
  browser = await openBrowser();
  advertiser = createServer((_, response) => response.end('<!doctype html><title>Shoes</title>'));
  advertiser.listen(0, '127.0.0.1');
  await once(advertiser, 'listening');
  const target = `http://127.0.0.1:${(advertiser.address() as AddressInfo).port}/shoes`;
  const ads = join(folder.path, 'ads.csv');
  const rows = [1, 2].map((number) => `shoes-${number},autumn,acme,${target}?ad=${number}`);
  writeFileSync(ads, ['ad_id,campaign_id,advertiser_id,target_url', ...rows, ''].join('\n'));
  await succeed(['ads', 'import', ads, '--data-dir', dataDir]);
  ingest = await startServer('ingest', ['--data-dir', dataDir, '--port', '0']);
  processes.push(ingest, startClickAgg('run', ['run', '--data-dir', dataDir, '--open-minutes']));
  dashboard = await startServer('dashboard', ['--data-dir', dataDir, '--port', '0']);
  processes.push(dashboard);
}, SERVICE_START_MS);

afterAll(async () => {
  await browser?.close();
  await endAll(processes);
  advertiser?.close();
  folder.remove();
});

/** A browser with windows: by its own name a headless one is a crawler, whose clicks are not billed. */
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36';

/** Clicks on an ad as a new visitor. */
async function click(ad: string): Promise<void> {
  const visitor = await visit(browser, `${ingest.url}/c/${ad}`, { userAgent: USER_AGENT });
  expect(visitor.page.url()).toMatch(/\/shoes\?ad=\d$/);
  expect(await visitor.page.title()).toBe('Shoes');
  await visitor.close();
}

test('a click through the redirect is on the chart within seconds', async () => {
  const viewer = await visit(browser, `${dashboard.url}/ads/shoes-1`);
  const { page } = viewer;
  await until('the socket is open', async () => (await delivery(page)) === 'live');
  await page.getByText('Nothing was counted yet').waitFor();
  const clickedAtMs = performance.now();
  await click('shoes-1');
  await until('the click is shown', async () => (await shownTotal(page)) === 1);
  const seconds = (performance.now() - clickedAtMs) / 1_000;
  console.log(`a click was on the chart ${seconds.toFixed(1)} s after it was made`);
  // The minute is open, and the page says so.
  await page.getByText('their numbers may still grow').waitFor();
  await page.getByRole('button', { name: 'Table' }).click();
  const newest = page.getByRole('row').filter({ hasText: 'open' }).first();
  await expect.poll(() => newest.getByRole('cell').allTextContents()).toEqual(['1', 'open']);
  // Its campaign's page has it too, that of another ad doesn't.
  await page.getByRole('link', { name: 'autumn' }).first().click();
  await until('the campaign shows it', async () => (await shownTotal(page)) === 1);
  expect(new URL(page.url()).pathname).toBe('/campaigns/autumn');
  await page.goto(`${dashboard.url}/ads/shoes-2`);
  await page.getByText('No clicks in this period').waitFor();
  await viewer.close();
});

test('without the socket the page asks every ten seconds, says so, and goes back by itself', async () => {
  const line = await openCutLine(dashboard.port);
  const viewer = await visit(browser, `${line.url}/ads/shoes-2`);
  const { page } = viewer;
  await until('the socket is open', async () => (await delivery(page)) === 'live');
  line.cutSockets();
  await until('it is polled', async () => (await delivery(page)) === 'polling');
  await page.getByText('No live connection').waitFor();
  await click('shoes-2');
  await until('the click came by polling', async () => (await shownTotal(page)) === 1);
  expect(await delivery(page)).toBe('polling');
  line.mendSockets();
  await until('the socket is back', async () => (await delivery(page)) === 'live');
  await page.getByText('No live connection').waitFor({ state: 'hidden' });
  await click('shoes-2');
  await until('the click came by the socket', async () => (await shownTotal(page)) === 2);
  await viewer.close();
  await line.close();
});

test('when the server is gone the page keeps its numbers, says how old they are, and comes back with it', async () => {
  const viewer = await visit(browser, `${dashboard.url}/campaigns/autumn`);
  const { page } = viewer;
  await until('the clicks are shown', async () => (await shownTotal(page)) === 3);
  await dashboard.kill();
  await until('it is noticed', async () => (await delivery(page)) === 'offline');
  await page.getByText('No connection to the server').waitFor();
  await expect.poll(() => shownTotal(page)).toBe(3);
  const again = await startServer('dashboard', ['--data-dir', dataDir, '--port', String(dashboard.port)]);
  processes.splice(processes.indexOf(dashboard), 1, again);
  await until('the socket is back', async () => (await delivery(page)) === 'live');
  await page.getByText('No connection to the server').waitFor({ state: 'hidden' });
  await viewer.close();
});
