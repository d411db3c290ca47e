// The oracle judges everything else, so what it claims about single records is spelled out here by hand.
import { expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { decide } from '../oracle.js';
import { partitionOfBareLine } from './bare-lines.js';
import { readRecord } from './record.js';

const SOUND = {
  click_id: 'c1',
  event_time: '2026-02-22T10:00:00Z',
  ad_id: 'ad-1',
  campaign_id: 'camp-1',
  user_id: 'u1',
  ip_address: '192.0.2.1',
  country: 'DE',
  device_type: 'mobile',
};
const text = (value: string): Buffer => Buffer.from(value);
const withField = (name: string, value: unknown): Buffer => text(JSON.stringify({ ...SOUND, [name]: value }));
/** The sound click with one field's value written as given. */
const withLiteral = (name: string, literal: string): Buffer =>
  text(JSON.stringify({ ...SOUND, [name]: '@' }).replace('"@"', literal));
const reasonOf = (value: Uint8Array): string => {
  const reading = readRecord(value);
  return 'reason' in reading ? reading.reason : 'ok';
};
const nested = (depth: number): Buffer => withLiteral('more', '['.repeat(depth) + ']'.repeat(depth));

test.each<[string, Buffer, string]>([
  ['the sound click', text(JSON.stringify(SOUND)), 'ok'],
  ['spaces around', text(` \t\r\n${JSON.stringify(SOUND)}\n`), 'ok'],
  ['nothing', text(''), 'not_json'],
  ['a cut object', text(JSON.stringify(SOUND).slice(0, -1)), 'not_json'],
  ['an array', text(`[${JSON.stringify(SOUND)}]`), 'not_json'],
  ['a BOM', text(`\ufeff${JSON.stringify(SOUND)}`), 'not_json'],
  ['two objects', text(`${JSON.stringify(SOUND)}{}`), 'not_json'],
  ['a trailing comma', text(JSON.stringify(SOUND).replace('}', ',}')), 'not_json'],
  ['NaN', withLiteral('more', 'NaN'), 'not_json'],
  ['a form feed as space', text(`\f${JSON.stringify(SOUND)}`), 'not_json'],
  [
    'bytes that are not UTF-8',
    Buffer.concat([
      text(JSON.stringify(SOUND).slice(0, -1)),
      text(',"m":"'),
      Buffer.from([0xc3, 0x28]),
      text('"}'),
    ]),
    'not_json',
  ],
  [
    'an encoded surrogate',
    Buffer.concat([
      text(JSON.stringify(SOUND).slice(0, -1)),
      text(',"m":"'),
      Buffer.from([0xed, 0xa0, 0x80]),
      text('"}'),
    ]),
    'not_json',
  ],
  ['depth 64', nested(63), 'ok'],
  ['depth 65', nested(64), 'not_json'],
  ['brackets in a string', withField('more', '['.repeat(100)), 'ok'],
  ['an escaped NUL', withLiteral('more', '"a\\u0000b"'), 'not_json'],
  ['an escaped NUL in a name', withLiteral('more', '{"\\u0000":1}'), 'not_json'],
  ['an escaped backslash before u0000', withLiteral('more', '"\\\\u0000"'), 'ok'],
  ['a lone high surrogate', withLiteral('more', '"\\ud83d"'), 'not_json'],
  ['a lone low surrogate', withLiteral('more', '["\\ude00x"]'), 'not_json'],
  ['a surrogate pair', withLiteral('more', '"\\ud83d\\ude00"'), 'ok'],
  ['a surrogate pair the wrong way round', withLiteral('more', '"\\ude00\\ud83d"'), 'not_json'],
  ['a known name twice', text(JSON.stringify(SOUND).replace('{', '{"ad_id":"x",')), 'not_json'],
  [
    'a known name twice, once escaped',
    text(JSON.stringify(SOUND).replace('{', '{"\\u0061d_id":"x",')),
    'not_json',
  ],
  ['a known name escaped', text(JSON.stringify(SOUND).replace('"ad_id"', '"\\u0061d_id"')), 'ok'],
  ['a known name again deeper', withField('more', { ad_id: 1, click_id: [] }), 'ok'],
  [
    'an optional name twice',
    text(JSON.stringify(SOUND).replace('{', '{"referrer":null,"referrer":null,')),
    'not_json',
  ],
  ['an unknown name twice', text(JSON.stringify(SOUND).replace('{', '{"m":1,"m":2,')), 'ok'],
  ['__proto__', text(JSON.stringify(SOUND).replace('{', '{"__proto__":{"ad_id":1},"constructor":2,')), 'ok'],
  ['1 MiB', withField('more', 'x'.repeat(1_048_576 - withField('more', '').length)), 'ok'],
  ['1 MiB and a byte', withField('more', 'x'.repeat(1_048_577 - withField('more', '').length)), 'too_long'],
  ['a string of escapes', withLiteral('more', `"${'\\n'.repeat(500_000)}"`), 'ok'],
  ['a click_id of 128 bytes', withField('click_id', 'é'.repeat(64)), 'ok'],
  ['a click_id of 130 bytes in 65 characters', withField('click_id', 'é'.repeat(65)), 'click_id'],
  ['an empty click_id', withField('click_id', ''), 'click_id'],
  ['a number as click_id', withField('click_id', 7), 'click_id'],
  ['null as user_id', withField('user_id', null), 'user_id'],
  ['no campaign_id', withField('campaign_id', undefined), 'campaign_id'],
  ['an object as ad_id', withField('ad_id', {}), 'ad_id'],
  ['click_id and ad_id bad', text(JSON.stringify({ ...SOUND, click_id: '', ad_id: '' })), 'click_id'],
  ['a lower-case country', withField('country', 'de'), 'country'],
  ['a country of three letters', withField('country', 'DEU'), 'country'],
  ['an unknown device', withField('device_type', 'Mobile'), 'device_type'],
  ['an empty user agent', withField('user_agent', ''), 'ok'],
  ['a null referrer', withField('referrer', null), 'ok'],
  ['a number as referrer', withField('referrer', 1), 'referrer'],
  ['an array as user agent', withField('user_agent', ['x']), 'user_agent'],
  ['a user agent of 2048 bytes', withField('user_agent', 'x'.repeat(2048)), 'ok'],
  ['a user agent of 2049 bytes', withField('user_agent', 'x'.repeat(2049)), 'user_agent'],
  ['a user agent of 2048 escaped bytes', withField('user_agent', '\n'.repeat(2048)), 'ok'],
  ['an impression_id of 129 bytes', withField('impression_id', 'x'.repeat(129)), 'impression_id'],
])('%s reads as it should', (_, value, reason) => {
  expect(reasonOf(value)).toBe(reason);
});

test.each<[string, number | undefined]>([
  ['0', 0],
  ['1771754400000', 1_771_754_400_000],
  ['253402300799999', 253_402_300_799_999],
  ['253402300800000', undefined],
  ['1000000000000000', undefined],
  ['-1', undefined],
  ['1.0', undefined],
  ['1e3', undefined],
  ['"1771754400000"', undefined],
  ['null', undefined],
  ['true', undefined],
  ['[1]', undefined],
  ['"2026-02-22T10:00:00Z"', 1_771_754_400_000],
  ['"2026-02-22T11:00:00+01:00"', 1_771_754_400_000],
  ['"2026-02-22T04:15:00-05:45"', 1_771_754_400_000],
  ['"2026-02-22T10:00:00-00:00"', 1_771_754_400_000],
  ['"2026-02-22T10:00:00.1Z"', 1_771_754_400_100],
  ['"2026-02-22T10:00:00.123999999Z"', 1_771_754_400_123],
  ['"2026-02-22T10:00:00.1234567890Z"', undefined],
  ['"2026-02-22T10:00:00.Z"', undefined],
  ['"2026-02-22T10:00:00,5Z"', undefined],
  ['"2026-02-22T10:00Z"', undefined],
  ['"2026-02-22T10:00:00"', undefined],
  ['"2026-02-22T10:00:00z"', undefined],
  ['"2026-02-22t10:00:00Z"', undefined],
  ['"2026-02-22 10:00:00Z"', undefined],
  ['"2026-02-22T10:00:00+0100"', undefined],
  ['"2026-02-22T10:00:00+24:00"', undefined],
  ['"2026-02-22T10:00:00+23:60"', undefined],
  ['"2026-02-22T24:00:00Z"', undefined],
  ['"2026-02-22T23:59:60Z"', undefined],
  ['"2026-02-29T00:00:00Z"', undefined],
  ['"2024-02-29T00:00:00Z"', 1_709_164_800_000],
  ['"2000-02-29T00:00:00Z"', 951_782_400_000],
  ['"2100-02-29T00:00:00Z"', undefined],
  ['"2026-04-31T00:00:00Z"', undefined],
  ['"2026-00-10T00:00:00Z"', undefined],
  ['"2026-13-10T00:00:00Z"', undefined],
  ['"1970-01-01T00:30:00+01:00"', undefined],
  ['"1969-12-31T23:30:00-01:00"', 1_800_000],
  ['"0070-01-01T00:00:00Z"', undefined],
  ['"9999-12-31T23:59:59.999Z"', 253_402_300_799_999],
  ['"9999-12-31T23:59:59.999-00:01"', undefined],
  ['"+002026-02-22T10:00:00Z"', undefined],
  ['"\\u0032026-02-22T10:00:00Z"', 1_771_754_400_000],
  ['" 2026-02-22T10:00:00Z"', undefined],
])('event_time %s is read as %s', (literal, expected) => {
  const reading = readRecord(withLiteral('event_time', literal));
  if (expected === undefined) expect(reading).toMatchObject({ reason: 'event_time' });
  else expect(reading).toMatchObject({ click: { eventTimeMs: expected } });
});

const MAPPED = '00000000000000000000ffff';
test.each<[string, string | undefined]>([
  ['192.0.2.1', `${MAPPED}c0000201`],
  ['255.255.255.255', `${MAPPED}ffffffff`],
  ['0.0.0.0', `${MAPPED}00000000`],
  ['256.0.0.1', undefined],
  ['01.2.3.4', undefined],
  ['1.2.3', undefined],
  ['1.2.3.4.5', undefined],
  ['1.2.3.4 ', undefined],
  ['::ffff:192.0.2.1', `${MAPPED}c0000201`],
  ['::FFFF:C000:201', `${MAPPED}c0000201`],
  ['0:0:0:0:0:ffff:192.0.2.1', `${MAPPED}c0000201`],
  ['::192.0.2.1', '000000000000000000000000c0000201'],
  ['::', '0'.repeat(32)],
  ['::1', `${'0'.repeat(31)}1`],
  ['1::', `0001${'0'.repeat(28)}`],
  ['2001:DB8::a', '20010db800000000000000000000000a'],
  ['2001:0db8:0000:0000:0000:0000:0000:000A', '20010db800000000000000000000000a'],
  ['2001:db8:0:0::a', '20010db800000000000000000000000a'],
  ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
  ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
  ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
  ['1:2:3:4:5:6:7:8::', undefined],
  ['1::2:3:4:5:6:7:8', undefined],
  ['1:2:3:4:5:6:7', undefined],
  ['1:2:3:4:5:6:7:1.2.3.4', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  [':::', undefined],
  ['1::2::3', undefined],
  [':1:2:3:4:5:6:7', undefined],
  ['1:2:3:4:5:6:7:', undefined],
  ['12345::', undefined],
  ['g::', undefined],
  ['1.2.3.4::', undefined],
  ['::1.2.3.4:5', undefined],
  ['::1.2.3', undefined],
  ['::ffff:01.2.3.4', undefined],
  ['fe80::1%eth0', undefined],
  ['[::1]', undefined],
  [':', undefined],
])('ip_address %s is read as %s', (ip, expected) => {
  const reading = readRecord(withField('ip_address', ip));
  if (expected === undefined) expect(reading).toMatchObject({ reason: 'ip_address' });
  else expect(reading).toMatchObject({ click: { ip: expected } });
});

test('a line whose ad can be read goes where Kafka puts it, any other to partition 0', () => {
  expect(partitionOfBareLine(withField('ad_id', 'abc'), 1000)).toBe(479470107 % 1000);
  expect(partitionOfBareLine(withField('ad_id', '21'), 1000)).toBe((-973932308 & 0x7fffffff) % 1000);
  expect(partitionOfBareLine(text(JSON.stringify({ ad_id: 'abc' })), 1000)).toBe(479470107 % 1000);
  expect(partitionOfBareLine(text('{"ad_id":"abc",'), 1000)).toBe(0);
  expect(partitionOfBareLine(withField('ad_id', 'x'.repeat(129)), 1000)).toBe(0);
});

test('an admitted period gives its own cells the verdicts of the world without too-late clicks', () => {
  const minute = 60_000;
  const at = (eventTimeMs: number, id: string, user: string): Buffer =>
    text(JSON.stringify({ ...SOUND, click_id: id, user_id: user, event_time: eventTimeMs }));
  const method = { ...DEFAULT_METHOD, watermarkDelayMs: 0, allowedLatenessMs: 0 };
  const records = [
    at(10 * minute, 'ahead', 'a'),
    at(5 * minute - 1000, 'late', 'b'), // too late; opens a period that the next one is in
    at(5 * minute + 1000, 'late-2', 'b'), // too late as well, and outside of the period below
  ].map((value, offset) => ({ partition: 0, offset, value }));
  expect(decide(records, method).verdicts.map(({ verdict }) => verdict)).toEqual([
    'billable',
    'too_late',
    'too_late',
  ]);
  const admit = [{ fromMs: 4 * minute, toMs: 5 * minute }];
  expect(decide(records, method, { admit }).verdicts.map(({ verdict }) => verdict)).toEqual([
    'billable',
    'billable',
    'too_late',
  ]);
});
