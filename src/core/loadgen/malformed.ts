// Records that are no clicks: every way of being broken that a log has been seen to hold. Each is made from
// a sound click by one change, and comes with the reason that the counting method must give it, so that a
// run can be checked reason by reason. Rare, so written for clearness and not for speed.
import { FIELD_BYTES_MAX, type InvalidReason, NESTING_MAX, RECORD_BYTES_MAX } from '../method.js';
import type { Random } from './random.js';

/** A click's fields: names, and values as JSON text. */
export type Fields = (readonly [name: string, json: string])[];

export interface MalformedRecord {
  value: string | Uint8Array;
  reason: InvalidReason;
}

interface Making {
  fields: Fields;
  random: Random;
  /** Only valid UTF-8 may come out (a JSON envelope can't carry anything else). */
  utf8Only: boolean;
}

type Maker = (making: Making) => MalformedRecord;

const REQUIRED = [
  'click_id',
  'event_time',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
] as const;
const REQUIRED_STRINGS = REQUIRED.filter((name) => name !== 'event_time');
const OPTIONAL = ['user_agent', 'referrer', 'impression_id'] as const;
// (Not of the mark: to version 1 of the method it is an unknown field, of any length.)
const LONGEST = (Object.entries(FIELD_BYTES_MAX) as [keyof typeof FIELD_BYTES_MAX, number][]).filter(
  ([name]) => name !== 'invalid_traffic',
);

const BAD_TIMES = [
  '"yesterday"',
  '"2026-02-30T10:00:00Z"',
  '"2026-02-22T25:00:00Z"',
  '"2026-02-22T10:00:60Z"',
  '"2026-02-22T10:00:00"',
  '"2026-02-22T10:00Z"',
  '"2026-02-22 10:00:00Z"',
  '"2026-02-22t10:00:00z"',
  '"2026-02-22T10:00:00+0100"',
  '"2026-02-22"',
  '"1771754400000"',
  '-1771754400000',
  '1771754400000.5',
  '1.7717544e12',
  '9999999999999999',
  '253402300800000',
];
const BAD_ADDRESSES = [
  '999.1.2.3',
  '1.2.3',
  '01.2.3.4',
  '1.2.3.4:80',
  'localhost',
  'fe80::1%eth0',
  '[2001:db8::1]',
  '2001:db8:::1',
  '12345::1',
];
const BAD_COUNTRIES = ['us', 'USA', 'D', '1A', 'Germany', 'ÄÖ'];
const BAD_DEVICES = ['phone', 'Mobile', 'desktop ', 'smart-tv', 'null'];
const WRONG_TYPES = ['17', 'true', '["a"]', '{"id":"a"}', '-0.5e3'];

