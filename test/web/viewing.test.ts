// The dashboard over totals that stand still, in a real browser: what it shows is what `query` says; it can be used
// by keyboard, by readers of screens and on a phone; and an advertiser finds nothing of another's.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clickAgg, temporaryDirectory } from '../cli/click-agg.js';
import { type Process, succeed, until } from '../cli/topic-runs.js';
import { SERVICE_START_MS } from '../services.js';
import { accessibilityFaults, openBrowser, shownTotal, visit } from './browser.js';
import { endAll, type Server, startServer } from './servers.js';

const folder = temporaryDirectory();
const dataDir = join(folder.path, 'data');
const TOKEN_KEY = 'a key of the tests that is long enough';
const processes: Process[] = [];
let browser: Browser;
let dashboard: Server;

beforeAll(async () => {
  browser = await openBrowser();
  const place = ['--data-dir', dataDir];
  // Forty minutes of clicks.
  await succeed([
    'loadgen',
    ...place,
    '--count',
    '12000',
    '--event-rate',
    '5',
    '--ads',
    '30',
    '--campaigns',
    '8',
  ]);
  await succeed(['run', ...place, '--until-end', '--lake', '--open-minutes']);
  await succeed(['reconcile', ...place, '--price', '0.05']);
  const ads = ['c-1', 'c-2', 'c-3'].map(
    (campaign, index) =>
      `ad-of-${campaign},${campaign},${index === 0 ? 'acme' : 'bolt'},https://example.com/`,
  );
  const file = join(folder.path, 'ads.csv');
  writeFileSync(file, ['ad_id,campaign_id,advertiser_id,target_url', ...ads, ''].join('\n'));
  await succeed(['ads', 'import', file, ...place]);
  dashboard = await startServer('dashboard', [...place, '--port', '0']);
  processes.push(dashboard);
}, SERVICE_START_MS);

afterAll(async () => {
  await browser?.close();
  await endAll(processes);
  folder.remove();
});

/** The clicks that `query` counts with these flags. */
async function queried(...flags: string[]): Promise<number> {
  const { code, stdout } = await clickAgg([
    'query',
    '--data-dir',
    dataDir,
    '--group-by',
    'day',
    '--json',
    ...flags,
  ]);
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { clicks: number }[]).reduce((sum, row) => sum + row.clicks, 0);
}

/** Chooses a value in a filter's menu. */
async function choose(page: Page, filter: string, value: string): Promise<void> {
  await page.locator(`[data-filter="${filter}"]`).click();
  await page.getByRole('dialog').getByLabel(value, { exact: false }).first().check();
  await page.keyboard.press('Escape');
}

test('filters in any combination agree with query', async () => {
  const viewer = await visit(browser, `${dashboard.url}/?last=24h`);
  const { page } = viewer;
  const agrees = async (...flags: string[]): Promise<void> => {
    const clicks = await queried(...flags);
    expect(clicks).toBeGreaterThan(0);
    await expect.poll(() => shownTotal(page)).toBe(clicks);
  };
  await agrees();
  await choose(page, 'campaign', 'c-1');
  await agrees('--campaign', 'c-1');
  await choose(page, 'country', 'United States');
  await agrees('--campaign', 'c-1', '--country', 'US');
  await choose(page, 'device', 'mobile');
  await agrees('--campaign', 'c-1', '--country', 'US', '--device', 'mobile');
  await choose(page, 'campaign', 'c-2');
  await agrees('--campaign', 'c-1', '--campaign', 'c-2', '--country', 'US', '--device', 'mobile');
  await page.getByRole('button', { name: 'Remove Country United States' }).click();
  await agrees('--campaign', 'c-1', '--campaign', 'c-2', '--device', 'mobile');
  // The address is the view: somebody else who opens it sees the same.
  const other = await visit(browser, page.url());
  await expect.poll(() => shownTotal(other.page)).toBe(await shownTotal(page));
  await other.close();
  await page.getByRole('button', { name: 'Clear all' }).click();
  await agrees();
  await page.goBack();
  await agrees('--campaign', 'c-1', '--campaign', 'c-2', '--device', 'mobile');
  await page.goto(`${dashboard.url}/countries/US?last=24h&device=desktop`);
  await agrees('--country', 'US', '--device', 'desktop');
  await viewer.close();
});

