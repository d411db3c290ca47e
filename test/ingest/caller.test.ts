// Who asks: X-Forwarded-For is believed as far as trusted proxies wrote it, and no further.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callerReader } from '../../src/ingest/caller.js';
import { networksOf } from '../../src/ingest/networks.js';

const trusting = callerReader(networksOf(['127.0.0.0/8', '::1', '10.0.0.0/8'], 'test'));
const distrusting = callerReader(undefined);
/** Answers with how both see the caller. */
const server = createServer((request: IncomingMessage, response) => {
  const seen = [trusting(request), distrusting(request)].map(
    (caller) => caller && [caller.address.text, caller.https],
  );
  response.end(JSON.stringify(seen));
});
let url = '';
beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

async function seen(
  headers: Record<string, string>,
): Promise<[trusting: [string, boolean], distrusting: [string, boolean]]> {
  return (await (await fetch(url, { headers })).json()) as [[string, boolean], [string, boolean]];
}

test.each([
  ['192.0.2.1', '192.0.2.1', 'what the proxy says'],
  ['203.0.113.66, 192.0.2.1', '192.0.2.1', 'not what the browser made up'],
  ['203.0.113.66, 192.0.2.1, 10.1.2.3', '192.0.2.1', 'through two proxies'],
  ['10.9.9.9, 10.1.2.3', '10.9.9.9', 'from inside'],
  ['unknown, 10.1.2.3', '10.1.2.3', 'as far as there are addresses'],
  ['192.0.2.1, garbage', '127.0.0.1', 'nothing behind garbage'],
  ['', '127.0.0.1', 'an empty header'],
  ['[2001:db8::7]:443,10.0.0.1:80', '2001:db8::7', 'ports'],
  [`192.0.2.1${', 10.0.0.1'.repeat(500)}`, '10.0.0.1', 'a chain without an end'],
])('%s is %s: %s', async (hops, address) => {
  const [trusted, distrusted] = await seen({ 'x-forwarded-for': hops, 'x-forwarded-proto': 'https' });
  expect(trusted).toEqual([address, true]);
  expect(distrusted).toEqual(['127.0.0.1', false]);
});

test('the scheme is that of the first hop', async () => {
  expect((await seen({ 'x-forwarded-proto': 'https, http' }))[0][1]).toBe(true);
  expect((await seen({ 'x-forwarded-proto': 'http, https' }))[0][1]).toBe(false);
  expect((await seen({}))[0][1]).toBe(false);
});
