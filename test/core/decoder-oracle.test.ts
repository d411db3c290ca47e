// The decoder against the oracle, record by record: the same reason for every garbled click, and the same
// partition for every bare line. Mutations start from sound clicks, because random bytes are nearly always
// refused at the first one.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BAD_MARK, type DecodedBatch, invalidReasonOf } from '../../src/core/decoded-batch.js';
import { createDecoder } from '../../src/core/decoder.js';
import { formatIp } from '../../src/core/ip-address.js';
import { DEFAULT_METHOD, DEVICE_TYPES, INVALID_REASONS } from '../../src/core/method.js';
import { partitionOfBareLine } from '../oracle/bare-lines.js';
import { readFixtures } from '../oracle/fixtures.js';
import { readRecord } from '../oracle/record.js';
import type { OracleRecord } from '../oracle.js';
import { assertProperty } from './property-options.js';
import { rawBatchOf } from './raw-batch.js';

const PARTITIONS = 5;
const decoder = createDecoder({ method: DEFAULT_METHOD, partitions: PARTITIONS });

const FIELDS = [
  'click_id',
  'event_time',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
  'user_agent',
  'referrer',
  'impression_id',
  'invalid_traffic',
];

/** Text as it stands between quotes in JSON: plain, escaped in several ways, or what no engine can take. */
const jsonText = fc.oneof(
  fc.constantFrom('', 'a', 'ad-1', 'é', '\u{1f600}', 'x'.repeat(128), 'x'.repeat(129), 'é'.repeat(64)),
  fc.string({ unit: 'binary', maxLength: 6 }).map((text) => JSON.stringify(text).slice(1, -1)),
  fc.constantFrom('\\u0061', '\\n', '\\\\', '\\"', '\\/', '\\ud83d\\ude00', '\\u0000', '\\ud800', '\\udc00a'),
  fc.constantFrom('\\x', '\\', '\\u12', '\n', '\t', '\u007f', '\u2028', '\ufeff', '[{', '}]', ',:'),
  // Around the limits of user agent and referrer, with escapes that stand for one byte or for more.
  fc
    .tuple(
      fc.constantFrom(2046, 2047, 2048, 4095, 4096),
      fc.constantFrom('', '\\\\', '\\n', '\\u00e9', '\\\\\\\\x'),
    )
    .map(([length, escaped]) => `${'x'.repeat(length)}${escaped}`),
  fc
    .tuple(
      fc.constantFrom(127, 128, 129, 1024, 2047, 2048, 2049, 3000, 4096),
      fc.constantFrom('\\\\', '\\"', '\\u0061', '\\u005c'),
      fc.constantFrom('', '\\u0061'),
    )
    .map(([length, escaped, before]) => before + escaped.repeat(length)),
);
const literal = fc.constantFrom(
  ...[
    'null',
    'true',
    'false',
    'nul',
    'NaN',
    '0',
    '00',
    '-0',
    '1',
    '-1',
    '1.0',
    '1e3',
    '1E3',
    '01',
    '+1',
    '.5',
    '1.',
  ],
  ...[
    '1771754400000',
    '253402300799999',
    '253402300800000',
    '999999999999999',
    '1000000000000000',
    '1771754400000.0',
  ],
  ...[
    '{}',
    '[]',
    '[1,2]',
    '{"ad_id":1}',
    '[[]]',
    '{"a":{"b":[null]}}',
    '[1,]',
    '{"a"}',
    '{a:1}',
    "'x'",
    '""',
    '',
  ],
  ...[62, 63, 64, 65].map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  ...[63, 64].map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
);
const isoTime = fc
  .tuple(
    fc.constantFrom('2026', '2024', '2100', '1970', '1969', '9999', '0000', '10000', '26'),
    fc.constantFrom('01', '02', '04', '12', '00', '13', '2'),
    fc.constantFrom('01', '28', '29', '30', '31', '00', '32'),
    fc.constantFrom('T', 'T', 'T', 't', ' ', ''),
    fc.constantFrom('00:00:00', '23:59:59', '24:00:00', '12:60:00', '12:00:60', '12:00', '1:00:00'),
    fc.constantFrom('', '', '.0', '.5', '.999', '.9999', '.123456789', '.1234567890', '.', ',5'),
    fc.constantFrom(
      'Z',
      'Z',
      'z',
      '+00:00',
      '-00:00',
      '+23:59',
      '-23:59',
      '+24:00',
      '+01:60',
      '+0100',
      '+01',
      '',
    ),
  )
  .map(
    ([year, month, day, t, time, fraction, zone]) => `${year}-${month}-${day}${t}${time}${fraction}${zone}`,
  );
