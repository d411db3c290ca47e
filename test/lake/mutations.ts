// Clicks with something done to them: well written or badly, in ways that JSON libraries treat differently.
import fc from 'fast-check';

const BASE = {
  click_id: 'c-1',
  event_time: '2026-02-22T10:00:00.123Z',
  ad_id: 'ad-17',
  campaign_id: 'camp-1',
  user_id: 'u1',
  ip_address: '192.0.2.1',
  country: 'DE',
  device_type: 'mobile',
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64)',
  referrer: 'https://example.com/?a=b',
  impression_id: 'i-1',
};
export const FIELD_NAMES = Object.keys(BASE) as (keyof typeof BASE)[];

const TIMES = [
  '"2026-02-22T10:00:00Z"',
  '"2026-02-22T10:00:00.1Z"',
  '"2026-02-22T10:00:00.12Z"',
  '"2026-02-22T10:00:00.1234Z"',
  '"2026-02-22T10:00:00.123456789Z"',
  '"2026-02-22T10:00:00.9999999999Z"',
  '"2026-02-22T10:00:00.999999Z"',
  '"2026-02-22T10:00:00.123+05:30"',
  '"2026-02-22T10:00:00.12+05:30"',
  '"2026-02-22T10:00:00-00:00"',
  '"2026-02-22T10:00:00+23:59"',
  '"2026-02-22T10:00:00+24:00"',
  '"2026-02-22T10:00:00+05:60"',
  '"2026-02-22T24:00:00Z"',
  '"2026-02-22T23:59:60Z"',
  '"2026-02-29T10:00:00Z"',
  '"2024-02-29T10:00:00Z"',
  '"2100-02-29T10:00:00Z"',
  '"2000-02-29T10:00:00.5-12:00"',
  '"2026-13-01T10:00:00Z"',
  '"2026-00-10T10:00:00Z"',
  '"2026-04-31T10:00:00Z"',
  '"1970-01-01T00:00:00Z"',
  '"1969-12-31T23:59:59.999Z"',
  '"1969-12-31T23:30:00-01:00"',
  '"1970-01-01T00:30:00+01:00"',
  '"9999-12-31T23:59:59.999Z"',
  '"9999-12-31T23:59:59-00:01"',
  '"0000-01-01T00:00:00Z"',
  '"10000-01-01T00:00:00Z"',
  '"2026-02-22t10:00:00Z"',
  '"2026-02-22T10:00:00z"',
  '"2026-02-22 10:00:00Z"',
  '"2026-02-22T10:00Z"',
  '"2026-02-22"',
  '"2026-02-22T10:00:00"',
  '"2026-02-22T10:00:00.Z"',
  '"2026-02-22T10:00:00+0530"',
  '" 2026-02-22T10:00:00Z"',
  '"2026-02-22T10:00:00Z\\n"',
  '"2026\\u002d02-22T10:00:00Z"',
  '"٢026-02-22T10:00:00Z"',
  '"1771754400000"',
  '0',
  '-0',
  '1',
  '1771754400000',
  '253402300799999',
  '253402300800000',
  '999999999999999',
  '1000000000000000',
  '1771754400000.0',
  '1.7717544e12',
  '1e3',
  '-1',
  '17717544000000000000000000',
  'true',
  '{}',
  '[]',
  '"+026-02-22T10:00:00Z"',
  'NaN',
  '00',
];
const IPS = [
  '"0.0.0.0"',
  '"255.255.255.255"',
  '"256.1.1.1"',
  '"01.2.3.4"',
  '"1.2.3"',
  '"1.2.3.4.5"',
  '"1.2.3.4 "',
  '"::"',
  '"::1"',
  '"1::"',
  '"2001:db8::1"',
  '"2001:DB8:0:0:0:0:0:1"',
  '"1:2:3:4:5:6:7:8"',
  '"1:2:3:4:5:6:7::"',
  '"::2:3:4:5:6:7:8"',
  '"1:2:3:4:5:6:7:8:9"',
  '"1:2:3:4::5:6:7:8"',
  '"1:2:3::5:6:7:8"',
  '"::ffff:192.0.2.1"',
  '"::192.0.2.1"',
  '"64:ff9b::192.0.2.33"',
  '"1:2:3:4:5:6:192.0.2.1"',
  '"1:2:3:4:5:6:7:192.0.2.1"',
  '"1:2:3:4:5::192.0.2.1"',
  '"::192.0.2"',
  '"::192.0.2.256"',
  '"192.0.2.1::"',
  '"fe80::1%eth0"',
  '"[::1]"',
  '"12345::"',
  '":::"',
  '"1::2::3"',
  '":1:2:3:4:5:6:7"',
  '"1:2:3:4:5:6:7:"',
  '"::g"',
  '""',
  '"localhost"',
  '1',
  '"0000:0000:0000:0000:0000:ffff:192.168.100.228"',
  '"00000:0000:0000:0000:0000:ffff:192.168.100.228"',
];
const SPECIAL: Partial<Record<string, readonly string[]>> = {
  event_time: TIMES,
  ip_address: IPS,
  country: ['"de"', '"DEU"', '"D"', '"ÄÖ"', '"D1"', '"\\u0044E"', '"ＵＳ"', '"DE\\n"', '""'],
  device_type: [
    '"tv"',
    '"tablet"',
    '"desktop"',
    '"other"',
    '"Mobile"',
    '"phone"',
    '""',
    '"mobile "',
    '"m\\u006fbile"',
  ],
};
const LITERALS = [
  'null',
  'true',
  'false',
  '1',
  '-0',
  '1.5',
  '1e400',
  'NaN',
  'nan',
  'Infinity',
  '-Infinity',
  '-inf',
  '[]',
  '{}',
  '[1,]',
  '{"a":1,}',
  '[null,true,false,-1.5e-3]',
  '""',
  '"a"',
  '"\\u0000"',
  '"\\\\u0000"',
  '"\\ud800"',
  '"\\udc00"',
  '"\\ud83d\\ude00"',
  '"\\udc00\\ud800"',
  '"\\ud800\\ud800\\udc00"',
  '"\\/\\b\\f\\n\\r\\t\\"\\\\"',
  '"\\x41"',
  "'a'",
  '"ü€😀"',
  '"[[[{{{"',
  '"NaN, }"',
  '"\t"',
  '"\u007f"',
  '"\u2028"',
  '01',
  '+1',
  '.5',
  '1.',
  '0x10',
  'undefined',
  'tru',
  '"a',
  '123456789012345678901234567890',
  '/*x*/1',
  '1 // x',
  'nul',
  '{"ad_id":"x"}',
  '"\\u00e9"',
];

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const nested = fc.nat({ max: 140 }).map((depth) => {
  const open = Array.from({ length: depth }, (_, i) => (i % 2 ? '{"n":' : '['));
  return `${open.join('')}1${open
    .map((bracket) => (bracket === '[' ? ']' : '}'))
    .reverse()
    .join('')}`;
});
const longText = fc
  .tuple(
    fc.constantFrom(45, 46, 127, 128, 129, 2048, 2049, 4096, 4097),
    fc.constantFrom('x', 'é', '\\n', '\\u00e9'),
  )
  .map(([bytes, unit]) => {
    const size = unit === 'é' || unit === '\\u00e9' ? 2 : 1;
    return `"${unit.repeat(Math.floor(bytes / size))}${'y'.repeat(bytes % size)}"`;
  });
