// Refused requests in the log: quoted, escaped, and never more than a few a second. And how often one may ask.
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { parseAddress } from '../../src/ingest/address.js';
import { rateLimiter } from '../../src/ingest/rate-limiter.js';
import { refusalLog } from '../../src/ingest/refusal-log.js';
import { visible } from '../../src/ui/escape.js';

const ESCAPE = '\u001b';

function logged() {
  const lines: string[] = [];
  let nowMs = 0;
  const log = refusalLog({
    info: (line, fields) => lines.push(line, JSON.stringify(fields)),
    visible,
    nowMs: () => nowMs,
  });
  const tell = (url: string, agent: string): void => {
    const request = { method: 'GET', url, headers: { 'user-agent': agent } } as unknown as IncomingMessage;
    log.tell({ status: 404, reason: 'there is no such ad' }, request, '192.0.2.1');
  };
  return { lines, tell, at: (ms: number) => (nowMs = ms) };
}

test('hostile texts are shown escaped, and can’t end the quotes they are in', () => {
  const { lines, tell } = logged();
  tell('/c/x', `evil"${ESCAPE}[2J\nGET "/c/forged" from 10.0.0.1\u202e\\"`);
  const [line, fields] = lines;
  expect(line).toBe(
    'refused (404, there is no such ad): GET "/c/x" from 192.0.2.1, user agent ' +
      '"evil\\"\\\\x1b[2J\\\\nGET \\"/c/forged\\" from 10.0.0.1\\\\u202e\\\\\\""',
  );
  for (const text of lines) expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(fields!)).toMatchObject({ status: 404, address: '192.0.2.1', url: '/c/x' });
});

test('a flood is a few lines and a number', () => {
  const { lines, tell, at } = logged();
  for (let i = 0; i < 1000; i++) tell(`/c/${i}`, 'x'.repeat(5000));
  expect(lines).toHaveLength(10);
  expect(lines.every((line) => line.length < 700)).toBe(true);
  at(1000);
  tell('/c/again', '');
  expect(lines[10]).toBe('995 more requests were refused meanwhile');
});

test('an address may ask so often in a window, a network of IPv6 as one, and others are not held up', () => {
  const limit = rateLimiter({ requests: 3, windowMs: 1000 });
  const ask = (address: string, ms: number) => limit(parseAddress(address)!, ms);
  expect([0, 1, 2].map((ms) => ask('192.0.2.1', ms))).toEqual([0, 0, 0]);
  expect(ask('::ffff:192.0.2.1', 400)).toBe(600);
  expect(ask('192.0.2.2', 400)).toBe(0);
  expect(ask('192.0.2.1', 1000)).toBe(0);
  for (const host of ['1', '2', '3']) expect(ask(`2001:db8::${host}`, 0)).toBe(0);
  expect(ask('2001:db8::ffff:4', 0)).toBe(1000);
  expect(ask('2001:db8:0:1::1', 0)).toBe(0);
  // The clock was set back by an hour.
  expect(ask('2001:db8::5', -3_600_000)).toBe(0);
});
