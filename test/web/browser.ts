// A real Chromium for tests, and the dashboard as a person finds it there: by roles, names and words.
import axe from 'axe-core';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { expect } from 'vitest';
import { fetchChromium } from '../../src/services/chromium.js';

/** Nothing takes that long, even on a busy machine. */
const LIMIT_MS = 90_000;

/** Starts the browser; fetches it first if there is none. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = await fetchChromium((line) => process.stderr.write(`services: ${line}\n`));
  // Chromium has no sandbox for root, who runs tests in containers.
  return await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

/** A page that must show no error of its own: whatever its script throws fails the test at `close`. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** Opens an address as a new visitor, without cookies. */
export async function visit(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const thrown: string[] = [];
  page.on('pageerror', (error) => thrown.push(String(error)));
  // What the content security policy forbids is told there.
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) thrown.push(message.text());
  });
  await page.goto(address);
  return {
    page,
    context,
    async close() {
      await context.close();
      expect(thrown).toEqual([]);
    },
  };
}

/** How the numbers come now, as the bar says. */
export const delivery = (page: Page): Promise<string | null> =>
  page.locator('[data-delivery]').getAttribute('data-delivery');

/** The number of clicks that is shown largest; undefined while there is none. */
export async function shownTotal(page: Page): Promise<number | undefined> {
  const text = await page
    .locator('[data-figure="total"]')
    .textContent({ timeout: 1_000 })
    .catch(() => null);
  return text === null ? undefined : Number(text.replaceAll(',', ''));
}

/** What axe-core has against the page, or a part of it, a line each. */
export async function accessibilityFaults(page: Page, part = 'html'): Promise<string[]> {
  // As a value of the page's own world: a script element would be against its content security policy.
  await page.evaluate(axe.source);
  return await page.evaluate(`axe.run('${part}', { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html, any }) =>
      html.slice(0, 120) + ' ' + any.map(({ message }) => message).join('; ')).join(' | ')))`);
}