const ipText = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc
    .array(
      fc.constantFrom(
        ':',
        '::',
        '0',
        '1',
        'ffff',
        'FFFF',
        '10000',
        '1.2.3.4',
        '.',
        '255',
        '256',
        '01',
        'g',
        '%1',
      ),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('0', '1', 'ab', 'ffff', 'FFFF', '12345', ''), { minLength: 2, maxLength: 9 })
    .map((parts) => parts.join(':')),
  fc.constantFrom(
    '::ffff:1.2.3.4',
    '::1.2.3.4',
    '::ffff:0:1.2.3.4',
    '1:2:3:4:5:6:1.2.3.4',
    '0000:0000:0000:0000:0000:ffff:255.255.255.255',
  ),
);

const SOUND: Record<string, string> = {
  click_id: '"c1"',
  event_time: '1771754400000',
  ad_id: '"ad-1"',
  campaign_id: '"campaign-1"',
  user_id: '"user-1"',
  ip_address: '"192.0.2.1"',
  country: '"DE"',
  device_type: '"mobile"',
};
const fieldValue = (name: string): fc.Arbitrary<string> => {
  const quoted = (text: string): string => `"${text}"`;
  const any = fc.oneof(jsonText.map(quoted), literal);
  if (name === 'event_time') return fc.oneof(isoTime.map(quoted), isoTime.map(quoted), any);
  if (name === 'ip_address') return fc.oneof(ipText.map(quoted), ipText.map(quoted), any);
  if (name === 'country')
    return fc.oneof(fc.constantFrom('"DE"', '"de"', '"D"', '"DEU"', '"D\\u0045"', '"É"', '"D["'), any);
  if (name === 'device_type')
    return fc.oneof(fc.constantFrom(...DEVICE_TYPES, 'Mobile', 'phone', '\\u0074v').map(quoted), any);
  return any;
};
const changedField = fc
  .constantFrom(
    ...FIELDS,
    'more',
    '__proto__',
    '\\u0061d_id',
    'click_id\\u0000',
    '',
    'ad_id ',
    'user_agen',
    'user_agents',
    'invalid_traffic',
    'invalid\\u005ftraffic',
    'invalid_traffi',
  )
  .chain((name) => fc.tuple(fc.constant(name), fieldValue(name)));

/** A sound click in some order of fields, with some left out, some changed, some twice, and odd spaces. */
const click = fc
  .record({
    order: fc.shuffledSubarray(Object.keys(SOUND), { minLength: 7 }),
    whole: fc.integer({ min: 0, max: 5 }),
    changes: fc.array(changedField, { maxLength: 3 }),
    twice: fc.boolean(),
    space: fc.constantFrom('', '', '', ' ', '\t', '\r\n', '\u00a0', '\f'),
    before: fc.constantFrom('', '', '', '', ' ', '\ufeff', 'x', '[', '{}'),
    after: fc.constantFrom('', '', '', '', ' ', '\r', '}', ',', '{}', '\0'),
  })
  .map(({ order, whole, changes, twice, space, before, after }) => {
    const names = whole > 0 ? Object.keys(SOUND) : order;
    const fields = names.map((name) => [name, SOUND[name]!]);
    for (const [name, value] of changes) {
      const there = fields.find(([other]) => other === name);
      if (there && !twice) there[1] = value;
      else fields.push([name, value]);
    }
    const text = fields
      .map(([name, value]) => `${space}"${name}"${space}:${space}${value}${space}`)
      .join(',');
    return Buffer.from(`${before}{${text}}${after}`);
  });

