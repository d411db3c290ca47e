// Devices and crawlers by what user agents and client hints say.
import { expect, test } from 'vitest';
import { CRAWLER_MARK, deviceOfHints, userAgentReader } from '../../src/ingest/user-agents.js';

const read = userAgentReader();

test.each([
  [
    'desktop',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
  ],
  ['desktop', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:150.0) Gecko/20100101 Firefox/150.0'],
  [
    'desktop',
    'Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
  ],
  [
    'mobile',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
  ],
  [
    'mobile',
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36',
  ],
  [
    'tablet',
    'Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1',
  ],
  [
    'tablet',
    'Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
  ],
  [
    'tv',
    'Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/6.0 TV Safari/538.1',
  ],
  ['tv', 'Mozilla/5.0 (PlayStation 4 5.55) AppleWebKit/601.2 (KHTML, like Gecko)'],
  ['other', 'Mozilla/5.0 (Something Else) Browser/1.0'],
  ['other', ''],
])('%s: %s', (device, userAgent) => {
  expect(read(userAgent)).toEqual({ device, crawler: false });
  expect(read(userAgent)).toEqual({ device, crawler: false });
});

test.each([
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'curl/8.5.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150.0.0.0 Safari/537.36',
])('a crawler: %s', (userAgent) => {
  expect(read(userAgent).crawler).toBe(true);
});

test('the mark names the list and its version', () => {
  expect(CRAWLER_MARK).toMatch(/^crawler \(isbot \d+\.\d+\.\d+\)$/);
});

test('a text without an end is read no further than a user agent can reach', () => {
  const startedMs = performance.now();
  for (let i = 0; i < 50; i++) read(`${i}${'Mozilla/5.0 (('.repeat(1000)}`);
  // Seconds would show a pattern that tries everything; the machine may be slow.
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});

test.each([
  ['tablet', { 'form-factors': '"Tablet"', mobile: '?0' }],
  ['mobile', { 'form-factors': '"Mobile"', mobile: '?0' }],
  ['desktop', { 'form-factors': '"Desktop"' }],
  ['other', { 'form-factors': '"XR"', mobile: '?1' }],
  ['mobile', { mobile: '?1' }],
  ['tablet', { mobile: '?0', platform: '"Android"' }],
  ['mobile', { mobile: '?1', platform: '"Android"' }],
  [undefined, { mobile: '?0', platform: '"Windows"' }],
  [undefined, { mobile: '?0' }],
  [undefined, { 'form-factors': 'nonsense' }],
])('hints: %s %j', (device, hints) => {
  const headers = Object.entries(hints).map(([name, value]) => [`sec-ch-ua-${name}`, value]);
  expect(deviceOfHints(Object.fromEntries(headers))).toBe(device);
});
