// An advertiser sees its own campaigns and nothing of another's: on every route, with any filters, on the socket, and
// when campaigns change hands.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.js';
import type { SeriesAnswer, StatusAnswer, TotalsAnswer } from '../../src/serve/api.js';
import { CLOSE_CODE } from '../../src/serve/api.js';
import { Scopes } from '../../src/serve/scopes.js';
import { tokensBy } from '../../src/serve/tokens.js';
import { cell, ledgerChange, MINUTE_MS, START_MS } from '../contract/commits.js';
import {
  type Browser,
  browser,
  committed,
  get,
  KEY,
  OWNED,
  type Serving,
  serving,
  tokenOf,
} from './serving.js';

const CAMPAIGNS = ['blue-1', 'blue-2', 'red-1', 'nobody-1'];
const COUNTRIES = ['DE', 'US', 'IN'];
const DEVICES = ['mobile', 'desktop'];

/** Clicks are of another magnitude in each campaign, so that a sum tells whose are in it. */
const CELLS = CAMPAIGNS.flatMap((campaignId, i) =>
  COUNTRIES.flatMap((country, j) =>
    DEVICES.map((deviceType, k) =>
      cell({
        ...{ campaignId, country, deviceType, adId: `${campaignId}-ad-${j}` },
        minuteMs: START_MS + (i + j + k) * MINUTE_MS,
        clicks: 100 ** i,
      }),
    ),
  ),
);
const COMMIT = { ...committed(CELLS), ledger: [ledgerChange(0, START_MS, { billable: 4242 })] };

let open: Serving;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  open = await serving({ tokenKeys: [KEY] }, [COMMIT]);
  for (const advertiser of Object.keys(OWNED)) tokens[advertiser] = await tokenOf(advertiser);
  tokens.admin = await tokenOf(undefined);
});
afterAll(() => open.end());

const browsers: Browser[] = [];
afterEach(() => {
  for (const { socket } of browsers.splice(0)) socket.terminate();
});

async function watching(token: string): Promise<Browser> {
  const opened = await browser(open, { authorization: `Bearer ${token}` });
  browsers.push(opened);
  return opened;
}

const questions = fc.record(
  {
    ad: fc.subarray(CELLS.map(({ adId }) => adId)),
    campaign: fc.subarray(CAMPAIGNS),
    country: fc.subarray(COUNTRIES),
    device: fc.subarray(DEVICES),
    last: fc.constantFrom('1m', '2m', '1h'),
  },
  { requiredKeys: [] },
);
type Question = typeof questions extends fc.Arbitrary<infer T> ? T : never;

const grouped = fc.subarray(['minute', 'ad_id', 'campaign_id', 'country', 'device_type'] as const);

function parametersOf(question: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(question))
    for (const one of [value].flat()) parameters.append(name, String(one));
  return String(parameters);
}