/** A click with a few bytes changed, taken out or put in. */
const mutated = fc
  .tuple(
    click,
    fc.array(fc.record({ at: fc.nat(600), cut: fc.nat(2), bytes: fc.uint8Array({ maxLength: 3 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([value, edits]) => {
    let bytes: Buffer = value;
    for (const { at, cut, bytes: put } of edits) {
      const from = at % (bytes.length + 1);
      bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + cut)]);
    }
    return bytes;
  });
const truncated = fc
  .tuple(click, fc.nat(600))
  .map(([value, at]) => value.subarray(0, at % (value.length + 1)));
const value = fc.oneof(
  { weight: 6, arbitrary: click },
  { weight: 2, arbitrary: mutated },
  { weight: 1, arbitrary: truncated },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
);

/** What the decoder makes of values, and what the oracle does, in the same terms. */
function decoded(values: readonly Uint8Array[]): unknown[] {
  const records = values.map((one, offset): OracleRecord => ({ partition: -1, offset, value: one }));
  const batch = decoder.decode(rawBatchOf(records, { bare: true }));
  return values.map((_, i) => {
    const reason = INVALID_REASONS[batch.reason[i]!]!;
    const partition = batch.partition[i];
    if (reason !== 'ok') return { reason, partition };
    const text = (start: number, length: number): string =>
      Buffer.from(batch.bytes.subarray(start, start + length)).toString();
    return {
      reason,
      partition,
      eventTimeMs: batch.eventTimeMs[i],
      adId: text(batch.adStart[i]!, batch.adLength[i]!),
      campaignId: text(batch.campaignStart[i]!, batch.campaignLength[i]!),
      ip: Array.from(batch.ip.subarray(4 * i, 4 * i + 4), (word) => word.toString(16).padStart(8, '0')).join(
        '',
      ),
      country: String.fromCharCode(batch.country[i]! >> 8, batch.country[i]! & 255),
      deviceType: DEVICE_TYPES[batch.device[i]!],
      mark: markOf(batch, i),
    };
  });
}

function markOf({ bytes, markStart, markLength }: DecodedBatch, i: number): string | undefined {
  if (markLength[i] === BAD_MARK) return undefined;
  return Buffer.from(bytes.subarray(markStart[i], markStart[i]! + markLength[i]!)).toString();
}

function expected(one: Uint8Array): unknown {
  const reading = readRecord(one);
  const partition = partitionOfBareLine(one, PARTITIONS);
  if ('reason' in reading) return { reason: reading.reason, partition };
  const { clickId: _, userId: __, ...rest } = reading.click;
  return { reason: 'ok', partition, ...rest };
}

test('every garbled click gets the reason and the partition that the oracle gives it', () => {
  let sound = 0;
  assertProperty(
    'random values',
    8000,
    fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), (values) => {
      const made = decoded(values);
      for (const [i, one] of values.entries()) {
        const should = expected(one);
        if ((should as { reason: string }).reason === 'ok') sound++;
        expect(made[i], one.toString()).toEqual(should);
      }
    }),
  );
  // The mutations are no use if nothing comes through.
  expect(sound).toBeGreaterThan(0);
});

test.each(readFixtures())(
  'fixture $name: the decoder gives every record its reason',
  ({ records, verdicts }) => {
    const batch = decoder.decode(rawBatchOf(records));
    const reasonOf = new Map(
      verdicts.map(({ partition, offset, verdict, reason }) => [
        `${partition}:${offset}`,
        verdict === 'invalid' ? reason : 'ok',
      ]),
    );
    for (const [i, { partition, offset }] of records.entries()) {
      expect(invalidReasonOf(batch, i, DEFAULT_METHOD)).toBe(reasonOf.get(`${partition}:${offset}`));
    }
  },
);

test('values at and beyond 1 MiB', () => {
  const padded = (bytes: number): Buffer => {
    const start = `{${Object.entries(SOUND).map(([name, text]) => `"${name}":${text}`)},"more":"`;
    return Buffer.from(`${start}${'x'.repeat(bytes - start.length - 2)}"}`);
  };
  const values = [padded(1_048_576), padded(1_048_577), Buffer.from(SOUND.click_id!)];
  expect(decoded(values)).toEqual(values.map(expected));
});

test('an IP address is written so that it reads back as the same address', () => {
  assertProperty(
    'random addresses',
    500,
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
      const bytes = Buffer.from(JSON.stringify({ ...soundClick(), ip_address: ip }));
      const batch = decoder.decode(rawBatchOf([{ partition: 0, offset: 0, value: bytes }]));
      fc.pre(batch.reason[0] === 0);
      const again = Buffer.from(JSON.stringify({ ...soundClick(), ip_address: formatIp(batch.ip, 0) }));
      expect(expected(again)).toEqual(expected(bytes));
    }),
  );
});

function soundClick(): Record<string, unknown> {
  return Object.fromEntries(Object.entries(SOUND).map(([name, text]) => [name, JSON.parse(text)]));
}
