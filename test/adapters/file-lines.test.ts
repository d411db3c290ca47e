// Lines and strings, byte by byte, against the obvious way to do it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ByteFeed } from '../../src/adapters/file/byte-feed.js';
import { Envelope } from '../../src/adapters/file/envelope.js';
import { LineReader } from '../../src/adapters/file/line-reader.js';
import { EscapedLength, unescapeString } from '../../src/adapters/file/unescape.js';
import { Xxh64 } from '../../src/adapters/file/xxh64.js';

/** Gives the bytes in pieces of these lengths, again and again. */
function feedOf(bytes: Uint8Array, pieces: readonly number[]): ByteFeed {
  let at = 0;
  let turn = 0;
  return {
    async fill(target, to) {
      const count = Math.min(pieces[turn++ % pieces.length], bytes.length - at, target.length - to);
      target.set(bytes.subarray(at, at + count), to);
      at += count;
      return count;
    },
    async close() {},
  };
}

const KEPT = 8;

/** [kept bytes in latin1, true length] of each line, the obvious way. */
function linesOf(bytes: Buffer): [string, number][] {
  const texts = bytes.toString('latin1').split('\n');
  const last = texts.pop() ?? '';
  const lines = [...texts, ...(last === '' ? [] : [last])];
  return lines.map((line) => line.replace(/\r$/, '')).map((line) => [line.slice(0, KEPT), line.length]);
}

test('lines are the same however the bytes come in, and long ones are cut with their true length', async () => {
  const byte = fc.constantFrom(10, 13, 65, 66, 0, 255);
  await fc.assert(
    fc.asyncProperty(
      fc.array(byte, { maxLength: 80 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
      async (bytes, pieces) => {
        const input = Buffer.from(bytes);
        const dropped: string[] = [];
        const lines = new LineReader(feedOf(input, pieces), KEPT, {
          begin: (some, start, end) => dropped.push(some.toString('latin1', start, end)),
          more(some, start, end) {
            dropped[dropped.length - 1] += some.toString('latin1', start, end);
          },
        });
        const got: [string, number][] = [];
        do {
          while (lines.next()) {
            got.push([lines.bytes.toString('latin1', lines.start, lines.end), lines.lineBytes]);
            expect(lines.number).toBe(got.length - 1);
          }
        } while (await lines.refill());
        expect(got).toEqual(linesOf(input));
        const whole = input
          .toString('latin1')
          .split('\n')
          .map((line) => line.replace(/\r$/, ''));
        expect(dropped).toEqual(whole.filter((line) => line.length > KEPT));
      },
    ),
    { numRuns: 1000 },
  );
});

/** JSON text of a string with some characters escaped that needn't be. */
const escapedText = fc
  .tuple(fc.string({ unit: 'binary' }), fc.array(fc.boolean(), { minLength: 1 }))
  .map(([text, escapes]) => {
    const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
    const escaped = units.map((unit, i) => {
      const isSurrogate = unit >= 0xd800 && unit < 0xe000;
      const isEscaped = escapes[(isSurrogate ? 0 : i) % escapes.length];
      if (isEscaped) return `\\u${unit.toString(16).padStart(4, '0')}`;
      return isSurrogate ? String.fromCharCode(unit) : JSON.stringify(String.fromCharCode(unit)).slice(1, -1);
    });
    return { text, json: escaped.join('') };
  });

test('strings are unescaped as JSON.parse does, and their length is counted alike in pieces', () => {
  fc.assert(
    fc.property(escapedText, fc.integer({ min: 1, max: 9 }), ({ text, json }, pieceBytes) => {
      const source = Buffer.from(`${json}",`);
      const length = new EscapedLength(0);
      for (let at = 0; at < source.length; at += pieceBytes) {
        expect(length.add(source, at, Math.min(at + pieceBytes, source.length))).toBe(true);
      }
      expect([length.bytes, length.closed]).toEqual([Buffer.byteLength(text), true]);
      const into = { textEnd: 0, next: 0, stop: 0 };
      unescapeString(source, 0, source.length, into);
      expect(source.toString('utf8', 0, into.textEnd)).toBe(text);
      expect(into.next).toBe(source.length - 1);
    }),
    { numRuns: 2000 },
  );
});

test('a lone surrogate becomes bytes that are no UTF-8', () => {
  for (const json of ['\\ud800', '\\udc00', '\\ud800\\u0041', '\\ud83d\\ud83d']) {
    const source = Buffer.from(`${json}"`);
    const into = { textEnd: 0, next: 0, stop: 0 };
    unescapeString(source, 0, source.length, into);
    expect(into.next).toBe(source.length);
    expect(() => new TextDecoder('utf8', { fatal: true }).decode(source.subarray(0, into.textEnd))).toThrow();
  }
});

test('random bytes never pass as an envelope that JSON.parse would refuse', () => {
  const part = fc.constantFrom(
    '{',
    '}',
    '"',
    ':',
    ',',
    '"partition":0',
    '"offset":1',
    '"payload":"x"',
    '[1,2]',
    '"\\u00',
    '\\',
    'null',
    '1e5',
    ' ',
    '"key":null',
    '"ts":-1',
    '"h":[{}]',
    '\u0000',
    'é',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
      const line = `{${parts.join('')}`;
      const bytes = Buffer.from(line);
      const problem = new Envelope().read(bytes, 0, bytes.length);
      if (problem !== undefined) return;
      const parsed = JSON.parse(line.replaceAll('\u0000', ' '));
      expect(parsed).toMatchObject({ partition: 0, offset: 1 });
    }),
    { numRuns: 5000 },
  );
});

test.each([
  ['', 0x51d8e999],
  ['a', 0xa98c6e5b],
  ['abc', 0xad770999],
  ['Nobody inspects the spammish repetition', 0x8a378bf1],
])('XXH64 of "%s" is the one that zstd writes', (text, low) => {
  const bytes = Buffer.from(text);
  for (const piece of [1, 7, 32, 100]) {
    const hash = new Xxh64();
    for (let at = 0; at < bytes.length; at += piece) hash.update(bytes.subarray(at, at + piece));
    expect(hash.digestLow()).toBe(low);
  }
});