const STRICT = LITERALS.filter((text) => isJson(text));
const literal = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...LITERALS) },
  { weight: 4, arbitrary: fc.constantFrom(...STRICT) },
  { weight: 2, arbitrary: longText },
  { weight: 1, arbitrary: nested },
  {
    weight: 2,
    arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => JSON.stringify(text)),
  },
);
const fieldName = fc.constantFrom(...FIELD_NAMES);
const anyName = fc.oneof(
  { weight: 3, arbitrary: fieldName.map((name) => JSON.stringify(name)) },
  {
    weight: 1,
    arbitrary: fieldName.map((name) => `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '"invalid_traffic"',
      '"invalid_traffic"',
      '"invalid\\u005ftraffic"',
      '"Invalid_traffic"',
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '"extra"',
      '"__proto__"',
      '""',
      '"a\\u0000b"',
      '"\\ud800"',
      '"AD_ID"',
      '"ad_id "',
      '"x\\ny"',
      '"é"',
    ),
  },
);
const fieldLiteral = fieldName.chain((name) =>
  fc
    .oneof(literal, fc.constantFrom(...(SPECIAL[name] ?? LITERALS)))
    .map((text) => ({ name: JSON.stringify(name), text })),
);

type Entries = { name: string; text: string }[];
type Change = (entries: Entries) => Entries;
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fieldLiteral.map(
      (to): Change =>
        (all) =>
          all.map((entry) => (entry.name === to.name ? to : entry)),
    ),
  },
  {
    weight: 2,
    arbitrary: fieldName.map(
      (name): Change =>
        (all) =>
          all.filter((entry) => entry.name !== JSON.stringify(name)),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(anyName, literal, fc.nat()).map(
      ([name, text, at]): Change =>
        (all) =>
          all.toSpliced(at % (all.length + 1), 0, { name, text }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map(
      (at): Change =>
        (all) => [...all.slice(at % all.length), ...all.slice(0, at % all.length)],
    ),
  },
);

/** How the object is put on paper: separators and what stands around it. */
const layout = fc.record({
  comma: fc.oneof(
    { weight: 16, arbitrary: fc.constant(',') },
    { weight: 1, arbitrary: fc.constantFrom(', ', ' ,', ',\n', ',\t', ',\u000b', ',,') },
  ),
  colon: fc.oneof(
    { weight: 16, arbitrary: fc.constant(':') },
    { weight: 1, arbitrary: fc.constantFrom(': ', ' :', ':\r', '=') },
  ),
  before: fc.oneof(
    { weight: 30, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom(' ', '\n\t', '\ufeff', '[', '\u00a0', '\0') },
  ),
  after: fc.oneof(
    { weight: 30, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom(' ', '\r', '\n', ']', '}', ' x', '\0', '{}') },
  ),
  end: fc.oneof(
    { weight: 40, arbitrary: fc.constant('}') },
    { weight: 1, arbitrary: fc.constantFrom(',}', ', }', ' }', '', ']') },
  ),
});

const written = fc.tuple(fc.array(change, { maxLength: 3 }), layout).map(([changes, how]) => {
  const plain = FIELD_NAMES.map((name) => ({ name: JSON.stringify(name), text: JSON.stringify(BASE[name]) }));
  const entries = changes.reduce<Entries>((all, apply) => (all.length > 0 ? apply(all) : all), plain);
  const body = entries.map(({ name, text }) => `${name}${how.colon}${text}`).join(how.comma);
  return Buffer.from(`${how.before}{${body}${how.end}${how.after}`);
});

/** Bytes changed, cut off or put in anywhere. */
const damaged = fc
  .tuple(
    written,
    fc.nat(),
    fc.constantFrom(0, 9, 10, 13, 32, 34, 44, 58, 92, 0x80, 0xc3, 0xed, 0xff, 0x7d),
    fc.constantFrom('set', 'cut', 'insert'),
  )
  .map(([bytes, at, byte, how]) => {
    const place = at % bytes.length;
    if (how === 'cut') return bytes.subarray(0, place);
    if (how === 'set') return Buffer.from(bytes.map((old, i) => (i === place ? byte : old)));
    return Buffer.concat([bytes.subarray(0, place), Buffer.of(byte), bytes.subarray(place)]);
  });

export const recordValue: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: written },
  { weight: 2, arbitrary: damaged },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
);
