// Posted clicks: a verdict for each, what is filled in, whom is believed what.
import { afterEach, expect, test } from 'vitest';
import { PHONE, type Serving, type ServingOptions, startServing } from './serving.js';

const KEY = 'a-key-of-many-characters';
const BEARER = { authorization: `Bearer ${KEY}` };

interface ListAnswer {
  accepted: number;
  rejected: number;
  clicks: { status: string; reason?: string; click_id?: string }[];
}

let serving: Serving | undefined;
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});

async function start(options?: ServingOptions): Promise<Serving> {
  serving = await startServing(options);
  return serving;
}

test('an app’s click is filled up with what the server knows', async () => {
  const { post, clicks } = await start();
  const answer = await post(
    { ad_id: 'ad-1', event_time: 1_771_754_400_000 },
    { 'user-agent': 'okhttp/5.1.0' },
  );
  expect(answer.status).toBe(200);
  const { status, click_id: id } = answer.json<{ status: string; click_id: string }>();
  expect([status, id[14]]).toEqual(['accepted', '7']);
  const [click] = await clicks();
  expect(click).toEqual({
    ...{ click_id: id, event_time: 1_771_754_400_000, ad_id: 'ad-1', campaign_id: 'camp-1' },
    ...{ user_id: expect.any(String), ip_address: '127.0.0.1', country: 'ZZ', device_type: 'other' },
    received_at: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(String(answer.headers['set-cookie'])).toContain(`ca_uid=${click!.user_id};`);
});

test('a browser’s click has its user agent and its cookie', async () => {
  const { post, clicks } = await start();
  const user = '3f2b8c1e-0000-4000-8000-000000000001';
  const { headers } = await post({ ad_id: 'ad-1' }, { 'user-agent': PHONE, cookie: `ca_uid=${user}` });
  expect(headers['set-cookie']).toBeUndefined();
  const [click] = await clicks();
  expect(click).toMatchObject({ user_id: user, user_agent: PHONE, device_type: 'mobile' });
  expect(click).not.toHaveProperty('received_at');
});

test('a verdict for each of a list, by the reasons of the counting method, in order', async () => {
  const { post, clicks, tally } = await start();
  const list = [
    [{ ad_id: 'ad-1', click_id: 'c-1' }, 'ok'],
    [3, 'not_json'],
    [null, 'not_json'],
    [[], 'not_json'],
    [{ ad_id: 'nobody', click_id: 'c-2' }, 'unknown_ad'],
    [{ ad_id: 'ad-2' }, 'unknown_ad'],
    [{}, 'ad_id'],
    [{ ad_id: '' }, 'ad_id'],
    [{ ad_id: 7 }, 'ad_id'],
    [{ ad_id: 'x'.repeat(129) }, 'ad_id'],
    [{ ad_id: 'ad-1', click_id: '' }, 'click_id'],
    [{ ad_id: 'ad-1', click_id: 'x'.repeat(129) }, 'click_id'],
    [{ ad_id: 'ad-1', event_time: '1771754400000' }, 'event_time'],
    [{ ad_id: 'ad-1', event_time: 1.5 }, 'event_time'],
    [{ ad_id: 'ad-1', event_time: Date.now() + 360_000 }, 'from_the_future'],
    [{ ad_id: 'ad-1', campaign_id: 'camp-9' }, 'campaign_mismatch'],
    [{ ad_id: 'ad-1', campaign_id: 9 }, 'campaign_id'],
    [{ ad_id: 'ad-1', user_id: 9 }, 'user_id'],
    [{ ad_id: 'ad-1', country: 'de' }, 'country'],
    [{ ad_id: 'ad-1', device_type: 'phone' }, 'device_type'],
    [{ ad_id: 'ad-1', user_agent: 'x'.repeat(2049) }, 'user_agent'],
    [{ ad_id: 'ad-1', impression_id: 'x'.repeat(129) }, 'impression_id'],
    [{ ad_id: 'ad-1', invalid_traffic: 7 }, 'invalid_traffic'],
    [{ ad_id: 'ad-1', invalid_traffic: 'x'.repeat(129) }, 'invalid_traffic'],
    [{ ad_id: 'ad-1', extra: 'nul\0' }, 'not_json'],
    [{ ad_id: 'ad-1', extra: 'half\ud800' }, 'not_json'],
    [{ ad_id: 'ad-1', click_id: null, referrer: null, user_id: 'ü' }, 'ok'],
  ] as const;
  const answer = await post(list.map(([click]) => click));
  expect(answer.status).toBe(207);
  const { accepted, rejected, clicks: verdicts } = answer.json<ListAnswer>();
  expect(verdicts.map(({ status, reason }) => (status === 'accepted' ? 'ok' : reason))).toEqual(
    list.map(([, reason]) => reason),
  );
  expect([verdicts[0]!.click_id, verdicts[4]!.click_id]).toEqual(['c-1', 'c-2']);
  expect([accepted, rejected]).toEqual([2, list.length - 2]);
  expect(await clicks()).toHaveLength(2);
  expect(tally).toMatchObject({ accepted: 2, rejected: { not_json: 5, unknown_ad: 2, ad_id: 4 } });
});

test('statuses: 200 for all, 400 for none, and bodies that are no clicks', async () => {
  const { post } = await start();
  expect((await post([])).json()).toEqual({ accepted: 0, rejected: 0, clicks: [] });
  expect((await post([{ ad_id: 'ad-1' }, { ad_id: 'ad-1' }])).status).toBe(200);
  expect((await post([{ ad_id: 'x' }, {}])).status).toBe(400);
  const one = await post({ ad_id: 'x' });
  expect([one.status, one.json()]).toEqual([400, { status: 'rejected', reason: 'unknown_ad' }]);
  for (const body of ['', '{', '{"ad_id":"ad-1"} {}', '"ad-1"', 'null', '[{]', '['.repeat(100_000)]) {
    expect((await post(body)).status, body.slice(0, 20)).toBe(400);
  }
  const latin1 = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{"a":"\xe9"}', 'latin1'),
  };
  expect((await serving!.ask('/v1/clicks', latin1)).status).toBe(400);
});

test('whoever has the key is believed about people, and others are not', async () => {
  const { post, clicks } = await start({ spec: { apiKeys: [KEY] } });
  const click = {
    ...{ ad_id: 'ad-1', user_id: 'user-7', ip_address: '2001:DB8::7', user_agent: PHONE, country: 'FR' },
    ...{ seen: true, received_at: 'never', invalid_traffic: 'our own list' },
  };
  expect((await post({ ...click, click_id: 'c-1', campaign_id: 'camp-9' }, BEARER)).status).toBe(200);
  expect((await post({ ...click, click_id: 'c-2' })).status).toBe(200);
  expect((await post(click, { authorization: 'Bearer another-key-altogether' })).status).toBe(401);
  expect((await post({ ad_id: 'ad-1', ip_address: '192.0.2.1' }, BEARER)).json()).toMatchObject({
    reason: 'user_id',
  });
  expect((await post({ ad_id: 'ad-1', user_id: 'u' }, BEARER)).json()).toMatchObject({
    reason: 'ip_address',
  });
  expect((await post({ ad_id: 'ad-1', user_id: 'u', ip_address: '1.2.3' }, BEARER)).json()).toMatchObject({
    reason: 'ip_address',
  });
  const [first, second] = await clicks();
  expect(first).toMatchObject({
    campaign_id: 'camp-9',
    user_id: 'user-7',
    ip_address: '2001:db8::7',
    country: 'FR',
  });
  expect(first).toMatchObject({ device_type: 'mobile', invalid_traffic: 'our own list' });
  expect(first).not.toHaveProperty('seen');
  expect(first).not.toHaveProperty('received_at');
  expect(second).toMatchObject({
    campaign_id: 'camp-1',
    ip_address: '127.0.0.1',
    invalid_traffic: 'our own list',
  });
});

test('our own mark of a crawler is before the sender’s', async () => {
  const { post, clicks } = await start();
  await post({ ad_id: 'ad-1', user_agent: 'Googlebot/2.1', invalid_traffic: 'x' });
  expect((await clicks())[0]).toMatchObject({ invalid_traffic: expect.stringMatching(/^crawler \(isbot /) });
});

test('what nobody here knows is kept to the byte', async () => {
  const { post, records } = await start();
  const extra =
    '"order":12345678901234567890,"price":1.10,"__proto__":{"a":[1, "}, {" ]},"x":"\\u00e9\\"\\\\","x":2';
  expect((await post(`[ {${extra} , "ad_id" : "ad-1"} ]`)).status).toBe(200);
  const [{ value, key }] = (await records()) as [{ value: string; key: string }];
  expect(key).toBe('ad-1');
  expect(value).toContain(`,${extra}}`);
  expect((await post('{"ad_id":"ad-1","\\u0061d_id":"ad-1"}')).json()).toMatchObject({ reason: 'not_json' });
});

test('pseudonyms of posted clicks are those of redirects', async () => {
  const { post, ask, clicks } = await start({
    trustProxy: ['127.0.0.1'],
    spec: { apiKeys: [KEY], pseudonymKey: KEY },
  });
  const user = '3f2b8c1e-0000-4000-8000-000000000001';
  await ask('/c/ad-1', { headers: { cookie: `ca_uid=${user}`, 'x-forwarded-for': '192.0.2.1' } });
  await post({ ad_id: 'ad-1', user_id: user, ip_address: '::ffff:192.0.2.1' }, BEARER);
  const [one, other] = (await clicks()) as [Record<string, unknown>, Record<string, unknown>];
  expect([other.user_id, other.ip_address]).toEqual([one.user_id, one.ip_address]);
  expect(String(one.ip_address)).toMatch(/^fd/);
  // What is no user id does not become one.
  expect(
    (await post({ ad_id: 'ad-1', user_id: 'x'.repeat(129), ip_address: '192.0.2.1' }, BEARER)).status,
  ).toBe(400);
});