test('the ledger, the last reconciliation and its bill are those of the command line', async () => {
  const viewer = await visit(browser, dashboard.url);
  const { page } = viewer;
  const all = await queried('--campaign', 'c-1');
  await page.getByText('Stream and batch agree to the click').waitFor();
  const billing = page.getByRole('table').filter({ hasText: 'Amount' });
  const row = billing.getByRole('row', { name: /^c-1 / });
  await expect.poll(() => row.getByRole('cell').first().textContent()).toBe(all.toLocaleString('en'));
  await page.getByText(/billable: [\d,]+ of 1[\d,]+ records/).waitFor();
  await viewer.close();
});

test('two advertisers are kept apart, in every list, by every address and on the socket', async () => {
  const environment = { CLICK_AGG_TOKEN_KEY: TOKEN_KEY };
  const guarded = await startServer('dashboard', ['--data-dir', dataDir, '--port', '0'], environment);
  processes.push(guarded);
  const tokenOf = async (advertiser: string): Promise<string> => {
    const made = await clickAgg(['ads', 'token', '--advertiser', advertiser], { env: environment });
    return made.stdout.trim();
  };
  const acme = await visit(browser, `${guarded.url}/?last=24h`);
  const heard: string[] = [];
  acme.page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => heard.push(String(payload))),
  );
  await acme.page.getByLabel('Token').fill('not a token');
  await acme.page.getByRole('button', { name: 'Sign in' }).click();
  await acme.page.getByRole('alert').waitFor();
  await acme.page.getByLabel('Token').fill(await tokenOf('acme'));
  await acme.page.getByRole('button', { name: 'Sign in' }).click();
  const ofAcme = await queried('--campaign', 'c-1');
  await expect.poll(() => shownTotal(acme.page)).toBe(ofAcme);
  await expect.poll(() => acme.page.getByText('Verdicts').count()).toBe(0);
  await acme.page.locator('[data-filter="campaign"]').click();
  await expect.poll(() => acme.page.getByRole('dialog').getByRole('checkbox').count()).toBe(1);
  // There is room for who is signed in, also where the window is narrow or enlarged.
  await acme.page.setViewportSize({ width: 320, height: 600 });
  await expect.poll(() => acme.page.evaluate('document.documentElement.scrollWidth')).toBe(320);
  await acme.page.goto(`${guarded.url}/campaigns/c-2?last=24h`);
  await acme.page.getByText(/No clicks in this period|Nothing was counted yet/).waitFor();
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  expect(heard.filter((message) => /\bc-[2-8]\b/.test(message))).toEqual([]);
  // The other one, by a link, which doesn't keep the token in its address.
  const bolt = await visit(browser, `${guarded.url}/?last=24h#token=${await tokenOf('bolt')}`);
  const ofBolt = await queried('--campaign', 'c-2', '--campaign', 'c-3');
  await expect.poll(() => shownTotal(bolt.page)).toBe(ofBolt);
  expect(bolt.page.url()).not.toContain('token');
  await bolt.page.getByRole('button', { name: 'Sign out' }).click();
  await bolt.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await acme.close();
  await bolt.close();
});

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
test.each([
  ['/', 'light', {}],
  ['/campaigns/c-1?split=country&country=US', 'dark', {}],
  ['/countries/DE?show=table', 'light', {}],
  ['/ads/no-such-ad', 'dark', {}],
  ['/', 'light', PHONE],
] as const)('axe-core finds no fault in %s, %s', async (address, colorScheme, options) => {
  const viewer = await visit(browser, `${dashboard.url}${address}`, { colorScheme, ...options });
  await viewer.page.getByText('Stream and batch agree to the click').waitFor();
  expect(await accessibilityFaults(viewer.page)).toEqual([]);
  await viewer.page.locator('[data-filter="device"]').click();
  const menu = viewer.page.getByRole('dialog');
  await menu.getByText(/mobile|Nothing to choose/).waitFor();
  expect(await accessibilityFaults(viewer.page, '[role="dialog"]')).toEqual([]);
  await viewer.close();
});

