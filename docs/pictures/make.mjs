// Makes the pictures of the documentation again, from the real thing: `npm run pictures`. Two hours of clicks, counted,
// kept in the lake, reconciled and billed; then clicks that come live, and a browser that looks.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { fetchChromium } from '../../dist/services/chromium.js';

const here = import.meta.dirname;
const program = join(here, '../../bin/click-agg.js');
const folder = mkdtempSync(join(tmpdir(), 'click-agg-pictures-'));
const BEFORE_MS = 2 * 3_600_000;
const RATE = 20;

function finish(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    cwd: folder,
  });
  if (status !== 0) throw new Error(`${args[0]}: ${stderr}`);
  return stdout;
}

const living = [];
function start(...args) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  living.push(child);
  return child;
}

const startTime = new Date(Date.now() - BEFORE_MS).toISOString();
const count = String((BEFORE_MS / 1_000) * RATE);
const ads = ['--ads', '40', '--campaigns', '12'];
finish(
  'loadgen',
  '--count',
  count,
  '--event-rate',
  String(RATE),
  '--start',
  startTime,
  '--day-night',
  '0',
  ...ads,
);
finish('run', '--until-end', '--lake');
finish('reconcile', '--price', '0.045');
start('run', '--open-minutes');
start('loadgen', '--rate', String(RATE), ...ads);
const dashboard = start('dashboard', '--port', '0');
const url = await new Promise((told) => {
  dashboard.stderr.on('data', (text) => {
    const [found] = /http:\/\/[\d.:]+/.exec(String(text)) ?? [];
    if (found) told(found);
  });
});
const browser = await chromium.launch({
  executablePath: await fetchChromium((line) => process.stderr.write(`${line}\n`)),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});

async function picture(name, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1080 }, ...options });
  const page = await context.newPage();
  await page.goto(address);
  await page.getByText('Stream and batch agree').waitFor();
  await page.locator('.uplot').waitFor();
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: join(here, `${name}.png`) });
  await context.close();
}

try {
  // Until some minutes are live ones.
  await sleep(30_000);
  await picture('overview-light', `${url}/`, { colorScheme: 'light' });
  await picture('overview-dark', `${url}/?split=campaign`, { colorScheme: 'dark' });
  await picture('ad', `${url}/ads/ad-01?split=country`, { colorScheme: 'light' });
  const phone = {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  };
  await picture('phone', `${url}/campaigns/c-01?split=device`, phone);
  await terminal('top', finish('top', '--once').split('\n\n').slice(0, 4).join('\n\n'));
} finally {
  await browser.close();
  for (const child of living.reverse()) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await new Promise((ended) => child.once('close', ended));
  }
  rmSync(folder, { recursive: true, force: true });
}

/** A terminal's text as a picture. */
async function terminal(name, text) {
  const page = await browser.newPage({ deviceScaleFactor: 2 });
  await page.setContent('<pre></pre>');
  await page.addStyleTag({
    content: `body { margin: 0; background: #141920 } pre { margin: 0; padding: 20px; width: max-content;
      color: #edf0f5; font: 13px/1.45 'DejaVu Sans Mono', monospace }`,
  });
  await page.locator('pre').evaluate((element, words) => {
    element.textContent = words;
  }, `$ click-agg top --once\n${text}`);
  await page.locator('pre').screenshot({ path: join(here, `${name}.png`) });
}
