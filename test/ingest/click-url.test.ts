// Signed links: what was signed is what is accepted, until it expires, and nothing else is.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ClickLink, clickUrl, refusalOf } from '../../src/ingest/click-url.js';
import { assertProperty } from '../core/property-options.js';

const KEYS = ['a key of many characters', 'the key of last month, too'];
const NOW = Date.UTC(2026, 1, 22, 10);
const text = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter((one) => one.isWellFormed());

/** What a server reads of the URL. */
function read(href: string): ClickLink & { expiry: string | undefined; signature: string | undefined } {
  const { pathname, searchParams } = new URL(href);
  const one = (name: string) => searchParams.get(name) || undefined;
  const adId = decodeURIComponent(pathname.split('/').at(-1)!);
  return { adId, campaignId: one('c'), impressionId: one('i'), expiry: one('e'), signature: one('s') };
}

test('what was signed is accepted, whatever is in it, and any change is not', () => {
  const part = fc.constantFrom('adId', 'campaignId', 'impressionId', 'expiry', 'signature');
  const link = fc.record({ adId: text, campaignId: fc.option(text, { nil: undefined }), impressionId: text });
  assertProperty(
    'links',
    2000,
    fc.property(link, part, text, (signed, changed, other) => {
      const base = 'https://clicks.example.com/x/';
      // URL parsers take a path of dots away; so does every browser.
      fc.pre(!/^\.+$/.test(signed.adId));
      const href = clickUrl(base, signed, { keys: KEYS, expiresAtMs: NOW + 1000 });
      const taken = read(href);
      expect(taken).toMatchObject(signed);
      expect(refusalOf(taken, { keys: [KEYS[1]!, KEYS[0]!], nowMs: NOW })).toBeUndefined();
      expect(refusalOf(taken, { keys: KEYS, nowMs: NOW + 1000 })).toBe('expired');
      expect(refusalOf(taken, { keys: ['another key altogether'], nowMs: NOW })).toBe('wrong');
      if (taken[changed] === other) return;
      expect(refusalOf({ ...taken, [changed]: other }, { keys: KEYS, nowMs: NOW })).toBe('wrong');
    }),
  );
});

test('without a signature or an expiry there is none', () => {
  const plain = read(clickUrl('http://127.0.0.1:8080', { adId: 'ad-1', impressionId: '' }));
  expect(plain).toEqual({ adId: 'ad-1' });
  expect(refusalOf(plain, { keys: KEYS, nowMs: NOW })).toBe('unsigned');
  const signed = read(clickUrl('http://127.0.0.1:8080', { adId: 'ad-1' }, { keys: KEYS, expiresAtMs: NOW }));
  expect(refusalOf({ ...signed, expiry: undefined }, { keys: KEYS, nowMs: NOW })).toBe('unsigned');
});

test('the parts can’t be pushed from one into another', () => {
  const sign = (link: ClickLink) => read(clickUrl('http://x', link, { keys: KEYS, expiresAtMs: NOW + 1e6 }));
  const { signature, expiry } = sign({ adId: 'a', campaignId: 'b' });
  for (const link of [
    { adId: 'a', impressionId: 'b' },
    { adId: 'ab' },
    { adId: 'a', campaignId: 'b', impressionId: 'c' },
  ]) {
    expect(refusalOf({ ...link, signature, expiry }, { keys: KEYS, nowMs: NOW })).toBe('wrong');
  }
});
