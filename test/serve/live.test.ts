// The socket: whoever watches has the newest state, soon, whole, and never more than that.
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import type { LiveStatus } from '../../src/core/live-status.js';
import type { Store } from '../../src/core/ports/store.js';
import { Announcer } from '../../src/live/announcer.js';
import { startLiveServer } from '../../src/live/server.js';
import type { SeriesAnswer, StatusAnswer, TotalsAnswer } from '../../src/serve/api.js';
import { CLOSE_CODE, LIMITS } from '../../src/serve/api.js';
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

const SECONDS = { interval: 50 };

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

/** A run in this process: its store, and its local server, which tells of each commit. */
async function livingRun(dataDir: string) {
  const opened = await openStore(join(dataDir, 'store.duckdb'));
  let queries = 0;
  const store = {
    ...opened,
    query(...args: Parameters<Store['query']>) {
      queries++;
      return opened.query(...args);
    },
  };
  const announcer = new Announcer();
  const status = () => STATUS;
  const server = await startLiveServer({ store, announcer, dataDir, status, beforeSnapshot: async () => {} });
  const speaking = setInterval(() => announcer.status(STATUS), 500);
  let position = 100;
  return {
    asked: () => queries,
    async count(...cells: Parameters<typeof committed>[0]) {
      const commit = committed(cells, ++position);
      await store.commit(commit);
      announcer.committed(commit);
    },
    async end() {
      clearInterval(speaking);
      await server.close();
      await store.close();
    },
  };
}

const STATUS: LiveStatus = {
  ...{ pid: 1, startedAtMs: START_MS, source: 'log', methodHash: 'hash', records: 9, recordsPerSecond: 2.5 },
  ledger: {
    records: 9,
    invalid: 1,
    too_late: 0,
    duplicate: 0,
    invalid_traffic: 0,
    double_click: 0,
    bot: 0,
    billable: 8,
  },
  partitions: [{ partition: 0, position: 9, end: 9, watermarkMs: START_MS }],
  ...{ rssBytes: 5, horizonClicks: 3, horizonBytes: 300, lastCommitAtMs: START_MS, lastCommitMs: 1 },
};

test('a run of this machine is heard without Redis, and many browsers of a view cost one query', async () => {
  open = await serving();
  const run = await livingRun(open.dataDir);
  try {
    await run.count(cell({ clicks: 3 }));
    const many = await Promise.all(Array.from({ length: 30 }, () => watching()));
    for (const { say } of many)
      say({
        type: 'subscribe',
        id: 'v',
        kind: 'totals',
        question: { country: ['DE'], group_by: ['country'] },
      });
    const shown = () => [
      ...new Set(many.map(({ state }) => JSON.stringify((state('v') as TotalsAnswer)?.rows))),
    ];
    await expect.poll(shown, SECONDS).toEqual(['[{"country":"DE","clicks":3}]']);
    const before = run.asked();
    await run.count(cell({ clicks: 4, rewrite: true }));
    await expect.poll(shown, SECONDS).toEqual(['[{"country":"DE","clicks":4}]']);
    // Its own query, and a look at where the store stands; some periodic looks may fall in between.
    expect(run.asked() - before).toBeLessThan(many.length);
    // What the view does not show is not asked for.
    const heard = many[0]!.heard.length;
    const asked = run.asked();
    await run.count(cell({ clicks: 5, country: 'US' }));
    await run.count(cell({ clicks: 6, country: 'US', rewrite: true }));
    await new Promise((done) => setTimeout(done, 1_500));
    expect(run.asked() - asked).toBeLessThan(many.length);
    expect(many[0]!.heard.length - heard).toBeLessThanOrEqual(1);
  } finally {
    await run.end();
  }
  // The run has ended: the store is still shown.
  const late = await watching();
  late.say({ type: 'subscribe', id: 'v', kind: 'totals', question: { group_by: ['country'] } });
  await expect
    .poll(() => late.state('v'), SECONDS)
    .toMatchObject({ rows: [{ clicks: 4 }, { country: 'US', clicks: 6 }] });
});

