// What the server doesn't let in, and that it says so and goes on.
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Serving, type ServingOptions, startServing } from './serving.js';

let serving: Serving | undefined;
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});

async function start(options?: ServingOptions): Promise<Serving> {
  serving = await startServing(options);
  return serving;
}

test('URLs, heads and bodies that are too long, lists with too many clicks', async () => {
  const { ask, post, clicks, tally } = await start({
    limits: { urlBytes: 300, headerBytes: 4096, bodyBytes: 2000 },
  });
  expect((await ask(`/c/ad-1?x=${'x'.repeat(300)}`)).status).toBe(414);
  expect((await ask(`/c/${'x'.repeat(200)}`)).status).toBe(404);
  expect((await ask('/c/ad-1', { headers: { cookie: 'x'.repeat(5000) } })).status).toBe(431);
  expect((await post([{ ad_id: 'ad-1', x: 'x'.repeat(2000) }])).status).toBe(413);
  const many = await post(`[${Array(101).fill(1).join()}]`);
  expect([many.status, many.json()]).toEqual([413, { error: 'more than 100 clicks in a request' }]);
  expect((await ask('/v1/clicks', { method: 'POST', body: '{"ad_id":"ad-1"}' })).status).toBe(415);
  expect((await ask('/v1/clicks')).status).toBe(404);
  expect((await ask('/c/ad-1', { method: 'DELETE' })).status).toBe(404);
  expect(await clicks()).toEqual([]);
  expect(tally.answers.clicks).toMatchObject({ 413: 2, 415: 1 });
  expect((await ask('/c/ad-1')).status).toBe(302);
});

test('an address that asks too often waits, others and those with a key don’t', async () => {
  const { ask, post, tally } = await start({
    ...{
      limits: { requests: 5 },
      trustProxy: ['127.0.0.1'],
      spec: { apiKeys: ['a key of many characters'] },
    },
  });
  const from = (address: string) => ask('/c/ad-1', { headers: { 'x-forwarded-for': address } });
  for (let i = 0; i < 5; i++) expect((await from('192.0.2.1')).status).toBe(302);
  const refused = await from('192.0.2.1');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
  expect((await from('192.0.2.2')).status).toBe(302);
  const click = { ad_id: 'ad-1', user_id: 'u', ip_address: '192.0.2.9' };
  const server = { 'x-forwarded-for': '192.0.2.1', authorization: 'Bearer a key of many characters' };
  expect((await post(click, server)).status).toBe(200);
  expect((await post(click, { ...server, authorization: 'Bearer another key' })).status).toBe(429);
  expect((await post(click, { 'x-forwarded-for': '192.0.2.1' })).status).toBe(429);
  expect(tally.answers.redirect).toEqual({ 302: 6, 429: 1 });
});

test('whoever speaks no HTTP is told so, and the server goes on', async () => {
  const { url, ask } = await start();
  const { hostname, port } = new URL(url);
  const say = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let heard = '';
      const socket = connect(Number(port), hostname, () => socket.write(text));
      socket.on('data', (piece) => {
        heard += piece.toString('latin1');
      });
      socket.on('close', () => resolve(heard)).on('error', () => resolve(heard));
    });
  expect(await say('\x16\x03\x01\x02\x00\x01\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  expect(await say('GET /c/ad-1 HTTP/1.1\r\nhost: x\r\nx-a: \0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  expect(
    await say('GET /c/ad-1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'),
  ).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ask('/c/ad-1')).status).toBe(302);
});

test('a table that is gone is no page that is missing', async () => {
  const { ask, post } = await start({ ads: 'postgres://nobody@127.0.0.1:1/none' });
  const { status, headers } = await ask('/c/ad-1');
  expect(status).toBe(503);
  expect(headers['retry-after']).toBe('2');
  const one = await post({ ad_id: 'ad-1', click_id: 'c-1' });
  expect([one.status, one.json()]).toEqual([
    503,
    { status: 'rejected', reason: 'unavailable', click_id: 'c-1' },
  ]);
  const many = await post([{ ad_id: 'ad-1' }, {}]);
  expect([many.status, many.headers['retry-after']]).toEqual([503, '2']);
});
