// Requests of many browsers that come through one proxy: each has its own share, if the proxy is believed.
import { afterEach, expect, test } from 'vitest';
import { networksOf } from '../../src/ingest/networks.js';
import type { GivenAnswer } from '../../src/serve/server.js';
import { cell } from '../contract/commits.js';
import { browser, committed, get, KEY, type Serving, serving, tokenOf } from './serving.js';

let open: Serving | undefined;
afterEach(async () => {
  await open?.end();
  open = undefined;
});

/** Status of a question that came through a proxy of this machine, which wrote these hops. */
async function asked(hops: string, path = '/v1/status', token?: string): Promise<number> {
  const headers = { 'x-forwarded-for': hops };
  return (await get(open!, path, token === undefined ? { headers } : { headers, token })).status;
}

test('behind a trusted proxy each browser has its own requests a minute, whatever it says of itself', async () => {
  const trustedProxies = networksOf(['127.0.0.0/8', '10.0.0.0/8'], 'test');
  open = await serving({ requestsPerMinute: 2, trustedProxies });
  expect(await asked('192.0.2.1')).toBe(200);
  // What a browser puts before the proxy's own word changes nothing; a second proxy is looked through.
  expect(await asked('203.0.113.7, 192.0.2.1')).toBe(200);
  expect(await asked('198.51.100.9, 192.0.2.1:4711, 10.0.0.3')).toBe(429);
  expect(await asked('192.0.2.2')).toBe(200);
  expect(await asked('2001:db8::1')).toBe(200);
  expect(await asked('192.0.2.1')).toBe(429);
});

test('a proxy that is not trusted is one browser', async () => {
  open = await serving({ requestsPerMinute: 2, trustedProxies: networksOf(['10.0.0.0/8'], 'test') });
  expect([await asked('192.0.2.1'), await asked('192.0.2.2'), await asked('192.0.2.3')]).toEqual([
    200, 200, 429,
  ]);
});

test('an advertiser has one share, from wherever it asks', async () => {
  const trustedProxies = networksOf(['127.0.0.1'], 'test');
  open = await serving({ requestsPerMinute: 2, trustedProxies, tokenKeys: [KEY] });
  const blue = await tokenOf('blue');
  const statuses = [];
  for (const hops of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
    statuses.push(await asked(hops, '/v1/status', blue));
  expect(statuses).toEqual([200, 200, 429]);
  expect(await asked('192.0.2.1', '/v1/status', await tokenOf('red'))).toBe(200);
});

test('each answer is told with its route, and the figures count what was made for it', async () => {
  const answers: GivenAnswer[] = [];
  open = await serving({ onAnswer: (answer) => answers.push(answer) }, [committed([cell({ clicks: 3 })])]);
  await open.server.askStore();
  for (const path of ['/v1/totals?group_by=country', '/v1/totals?group_by=country', '/v1/totals?x=1', '/no'])
    await get(open, path);
  await expect.poll(() => answers.length).toBe(4);
  expect(answers.map(({ route, status }) => `${route} ${status}`)).toEqual([
    '/v1/totals 200',
    '/v1/totals 200',
    '/v1/totals 400',
    'web 404',
  ]);
  expect(answers.every(({ seconds }) => seconds > 0 && seconds < 60)).toBe(true);
  const { made, ...figures } = open.server.figures();
  expect(figures).toEqual({ watchers: 0, views: 1, failed: 0, told: false });
  // Who asks the same within a second gets what is there.
  expect([1, 2]).toContain(made);
  const watching = await browser(open);
  watching.say({ type: 'subscribe', id: 'chart', kind: 'series', question: { last: '1m' } });
  await expect.poll(() => open!.server.figures()).toMatchObject({ watchers: 1, views: 2 });
  watching.socket.terminate();
  await expect.poll(() => open!.server.figures().watchers).toBe(0);
});