/** What the cells say that an advertiser may see. */
function expected(question: Question, owned: readonly string[]): number {
  const passes = (list: readonly string[] | undefined, value: string) =>
    !list?.length || list.includes(value);
  const newestMs = Math.max(...CELLS.map(({ minuteMs }) => minuteMs)) + MINUTE_MS;
  const backMs = { '1m': MINUTE_MS, '2m': 2 * MINUTE_MS, '1h': 60 * MINUTE_MS }[question.last ?? '1h']!;
  return CELLS.filter(
    (one) =>
      owned.includes(one.campaignId) &&
      passes(question.ad, one.adId) &&
      passes(question.campaign, one.campaignId) &&
      passes(question.country, one.country) &&
      passes(question.device, one.deviceType) &&
      one.minuteMs >= newestMs - backMs,
  ).reduce((sum, { clicks }) => sum + clicks, 0);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

test('any question about totals and series is answered from one’s own campaigns alone', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(OWNED)),
      questions,
      grouped,
      fc.option(fc.constantFrom('ad_id', 'campaign_id', 'country', 'device_type')),
      async (advertiser, question, groupBy, by) => {
        const token = tokens[advertiser]!;
        const owned = OWNED[advertiser]!;
        const clicks = expected(question, owned);
        const totals = await get(open, `/v1/totals?${parametersOf({ ...question, group_by: groupBy })}`, {
          token,
        });
        const { rows } = totals.content as TotalsAnswer;
        expect(sum(rows.map((row) => Number(row.clicks)))).toBe(clicks);
        for (const row of rows) {
          if (row.campaign_id !== undefined) expect(owned).toContain(row.campaign_id);
        }
        const chart = { ...question, ...(by ? { by, top: 2 } : {}) };
        const series = await get(open, `/v1/series?${parametersOf(chart)}`, { token });
        const answer = series.content as SeriesAnswer;
        expect(answer.total).toBe(clicks);
        expect(
          sum([...answer.series, ...(answer.other ? [answer.other] : [])].map(({ total }) => total)),
        ).toBe(clicks);
        const name = by === 'campaign_id' ? answer.series.map((one) => one.name) : [];
        expect(name.every((one) => owned.includes(one!))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test('nothing that counts the clicks of all is told', async () => {
  const token = tokens.blue!;
  const ledger = await get(open, '/v1/ledger', { token });
  expect([ledger.status, ledger.content]).toMatchObject([403, { error: { code: 'forbidden' } }]);
  const status = (await get(open, '/v1/status', { token })).content as StatusAnswer;
  expect(status).toMatchObject({ run: null, ledger: null, partitions: null, lag: null });
  expect(JSON.stringify(status)).not.toContain('4242');
  expect((await get(open, '/v1/ledger', { token: tokens.admin! })).content).toMatchObject({
    ledger: { billable: 4242 },
  });
  expect((await get(open, '/v1/session', { token })).content).toMatchObject({
    ...{ role: 'advertiser', advertiser_id: 'blue', expires_at: expect.stringMatching(/Z$/) },
  });
});

test('of the reconciliation one sees one’s own lines, summed anew', async () => {
  const line = (campaign_id: string, clicks: number) => ({
    ...{ campaign_id, clicks, price_per_click: '0.10', amount: `${clicks / 10}.0`, currency: 'EUR' },
  });
  const lines = [line('blue-1', 10), line('red-1', 7770), line('blue-2', 20)];
  const report = {
    ...{ agree: true, generated_at: '2026-02-23T00:00:00.000Z', period: null, method: { hash: 'abc' } },
    ...{ cells: 777, differing: 0, ledger_differing: 0, open: 0, clicks: { stream: 7770, batch: 7770 } },
    ...{ ledger: { records: 7770 }, ledger_stream: { records: 7770 }, billing: lines, billing_totals: [] },
    closed_periods: [{ period: 'p', closed_at: '2026-02-23T00:00:00Z', method_hash: 'abc', billing: lines }],
    adjustments: [{ ...line('red-1', 7770), period: 'p', cause: 'x', recorded_at: '2026-02-23T00:00:00Z' }],
  };
  mkdirSync(join(open.dataDir, 'reports'), { recursive: true });
  writeFileSync(join(open.dataDir, 'reports', 'last.json'), JSON.stringify(report));
  const own = await get(open, '/v1/reconciliation', { token: tokens.blue! });
  expect(own.text).not.toContain('red-1');
  expect(own.text).not.toContain('777');
  expect(own.content).toMatchObject({
    report: {
      ...{ agree: true, cells: null, ledger: null, adjustments: [] },
      billing: [{ campaign_id: 'blue-1' }, { campaign_id: 'blue-2' }],
      billing_totals: [{ currency: 'EUR', clicks: 30 }],
    },
  });
  const all = await get(open, '/v1/reconciliation', { token: tokens.admin! });
  expect(all.content).toMatchObject({ report: { cells: 777, billing: { length: 3 } } });
});

test('two advertisers on sockets see their own, and an administrator all', async () => {
  const [blue, red, idle, admin] = await Promise.all(
    ['blue', 'red', 'idle', 'admin'].map((name) => watching(tokens[name]!)),
  );
  for (const one of [blue!, red!, idle!, admin!]) {
    one.say({ type: 'subscribe', id: 'mine', kind: 'totals', question: { group_by: ['campaign_id'] } });
    one.say({
      type: 'subscribe',
      id: 'theirs',
      kind: 'totals',
      question: { campaign: ['red-1'], group_by: ['country'] },
    });
    one.say({ type: 'subscribe', id: 'all', kind: 'ledger', question: {} });
    one.say({ type: 'subscribe', id: 'how', kind: 'status', question: {} });
  }
  const campaigns = (one: Browser, id: string) =>
    (one.state(id) as TotalsAnswer | undefined)?.rows.map((row) => row.campaign_id ?? row.country);
  await expect.poll(() => campaigns(blue!, 'mine')).toEqual(['blue-1', 'blue-2']);
  await expect.poll(() => campaigns(blue!, 'theirs')).toEqual([]);
  await expect.poll(() => campaigns(red!, 'mine')).toEqual(['red-1']);
  await expect.poll(() => campaigns(red!, 'theirs')).toEqual(['DE', 'IN', 'US']);
  await expect.poll(() => campaigns(idle!, 'mine')).toEqual([]);
  await expect.poll(() => campaigns(admin!, 'mine')).toEqual([...CAMPAIGNS].sort());
  await expect.poll(() => admin!.state('all')).toMatchObject({ ledger: { billable: 4242 } });
  for (const one of [blue!, red!, idle!]) {
    await expect.poll(() => one.state('how')).toMatchObject({ ledger: null, partitions: null });
    expect(one.heard.filter(({ type }) => type === 'error')).toMatchObject([{ id: 'all' }]);
    expect(JSON.stringify(one.heard)).not.toContain('4242');
  }
});

describe('a token', () => {
  test('that is none, has ended or was made by others opens nothing', async () => {
    const stranger = await tokensBy(['another key of thirty-two characters']).issue({
      ...{ advertiserId: undefined, expiresAtMs: Date.now() + 60_000 },
    });
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa('{"role":"admin","iss":"click-agg","exp":9999999999}')}.`;
    const changed = tokens.blue!.replace(
      /\..*\./,
      `.${btoa('{"role":"admin","iss":"click-agg","exp":9999999999}')}.`,
    );
    for (const token of [
      '',
      'x',
      stranger,
      unsigned,
      changed,
      await tokenOf(undefined, -5_000),
      'x'.repeat(5_000),
    ]) {
      for (const path of ['totals', 'series', 'ledger', 'status', 'reconciliation', 'session']) {
        const { status, content } = await get(open, `/v1/${path}`, { token });
        expect([status, content], token).toMatchObject([401, { error: { code: 'unauthorized' } }]);
      }
      const refused = await watching(token);
      await expect.poll(() => refused.closedWith).toBe(CLOSE_CODE.unauthorized);
    }
    expect((await get(open, '/v1/totals')).status).toBe(401);
    expect((await get(open, '/openapi.json')).status).toBe(200);
  });

  test('ends a socket when it ends', async () => {
    const short = await watching(await tokenOf('blue', 4_000));
    await expect.poll(() => short.heard[0]).toMatchObject({ type: 'hello' });
    await expect.poll(() => short.closedWith).toBe(CLOSE_CODE.unauthorized);
  });

  test('of an older key is taken beside those of the newest', async () => {
    const newer = 'a newer key of thirty-two characters';
    const both = tokensBy([newer, KEY]);
    expect(await both.viewerOf(tokens.blue!)).toMatchObject({ role: 'advertiser', advertiserId: 'blue' });
    const fresh = await both.issue({ advertiserId: 'blue', expiresAtMs: Date.now() + 60_000 });
    expect(await tokensBy([KEY]).viewerOf(fresh)).toBeUndefined();
  });

  test('becomes a cookie that no script reads and no other site sends', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ token: tokens.blue });
    const signedIn = await get(open, '/v1/session', { method: 'POST', headers, body });
    expect([signedIn.status, signedIn.content]).toMatchObject([200, { advertiser_id: 'blue' }]);
    const set = signedIn.headers.get('set-cookie')!;
    expect(set).toMatch(/HttpOnly/);
    expect(set).toMatch(/SameSite=Strict/);
    const cookie = set.split(';')[0]!;
    expect((await get(open, '/v1/session', { headers: { cookie } })).content).toMatchObject({
      role: 'advertiser',
    });
    const byCookie = await browser(open, { cookie });
    browsers.push(byCookie);
    await expect
      .poll(() => byCookie.heard[0])
      .toMatchObject({ type: 'hello', session: { advertiser_id: 'blue' } });
    const out = await get(open, '/v1/session', { method: 'DELETE' });
    expect([out.status, out.headers.get('set-cookie')]).toEqual([
      204,
      expect.stringContaining('Expires=Thu, 01 Jan 1970'),
    ]);
    const evil = { ...headers, origin: 'https://evil.example' };
    expect((await get(open, '/v1/session', { method: 'POST', headers: evil, body })).status).toBe(403);
    const wrong = await get(open, '/v1/session', { method: 'POST', headers, body: '{"token":"x"}' });
    expect(wrong.status).toBe(401);
  });
});

describe('whose campaigns they are', () => {
  const blue = { role: 'advertiser', advertiserId: 'blue', expiresAtMs: Infinity } as const;

  test('is asked once for many questions at a time', async () => {
    let asked = 0;
    const scopes = new Scopes(async () => {
      asked++;
      return ['blue-1'];
    });
    const answers = await Promise.all(Array.from({ length: 100 }, () => scopes.of(blue)));
    expect([asked, new Set(answers.map(String))]).toEqual([1, new Set(['blue-1'])]);
    expect(await scopes.of({ role: 'admin', expiresAtMs: Infinity })).toBeUndefined();
  });

  test('is not guessed where the table can not be asked', async () => {
    const broken = new Scopes(async () => {
      throw new UserError('the ads table is gone');
    });
    await expect(broken.of(blue)).rejects.toThrow('gone');
    const gone = await serving(
      {
        tokenKeys: [KEY],
        campaignsOf: async () => {
          throw new UserError('postgres://agg@secret-host/ads does not answer');
        },
      },
      [COMMIT],
    );
    try {
      const { status, text } = await get(gone, '/v1/totals', { token: tokens.blue! });
      expect([status, text]).toEqual([503, expect.not.stringContaining('secret-host')]);
    } finally {
      await gone.end();
    }
  });
});
