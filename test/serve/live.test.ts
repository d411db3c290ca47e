// The socket: whoever watches has the newest state, soon, whole, and never more than that.
import { afterEach, expect, test } from 'vitest';
import type { SeriesAnswer, StatusAnswer, TotalsAnswer } from '../../src/serve/api.js';
import { cell, MINUTE_MS, START_MS } from '../contract/commits.js';
import { type Browser, browser, commitAll, committed, type Serving, serving } from './serving.js';

let open: Serving | undefined;
const browsers: Browser[] = [];
afterEach(async () => {
  for (const { socket } of browsers.splice(0)) socket.terminate();
  await open?.end();
  open = undefined;
});

async function watching(headers?: Record<string, string>): Promise<Browser> {
  const opened = await browser(open!, headers);
  browsers.push(opened);
  return opened;
}

const SECONDS = { timeout: 20_000, interval: 50 };

test('a view is answered at once, and again when something else was counted', async () => {
  open = await serving({}, [committed([cell({ clicks: 3 })])]);
  const { say, state, heard } = await watching();
  say({ type: 'subscribe', id: 'rows', kind: 'totals', question: { group_by: ['country'] } });
  say({ type: 'subscribe', id: 'chart', kind: 'series', question: { last: '5m' } });
  say({ type: 'subscribe', id: 'how', kind: 'status', question: {} });
  await expect
    .poll(() => state('rows'), SECONDS)
    .toMatchObject({ rows: [{ country: 'DE', clicks: 3 }] } satisfies Partial<TotalsAnswer>);
  await expect
    .poll(() => state('chart'), SECONDS)
    .toMatchObject({
      series: [{ name: null, total: 3, clicks: [0, 0, 0, 0, 3] }],
    } satisfies Partial<SeriesAnswer>);
  await expect
    .poll(() => state('how'), SECONDS)
    .toMatchObject({ live: false, source: 'store' } satisfies Partial<StatusAnswer>);
  expect(heard[0]).toEqual({
    type: 'hello',
    session: { role: 'open', advertiser_id: null, expires_at: null },
  });
  await commitAll(open.dataDir, [
    committed([cell({ minuteMs: START_MS + MINUTE_MS, country: 'US', clicks: 4 })], 2),
  ]);
  await expect
    .poll(() => state('rows'), SECONDS)
    .toMatchObject({
      rows: [
        { country: 'DE', clicks: 3 },
        { country: 'US', clicks: 4 },
      ],
    });
  // The window has moved on with the newest minute.
  await expect.poll(() => state('chart'), SECONDS).toMatchObject({ series: [{ clicks: [0, 0, 0, 3, 4] }] });
});
