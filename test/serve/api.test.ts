// The read API over HTTP: what is asked and what is answered, for programs that rely on it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { LIMITS, type SeriesAnswer, type TotalsAnswer } from '../../src/serve/api.js';
import { QUESTION_FIELDS } from '../../src/serve/question.js';
import { ANSWER_SCHEMAS, QUERY_SCHEMAS, type Schema } from '../../src/serve/schemas.js';
import { cell, ledgerChange, MINUTE_MS, START_MS } from '../contract/commits.js';
import { fits } from './schema-fit.js';
import { committed, get, KEY, type Serving, serving, tokenOf } from './serving.js';

const HOUR_MS = 60 * MINUTE_MS;
const hostile = 'ad,"\r\n\\,';

const COMMIT = {
  ...committed([
    cell({ clicks: 1 }),
    cell({ clicks: 2, minuteMs: START_MS + MINUTE_MS, country: 'US', deviceType: 'tv' }),
    cell({ clicks: 4, adId: hostile, campaignId: 'campaign-2', minuteMs: START_MS + HOUR_MS }),
  ]),
  ledger: [ledgerChange(0, START_MS, { billable: 7, bot: 1 }), ledgerChange(1, -1, { invalid: 2 })],
};

let open: Serving;
beforeAll(async () => {
  open = await serving({}, [COMMIT]);
});
afterAll(() => open.end());

async function totals(query: string): Promise<TotalsAnswer> {
  const { status, content, text } = await get(open, `/v1/totals?${query}`);
  expect(status, text).toBe(200);
  return content as TotalsAnswer;
}

async function series(query: string): Promise<SeriesAnswer> {
  const { status, content, text } = await get(open, `/v1/series?${query}`);
  expect(status, text).toBe(200);
  return content as SeriesAnswer;
}