const MAKERS = {
  random_bytes({ random, utf8Only }) {
    const bytes = new Uint8Array(1 + random.below(300));
    for (let i = 0; i < bytes.length; i++) {
      const byte = random.word() & 255;
      bytes[i] = utf8Only ? 33 + (byte % 94) : byte === 10 ? 0 : byte;
    }
    // Never blank, never the start of an object by chance.
    bytes[0] = utf8Only ? 120 : 0xf5 + random.below(11);
    return { value: bytes, reason: 'not_json' };
  },
  truncated({ fields, random }) {
    const text = objectText(fields);
    return { value: text.slice(0, 1 + random.below(text.length - 1)), reason: 'not_json' };
  },
  not_an_object({ fields, random }) {
    const others = ['null', 'true', '42', '"click"', '[]', `[${objectText(fields)}]`];
    return { value: random.pick(others), reason: 'not_json' };
  },
  almost_json({ fields, random }) {
    const text = objectText(fields);
    const inside = text.slice(1, -1);
    const others = [
      `{${inside},}`,
      `{${inside}}}`,
      `${text},${text}`,
      `${text} // seen`,
      `{/* v2 */${inside}}`,
      `{${inside},"score":NaN}`,
      `{${inside},"score":+1}`,
      `{${inside},"score":01}`,
      `{${inside},score:1}`,
      `{${inside},'score':1}`,
      `{${inside},"note":"tab\there"}`,
      `{${inside},"note":"\\x41"}`,
      `\ufeff${text}`,
    ];
    return { value: random.pick(others), reason: 'not_json' };
  },
  missing_field({ fields, random }) {
    const name = random.pick(REQUIRED);
    return { value: objectText(fields.filter(([other]) => other !== name)), reason: name };
  },
  empty_field({ fields, random }) {
    const name = random.pick(REQUIRED);
    return { value: objectText(withField(fields, name, '""')), reason: name };
  },
  null_field({ fields, random }) {
    const name = random.pick(REQUIRED);
    return { value: objectText(withField(fields, name, 'null')), reason: name };
  },
  wrong_type({ fields, random }) {
    const name = random.pick([...REQUIRED_STRINGS, ...OPTIONAL]);
    return { value: objectText(withField(fields, name, random.pick(WRONG_TYPES))), reason: name };
  },
  long_field({ fields, random }) {
    const [name, bytesMax] = random.pick(LONGEST);
    // Some by characters of two bytes: few enough characters, too many bytes.
    const wide = random.below(4) === 0;
    const text = wide ? 'é'.repeat((bytesMax >> 1) + 1) : 'x'.repeat(bytesMax + 1 + random.below(200));
    return { value: objectText(withField(fields, name, `"${text}"`)), reason: name };
  },
  too_long({ fields }) {
    const note = 'x'.repeat(RECORD_BYTES_MAX);
    return { value: objectText([...fields, ['note', `"${note}"`]]), reason: 'too_long' };
  },
  bad_time({ fields, random }) {
    return {
      value: objectText(withField(fields, 'event_time', random.pick(BAD_TIMES))),
      reason: 'event_time',
    };
  },
  bad_address({ fields, random }) {
    const json = `"${random.pick(BAD_ADDRESSES)}"`;
    return { value: objectText(withField(fields, 'ip_address', json)), reason: 'ip_address' };
  },
  bad_country({ fields, random }) {
    const json = `"${random.pick(BAD_COUNTRIES)}"`;
    return { value: objectText(withField(fields, 'country', json)), reason: 'country' };
  },
  bad_device({ fields, random }) {
    const json = `"${random.pick(BAD_DEVICES)}"`;
    return { value: objectText(withField(fields, 'device_type', json)), reason: 'device_type' };
  },
  nul({ fields, random }) {
    const name = random.pick([...REQUIRED_STRINGS, ...OPTIONAL, 'note']);
    // Escaped it is JSON and still refused: stores can't keep it. Raw it is no JSON.
    const json = random.below(2) === 0 ? '"a\\u0000b"' : '"a\u0000b"';
    return { value: objectText(withField(fields, name, json)), reason: 'not_json' };
  },
  lone_surrogate({ fields, random }) {
    const name = random.pick([...REQUIRED_STRINGS, ...OPTIONAL, 'note']);
    const json = random.pick(['"\\ud800"', '"a\\uDC00b"', '"\\ud83d\\u0041"', '"\\udc00\\ud800"']);
    return { value: objectText(withField(fields, name, json)), reason: 'not_json' };
  },
  bad_utf8({ fields, random, utf8Only }) {
    // In an envelope: a code point escape that is no hex, which is no JSON either.
    if (utf8Only) {
      return { value: objectText(withField(fields, 'user_agent', '"\\u00g1"')), reason: 'not_json' };
    }
    const value = new TextEncoder().encode(objectText(withField(fields, 'user_agent', '"@@@"')));
    const at = value.indexOf(64);
    // A wrong continuation, a surrogate in UTF-8, an overlong slash, bytes that never occur.
    value.set(
      random.pick([
        [0xc3, 0x28, 0x41],
        [0xed, 0xa0, 0x80],
        [0xe0, 0x80, 0xaf],
        [0xff, 0xfe, 0x41],
      ]),
      at,
    );
    return { value, reason: 'not_json' };
  },
  deep_nesting({ fields, random }) {
    // The click is level 1 itself.
    const levels = NESTING_MAX + random.below(1000);
    const json =
      random.below(2) === 0
        ? `${'['.repeat(levels)}${']'.repeat(levels)}`
        : `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    return { value: objectText([...fields, ['note', json]]), reason: 'not_json' };
  },
  repeated_name({ fields, random }) {
    const [name, json] = random.pick(fields);
    const again = random.below(4) === 0 ? `${name.slice(0, -1)}${unicodeEscape(name.slice(-1))}` : name;
    return { value: objectText([...fields, [again, json]]), reason: 'not_json' };
  },
} as const satisfies Record<string, Maker>;

export type Malformation = keyof typeof MAKERS;
export const MALFORMATIONS = Object.keys(MAKERS) as Malformation[];
/** A record of more than a megabyte is put in once among so many malformed ones. */
const TOO_LONG_ONCE_IN = 400;
const SHORT_MALFORMATIONS = MALFORMATIONS.filter((name) => name !== 'too_long');

/** Breaks a sound click, given by its fields. */
export function malform(
  fields: Fields,
  random: Random,
  utf8Only: boolean,
): MalformedRecord & { malformation: Malformation } {
  const tooLong = random.below(TOO_LONG_ONCE_IN) === 0;
  const malformation = tooLong ? 'too_long' : random.pick(SHORT_MALFORMATIONS);
  return { malformation, ...MAKERS[malformation]({ fields, random, utf8Only }) };
}

/** The fields of a click written as JSON. */
export function fieldsOf(json: string): Fields {
  return Object.entries(JSON.parse(json) as Record<string, string | number>).map(([name, value]) => [
    name,
    JSON.stringify(value),
  ]);
}

/** One JSON object on one line, without spaces. */
export function objectText(fields: Fields): string {
  return `{${fields.map(([name, json]) => `"${name}":${json}`).join(',')}}`;
}

/** The fields with one of them changed, or added when it was not there. */
function withField(fields: Fields, name: string, json: string): Fields {
  return [...fields.filter(([other]) => other !== name), [name, json]];
}

/** `\u0041` for a character of one UTF-16 unit. */
export function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