test('a browser that does not read gets the newest state when it does, and what lay between never', async () => {
  open = await serving();
  const run = await livingRun(open.dataDir);
  try {
    const ids = Array.from({ length: 9_000 }, (_, i) => `${'ad'.repeat(60)}-${i}`);
    await run.count(...ids.map((adId) => cell({ adId, clicks: 1 })));
    const slow = await watching();
    const quick = await watching();
    // A state is 1.3 MB: the system's buffers hold a few.
    for (const { say } of [slow, quick])
      say({ type: 'subscribe', id: 'v', kind: 'totals', question: { group_by: ['ad_id'], last: '10m' } });
    const sum = (one: Browser) =>
      (one.state('v') as TotalsAnswer | undefined)?.rows.reduce(
        (clicks, row) => clicks + Number(row.clicks),
        0,
      );
    await expect.poll(() => sum(slow), SECONDS).toBe(9_000);
    slow.socket.pause();
    const states = 12;
    for (let clicks = 2; clicks < 2 + states; clicks++) {
      await run.count(...ids.map((adId) => cell({ adId, clicks, rewrite: true })));
      await expect.poll(() => sum(quick), SECONDS).toBe(9_000 * clicks);
    }
    const before = slow.heard.length;
    slow.socket.resume();
    await expect.poll(() => sum(slow), SECONDS).toBe(9_000 * (1 + states));
    expect(slow.heard.length - before).toBeLessThan(states);
  } finally {
    await run.end();
  }
});

test('what a browser says wrongly is answered in its place, and nonsense ends the socket', async () => {
  open = await serving({}, [committed([cell()])]);
  const { socket, heard, say } = await watching();
  const said = (id: string) => heard.find((message) => message.type === 'error' && message.id === id);
  for (const [id, kind, question, words] of [
    ['1', 'totals', { campain: ['x'] }, 'no field'],
    ['2', 'totals', { ad: 'x' }, 'must be an array'],
    ['3', 'everything', {}, 'kind must be one of'],
    ['4', 'series', { from: '2020-01-01', to: '2026-01-01' }, 'longer steps'],
    ['5', 'constructor', {}, 'kind must be one of'],
    ['6', 'totals', [], 'is an object'],
    ['7', 'totals', { limit: '5' }, 'whole number'],
  ] as const) {
    socket.send(JSON.stringify({ type: 'subscribe', id, kind, question }));
    await expect
      .poll(() => said(id), SECONDS)
      .toMatchObject({ error: { code: 'bad_request', message: expect.stringContaining(words) } });
  }
  for (let i = 0; i <= LIMITS.watches; i++)
    say({ type: 'subscribe', id: `w${i}`, kind: 'series', question: { ad: [`ad-${i}`] } });
  await expect.poll(() => said(`w${LIMITS.watches}`), SECONDS).toBeDefined();
  say({ type: 'unsubscribe', id: 'w0' });
  say({ type: 'subscribe', id: 'again', kind: 'totals', question: {} });
  await expect
    .poll(() => heard.some((message) => 'id' in message && message.id === 'again'), SECONDS)
    .toBe(true);
  for (const nonsense of ['', 'no JSON', '[]', '{"type":"subscribe"}', '{"type":"become","id":"admin"}']) {
    const one = await watching();
    one.socket.send(nonsense);
    await expect.poll(() => one.closedWith, SECONDS).toBe(CLOSE_CODE.badMessage);
  }
  const long = await watching();
  long.socket.send('x'.repeat(LIMITS.messageBytes + 1));
  await expect.poll(() => long.closedWith, SECONDS).toBe(1009);
  const binary = await watching();
  binary.socket.send(Buffer.from([1, 2, 3]));
  await expect.poll(() => binary.closedWith, SECONDS).toBe(CLOSE_CODE.badMessage);
});

test('the end of the server ends the sockets, and tells them to come again', async () => {
  open = await serving({}, [committed([cell()])]);
  const one = await watching();
  await open.end();
  await expect.poll(() => one.closedWith, SECONDS).toBe(CLOSE_CODE.goingAway);
  open = undefined;
});