test('everything can be reached and done by keyboard', async () => {
  const viewer = await visit(browser, `${dashboard.url}/?last=24h`);
  const { page } = viewer;
  const { keyboard } = page;
  const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent.trim()');
  await page.getByText('Stream and batch agree to the click').waitFor();
  await keyboard.press('Tab');
  await expect.poll(focused).toBe('Skip to the numbers');
  // A filter: opened by its key, found by typing, chosen by the space bar, closed by Escape.
  await keyboard.press('/');
  const label = (): Promise<string> => page.evaluate('document.activeElement.ariaLabel');
  await expect.poll(label).toBe('Find campaigns');
  await keyboard.type('c-3');
  // The others are gone: the next one is the one.
  const offered = page.getByRole('dialog').getByRole('checkbox');
  await expect.poll(() => offered.count()).toBe(1);
  await keyboard.press('Tab');
  await keyboard.press('Space');
  await keyboard.press('Escape');
  await until('the filter is in the address', () => page.url().includes('campaign=c-3'));
  await expect.poll(focused).toBe('c-3');
  await expect.poll(() => shownTotal(page)).toBe(await queried('--campaign', 'c-3'));
  // The period, the split and the table by their keys.
  await keyboard.press('[');
  await keyboard.press('s');
  await keyboard.press('t');
  await until('the address follows', () => /last=6h&split=campaign&show=table/.test(page.url()));
  await keyboard.press('t');
  // The chart reads out one step after the other, once it is drawn of the answer to the last question.
  await expect.poll(() => page.locator('.clicks [aria-busy="true"]').count()).toBe(0);
  await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
  const chart = page.getByRole('slider');
  await chart.focus();
  const spoken = async (): Promise<string> => (await chart.getAttribute('aria-valuetext')) ?? '';
  const oneStep = /^\d\d:\d\d: [\d,]+ clicks/;
  await keyboard.press('ArrowLeft');
  await until('it reads the newest minute', async () => oneStep.test(await spoken()));
  const newest = await spoken();
  await keyboard.press('ArrowLeft');
  await until('it reads the one before', async () => {
    const now = await spoken();
    return oneStep.test(now) && now.slice(0, 5) !== newest.slice(0, 5);
  });
  // Help, and back.
  await keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor({ state: 'hidden' });
  await keyboard.press('x');
  await until('no filter is left', () => !page.url().includes('campaign=c-3'));
  await viewer.close();
});

test('keys that do something by themselves can be switched off for good, and on again', async () => {
  const viewer = await visit(browser, `${dashboard.url}/?last=24h`);
  const { page } = viewer;
  const { keyboard } = page;
  const keys = page.getByRole('dialog', { name: 'Keyboard' });
  const list = page.getByRole('button', { name: 'Keyboard shortcuts' });
  const turn = async (): Promise<void> => {
    await list.focus();
    await keyboard.press('Enter');
    await keys.getByRole('checkbox').focus();
    await keyboard.press('Space');
    expect(await accessibilityFaults(page, '.keys')).toEqual([]);
    await keyboard.press('Escape');
    await keys.waitFor({ state: 'hidden' });
  };
  await turn();
  await page.reload();
  await page.getByText('Stream and batch agree to the click').waitFor();
  for (const key of ['t', 's', '/', '?', 'd', '[']) await keyboard.press(key);
  expect(new URL(page.url()).search).toBe('?last=24h');
  expect(await page.getByRole('dialog').count()).toBe(0);
  await turn();
  await keyboard.press('t');
  await until('the address follows', () => page.url().includes('show=table'));
  await viewer.close();
});

test('on a phone nothing is wider than the screen, and fingers find what they press', async () => {
  for (const width of [320, 390]) {
    const viewer = await visit(browser, `${dashboard.url}/campaigns/c-1?country=US&split=device`, {
      viewport: { width, height: 700 },
      ...{ isMobile: true, hasTouch: true },
    });
    const { page } = viewer;
    await page.getByText('Stream and batch agree to the click').waitFor();
    await expect.poll(() => page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    const pressed = page.locator('.filters button:visible, .icon-button:visible');
    const low = (await pressed.all()).map(async (button) => {
      const { height } = (await button.boundingBox())!;
      return height >= 40 ? [] : [`${await button.getAttribute('aria-label')} ${height}`];
    });
    expect((await Promise.all(low)).flat()).toEqual([]);
    await page.locator('[data-filter="device"]').tap();
    const menu = (await page.getByRole('dialog').boundingBox())!;
    expect(menu.x).toBeGreaterThanOrEqual(0);
    expect(menu.x + menu.width).toBeLessThanOrEqual(width);
    await viewer.close();
  }
});
