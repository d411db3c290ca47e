// Whatever a request holds: what is acknowledged is a click by the counting method, once, and the oracle is the judge.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clickUrl } from '../../src/ingest/click-url.js';
import { readRecord } from '../oracle/record.js';
import { type Serving, startServing } from './serving.js';

const RUNS = 400;

let serving: Serving;
beforeAll(async () => {
  serving = await startServing({
    trustProxy: ['127.0.0.1'],
    spec: { countryHeader: 'x-country', batchLimit: 1000 },
  });
});
afterAll(() => serving.close());

/** What Node.js lets through as a header's value: latin-1 without controls, and tabs. */
const headerText = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 32, max: 126 }) },
      fc.integer({ min: 160, max: 255 }),
      fc.constant(9),
    ),
    {
      maxLength: 40,
    },
  )
  .chain((codes) =>
    fc.constantFrom(1, 1, 1, 120).map((times) =>
      String.fromCharCode(...codes)
        .repeat(times)
        .slice(0, 4700),
    ),
  );
const name = fc.constantFrom(
  ...[
    'user-agent',
    'referer',
    'cookie',
    'x-forwarded-for',
    'x-country',
    'sec-purpose',
    'sec-ch-ua-form-factors',
  ],
  ...['sec-ch-ua-mobile', 'x-forwarded-proto'],
);
const parameter = fc.constantFrom('c', 'i', 't', 'e', 's', 'x');
const text = fc.string({ unit: 'binary', maxLength: 30 });

test('any redirect', async () => {
  let redirects = 0;
  const headers = fc.dictionary(name, headerText, { maxKeys: 4 });
  const query = fc.array(
    fc.tuple(parameter, fc.oneof(text, fc.constantFrom('%00', '%ud800', '%', '1771754400000', ''))),
    {
      maxLength: 4,
    },
  );
  const method = fc.constantFrom('GET', 'GET', 'GET', 'HEAD');
  await fc.assert(
    fc.asyncProperty(headers, query, method, async (sent, pairs, how) => {
      const search = pairs.map(
        ([key, value]) => `${key}=${/^%/.test(value) ? value : encodeURIComponent(value.toWellFormed())}`,
      );
      const path = `${new URL(clickUrl('http://x', { adId: 'ad é/?#' })).pathname}?${search.join('&')}`;
      const { status } = await serving.ask(path, { method: how, headers: sent });
      expect([302, 431]).toContain(status);
      if (status === 302) redirects++;
    }),
    { numRuns: RUNS, verbose: true },
  );
  await expectSound(redirects);
});

test('any posted object', async () => {
  const before = (await serving.records()).length;
  const field = fc.constantFrom(
    ...['click_id', 'event_time', 'ad_id', 'campaign_id', 'user_id', 'ip_address', 'country', 'device_type'],
    ...[
      'user_agent',
      'referrer',
      'impression_id',
      'invalid_traffic',
      'seen',
      'received_at',
      'x',
      '__proto__',
    ],
  );
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      'ad-1',
      'camp-1',
      'DE',
      'tv',
      '192.0.2.1',
      1_771_754_400_000,
      '',
      null,
      'x'.repeat(129),
      1e21,
    ),
    fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }),
  );
  const member = fc.tuple(field, value);
  const click = fc.array(member, { maxLength: 6 }).map((members) => {
    // Names may come twice, which an object could not show.
    const texts = members.map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`);
    return `{${['"ad_id":"ad-1"', ...texts].join(',')}}`;
  });
  const list = fc.array(fc.oneof({ weight: 5, arbitrary: click }, fc.json()), { maxLength: 20 });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(list, async (clicks) => {
      const { status, json } = await serving.post(`[${clicks.join(',')}]`);
      expect([200, 207, 400]).toContain(status);
      const answer = json<{ accepted: number; clicks: unknown[] }>();
      expect(answer.clicks).toHaveLength(clicks.length);
      accepted += answer.accepted;
    }),
    { numRuns: RUNS, verbose: true },
  );
  expect(accepted).toBeGreaterThan(10);
  await expectSound(before + accepted);
});

/** The log holds so many records, all of them clicks. */
async function expectSound(count: number): Promise<void> {
  const records = await serving.records();
  expect(records).toHaveLength(count);
  const bad = records.filter(({ value }) => 'reason' in readRecord(Buffer.from(value)));
  expect(bad).toEqual([]);
}