describe('totals', () => {
  test('are cells, filtered and grouped as query does it', async () => {
    const clicks = async (query: string) => (await totals(query)).rows.map((row) => row.clicks);
    expect((await totals('')).columns).toEqual([
      ...['minute', 'ad_id', 'campaign_id', 'country', 'device_type', 'clicks'],
    ]);
    expect(await clicks('')).toEqual([1, 2, 4]);
    expect(await clicks('ad=ad-1,none')).toEqual([1, 2]);
    expect(await clicks(`ad=${encodeURIComponent(hostile.replaceAll(',', '\\,'))}`)).toEqual([4]);
    expect(await clicks('country=us&country=FR')).toEqual([2]);
    expect(await clicks('device=tv,mobile&campaign=campaign-2')).toEqual([4]);
    expect(await clicks('from=2026-02-22T10:01Z&to=2026-02-22T11:00Z')).toEqual([2]);
    expect((await totals('group_by=campaign_id&top=1')).rows).toEqual([
      { campaign_id: 'campaign-2', clicks: 4 },
    ]);
    expect(await totals('limit=2')).toMatchObject({ truncated: true, rows: { length: 2 } });
    expect(await totals('last=1h')).toMatchObject({
      from: '2026-02-22T10:01:00Z',
      to: '2026-02-22T11:01:00Z',
      rows: [{ clicks: 2 }, { clicks: 4 }],
    });
  });

  test('say how far they have come', async () => {
    expect((await totals('')).as_of).toEqual({
      watermark: '2026-02-22T10:00:00Z',
      complete_to: '2026-02-22T10:00:00Z',
      newest: '2026-02-22T11:01:00Z',
      method_hash: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  test('come as CSV by RFC 4180', async () => {
    const query = '/v1/totals?group_by=ad_id,hour';
    const csv =
      'ad_id,hour,clicks\r\n"ad,""\r\n\\,",2026-02-22T11:00:00Z,4\r\nad-1,2026-02-22T10:00:00Z,3\r\n';
    const asked = await get(open, `${query}&format=csv`);
    expect([asked.headers.get('content-type'), asked.text]).toEqual(['text/csv; charset=utf-8', csv]);
    const accepted = await get(open, query, { headers: { accept: 'text/csv' } });
    expect(accepted.text).toBe(csv);
  });
});

describe('series', () => {
  test('have a number for each step, lines by clicks, and the rest', async () => {
    const period = 'from=2026-02-22T10:00Z&to=2026-02-22T10:03Z';
    expect(await series(period)).toMatchObject({
      ...{ from: '2026-02-22T10:00:00Z', to: '2026-02-22T10:03:00Z', step_ms: MINUTE_MS, by: null, total: 3 },
      series: [{ name: null, total: 3, clicks: [1, 2, 0] }],
      other: null,
    });
    expect(await series(`${period}&by=country&top=1`)).toMatchObject({
      series: [{ name: 'US', total: 2, clicks: [0, 2, 0] }],
      other: { name: null, total: 1, clicks: [1, 0, 0] },
      total: 3,
    });
    expect(await series('step=hour&last=2h&by=campaign_id')).toMatchObject({
      ...{ from: '2026-02-22T09:00:00Z', to: '2026-02-22T12:00:00Z' },
      series: [
        { name: 'campaign-2', clicks: [0, 0, 4] },
        { name: 'campaign-1', clicks: [0, 3, 0] },
      ],
      other: null,
    });
    expect((await series('')).series[0]?.clicks).toHaveLength(LIMITS.stepsUnlessTold);
  });

  test('refuse more steps than anybody can draw', async () => {
    const { status, content } = await get(open, '/v1/series?from=2020-01-01&to=2026-01-01');
    expect(status).toBe(400);
    expect(content).toMatchObject({ error: { message: expect.stringContaining('ask for longer steps') } });
  });
});

test('the ledger, the status and the session are told', async () => {
  expect((await get(open, '/v1/ledger')).content).toMatchObject({
    ledger: { records: 10, invalid: 2, bot: 1, billable: 7 },
  });
  expect((await get(open, '/v1/ledger?from=2026-02-22&to=2026-02-23')).content).toMatchObject({
    ledger: { records: 8, invalid: 0 },
  });
  expect((await get(open, '/v1/status')).content).toMatchObject({
    ...{ source: 'store', live: false, run: null, lag: null, ledger: { records: 10 } },
    partitions: [{ partition: 0, position: 1, lag: null, watermark: '2026-02-22T10:00:00Z' }],
  });
  expect((await get(open, '/v1/session')).content).toEqual({
    ...{ role: 'open', advertiser_id: null, expires_at: null },
  });
  expect((await get(open, '/v1/reconciliation')).content).toEqual({ report: null });
});

test('who polls gets 304 until something changes', async () => {
  for (const path of ['/v1/totals?group_by=country', '/v1/totals?format=csv', '/v1/series', '/v1/ledger']) {
    const first = await get(open, path);
    const etag = first.headers.get('etag')!;
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get(open, path, { headers: { 'if-none-match': known } });
      expect([again.status, again.text, again.headers.get('etag')], known).toEqual([304, '', etag]);
    }
    expect((await get(open, path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  }
});

test('what can not be answered is said in one line', async () => {
  for (const [path, words] of [
    ['totals?campain=x', '"campain" is no field of this question'],
    ['totals?group_by=user_id', 'must be one of minute, hour, day'],
    ['totals?group_by=hour,hour', 'twice'],
    ['totals?device=phone', 'mobile, desktop, tablet'],
    ['totals?country=GERMANY', 'two letters'],
    ['totals?from=2026-02-23&to=2026-02-22', 'from must be before to'],
    ['totals?from=yesterday', 'must be a time'],
    ['totals?last=1h&from=2026-02-22', 'exclude each other'],
    ['totals?last=0m', 'must be a duration'],
    ['totals?top=3&limit=3', 'not both'],
    ['totals?limit=100001', 'from 1 to 100000'],
    ['totals?limit=1e3', 'whole number'],
    ['totals?format=xml', 'json or csv'],
    ['totals?from=2026-02-22&from=2026-02-23', 'given twice'],
    [
      `totals?ad=${Array.from({ length: LIMITS.filterValues + 1 }, (_, i) => i).join()}`,
      'more than 1000 values',
    ],
    ['series?by=user_id', 'must be one of ad_id'],
    ['series?step=week', 'minute, hour, day'],
    ['ledger?ad=x', 'no field'],
    ['status?format=csv', '/v1/totals only'],
    ['__proto__', 'nothing here'],
  ] as const) {
    const { status, content } = await get(open, `/v1/${path}`);
    expect([status, content], path).toEqual([
      path === '__proto__' ? 404 : 400,
      { error: { code: expect.any(String), message: expect.stringContaining(words) } },
    ]);
  }
});

test('the description names every route, field and answer, and the answers are as it says', async () => {
  const { content } = await get(open, '/openapi.json');
  const { openapi, paths, components } = content as {
    openapi: string;
    paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
    components: { schemas: Record<string, Schema> };
  };
  expect(openapi).toBe('3.1.0');
  const questions = Object.keys(QUESTION_FIELDS).map((kind) => `/v1/${kind}`);
  expect(Object.keys(paths).sort()).toEqual([...questions, '/v1/session'].sort());
  for (const [kind, fields] of Object.entries(QUESTION_FIELDS)) {
    const named = (paths[`/v1/${kind}`]!.get!.parameters ?? []).map(({ name }) => name);
    expect(named.sort(), kind).toEqual([...fields, ...(kind === 'totals' ? ['format'] : [])].sort());
  }
  expect(Object.keys(components.schemas).sort()).toEqual(Object.keys(ANSWER_SCHEMAS).sort());
  expect(Object.keys(QUERY_SCHEMAS)).toEqual(['totals', 'series', 'ledger']);
  for (const [path, schema] of [
    ['/v1/totals', 'Totals'],
    ['/v1/series?by=country&top=1', 'Series'],
    ['/v1/ledger', 'LedgerAnswer'],
    ['/v1/status', 'Status'],
    ['/v1/reconciliation', 'Reconciliation'],
    ['/v1/session', 'Session'],
    ['/v1/nothing', 'Error'],
  ] as const) {
    const answer = await get(open, path);
    expect(fits(answer.content, ANSWER_SCHEMAS[schema]!, ANSWER_SCHEMAS), path).toEqual([]);
  }
});

describe('a server without tokens', () => {
  test('is for this machine alone', async () => {
    await expect(serving({ host: '0.0.0.0' })).rejects.toThrow(
      /without tokens everybody there would see everything/,
    );
  });

  test('answers no page of another site, by whatever name it found it', async () => {
    const other = { headers: { origin: 'https://evil.example' } };
    expect((await get(open, '/v1/totals', other)).status).toBe(403);
    const url = `${open.server.url.replace('http', 'ws')}/v1/live`;
    const refused = new WebSocket(url, { origin: 'https://evil.example' });
    const [response] = await new Promise<[string]>((resolve) =>
      refused.on('error', (error) => resolve([error.message])),
    );
    expect(response).toContain('403');
    // A name of an attacker's that leads to this machine.
    const rebound = new WebSocket(url, { headers: { host: 'evil.example' } });
    const message = await new Promise<string>((resolve) =>
      rebound.on('error', (error) => resolve(error.message)),
    );
    expect(message).toContain('403');
  });

  test('lets no page of elsewhere in', async () => {
    const { headers } = await get(open, '/v1/session');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('limits', () => {
  let limited: Serving | undefined;
  afterEach(async () => {
    await limited?.end();
    limited = undefined;
  });

  test('hold who asks too often, and say when to come again', async () => {
    limited = await serving({ requestsPerMinute: 3 }, [COMMIT]);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await get(limited, '/v1/status')).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    const { headers, content } = await get(limited, '/v1/status');
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(content).toMatchObject({ error: { code: 'too_many_requests' } });
  });

  test('hold bodies and URLs', async () => {
    limited = await serving({ tokenKeys: [KEY] }, [COMMIT]);
    const long = JSON.stringify({ token: 'x'.repeat(100_000) });
    const headers = { 'content-type': 'application/json' };
    const posted = await get(limited, '/v1/session', { method: 'POST', body: long, headers });
    expect(posted.status).toBe(413);
    const token = await tokenOf(undefined);
    expect((await get(limited, `/v1/totals?ad=${'x'.repeat(100_000)}`, { token })).status).toBe(431);
  });
});

test('before anything was counted there is nothing, and then there is', async () => {
  const empty = await serving();
  try {
    expect((await get(empty, '/v1/totals')).content).toMatchObject({ rows: [], as_of: { watermark: null } });
    expect((await get(empty, '/v1/series?last=1h')).content).toMatchObject({ series: [], from: null });
    expect((await get(empty, '/v1/ledger')).content).toMatchObject({ ledger: { records: 0 } });
    expect((await get(empty, '/v1/status')).content).toMatchObject({ live: false, ledger: null });
    mkdirSync(join(empty.dataDir, 'reports'));
    writeFileSync(join(empty.dataDir, 'reports', 'last.json'), 'no JSON');
    expect((await get(empty, '/v1/reconciliation')).status).toBe(503);
  } finally {
    await empty.end();
  }
});
