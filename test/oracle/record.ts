// How the oracle reads one record: docs/counting-method.md, "A record", written as plainly as possible.
// JSON.parse judges the grammar; a list of tokens shows what JSON.parse hides: names given twice, the depth,
// how a number was written. Shares no code with src on purpose, not even the limits.

/** A click as the rules see it. Bytes and spelling that don't count (IP text, offset of the time) are gone. */
export interface OracleClick {
  clickId: string;
  eventTimeMs: number;
  adId: string;
  campaignId: string;
  userId: string;
  /** 16 bytes as 32 hex digits; IPv4 as IPv4-mapped. */
  ip: string;
  country: string;
  deviceType: string;
  /** What `invalid_traffic` says; '' where the click is unmarked, undefined where it is no mark. */
  mark: string | undefined;
}

/** A sound click, or the reason why it is none; `adId` is told whenever it can be read (it chooses a partition). */
export type OracleReading =
  | { click: OracleClick; adId: string }
  | { reason: string; adId: string | undefined };

const KNOWN_NAMES = [
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
const DEVICES = ['mobile', 'desktop', 'tablet', 'tv', 'other'];
const RECORD_BYTES = 1024 * 1024;
const DEPTH = 64;

/** A top-level value: the text of a string without escapes, or the literal as it was written. */
type Field = { text: string } | { literal: string };

/** Reads a record's value. `valueBytes` is its true length where only its beginning was kept. */
export function readRecord(value: Uint8Array, valueBytes: number = value.length): OracleReading {
  if (valueBytes > RECORD_BYTES) return { reason: 'too_long', adId: undefined };
  const fields = readObject(value);
  if (fields === undefined) return { reason: 'not_json', adId: undefined };

  const adId = textWithin(fields.get('ad_id'), 128);
  const bad = (reason: string): OracleReading => ({ reason, adId });

  const clickId = textWithin(fields.get('click_id'), 128);
  if (clickId === undefined) return bad('click_id');
  const eventTimeMs = readEventTime(fields.get('event_time'));
  if (eventTimeMs === undefined) return bad('event_time');
  if (adId === undefined) return bad('ad_id');
  const campaignId = textWithin(fields.get('campaign_id'), 128);
  if (campaignId === undefined) return bad('campaign_id');
  const userId = textWithin(fields.get('user_id'), 128);
  if (userId === undefined) return bad('user_id');
  const ip = readIp(textWithin(fields.get('ip_address'), 45));
  if (ip === undefined) return bad('ip_address');
  const country = textWithin(fields.get('country'), 2);
  if (country === undefined || !/^[A-Z][A-Z]$/.test(country)) return bad('country');
  const deviceType = textWithin(fields.get('device_type'), 100);
  if (deviceType === undefined || !DEVICES.includes(deviceType)) return bad('device_type');
  if (!optionalWithin(fields.get('user_agent'), 2048)) return bad('user_agent');
  if (!optionalWithin(fields.get('referrer'), 4096)) return bad('referrer');
  if (!optionalWithin(fields.get('impression_id'), 128)) return bad('impression_id');

  const mark = readMark(fields.get('invalid_traffic'));
  return { adId, click: { clickId, eventTimeMs, adId, campaignId, userId, ip, country, deviceType, mark } };
}

function textWithin(field: Field | undefined, bytesMax: number): string | undefined {
  if (field === undefined || !('text' in field)) return undefined;
  return field.text !== '' && Buffer.byteLength(field.text) <= bytesMax ? field.text : undefined;
}

function optionalWithin(field: Field | undefined, bytesMax: number): boolean {
  if (field === undefined) return true;
  if ('literal' in field) return field.literal === 'null';
  return Buffer.byteLength(field.text) <= bytesMax;
}

function readMark(field: Field | undefined): string | undefined {
  if (field === undefined) return '';
  if ('literal' in field) return field.literal === 'null' ? '' : undefined;
  return Buffer.byteLength(field.text) <= 128 ? field.text : undefined;
}

/** The known top-level fields, or undefined where the record is `not_json`. */
function readObject(value: Uint8Array): Map<string, Field> | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  } catch {
    return undefined;
  }

  // The text is one JSON object, so its tokens are strings, punctuation and literals.
  const tokens = text.match(/"(?:[^"\\]+|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g) ?? [];
  const fields = new Map<string, Field>();
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (token === '}' || token === ']') depth--;
    if (token.startsWith('"')) {
      const unescaped = JSON.parse(token) as string;
      if (unescaped.includes('\0') || hasLoneSurrogate(unescaped)) return undefined;
      if (depth === 1 && tokens[index + 1] === ':' && KNOWN_NAMES.includes(unescaped)) {
        const isSecond = fields.has(unescaped);
        if (isSecond && unescaped !== 'invalid_traffic') return undefined;
        const given = tokens[index + 2]!;
        fields.set(
          unescaped,
          given.startsWith('"') && !isSecond
            ? { text: JSON.parse(given) as string }
            : { literal: isSecond ? 'given twice' : given },
        );
      }
    }
    if (token === '{' || token === '[') depth++;
    if (depth > DEPTH) return undefined;
  }
  return fields;
}

function hasLoneSurrogate(text: string): boolean {
  // With the u flag a pair is one character, so only halves without their other half are left to match.
  return /[\ud800-\udfff]/u.test(text);
}

function readEventTime(field: Field | undefined): number | undefined {
  if (field === undefined) return undefined;
  const ms = 'text' in field ? readIsoTime(field.text) : readEpoch(field.literal);
  if (ms === undefined) return undefined;
  return ms >= 0 && ms < Date.parse('9999-12-31T23:59:59.999Z') + 1 ? ms : undefined;
}

function readEpoch(literal: string): number | undefined {
  return /^[0-9]{1,15}$/.test(literal) ? Number(literal) : undefined;
}

function readIsoTime(text: string): number | undefined {
  const match =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [, local, fraction = '', zone] = match as unknown as [string, string, string | undefined, string];
  const localMs = Date.parse(`${local}Z`);
  // Date.parse takes 24:00:00 and, in some engines, 30 February: what it read must be what was written.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString().slice(0, 19) !== local) return undefined;
  const fractionMs = Number(`${fraction.slice(1)}000`.slice(0, 3));
  if (zone === 'Z') return localMs + fractionMs;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return undefined;
  const aheadMs = (hours * 60 + minutes) * 60_000;
  return localMs + fractionMs - (zone.startsWith('+') ? aheadMs : -aheadMs);
}

/** 16 bytes as hex, or undefined. IPv4 and IPv4-mapped IPv6 give the same. */
function readIp(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!text.includes(':')) {
    const v4 = readIpv4(text);
    return v4 === undefined ? undefined : `00000000000000000000ffff${v4}`;
  }
  // A dotted quad may stand for the last two groups: write it as such, then only hex is left.
  let hexText = text;
  const lastColon = text.lastIndexOf(':');
  if (text.includes('.')) {
    const v4 = readIpv4(text.slice(lastColon + 1));
    if (v4 === undefined) return undefined;
    hexText = `${text.slice(0, lastColon + 1)}${v4.slice(0, 4)}:${v4.slice(4)}`;
  }
  const halves = hexText.split('::');
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const before = groupsOf(halves[0]!);
  const after = halves.length === 2 ? groupsOf(halves[1]!) : [];
  const missing = 8 - before.length - after.length;
  // `::` stands for one group of zeros at least.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...before, ...Array<string>(missing).fill('0'), ...after];
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => group.toLowerCase().padStart(4, '0')).join('');
}

function readIpv4(text: string): string | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.map((part) => Number(part).toString(16).padStart(2, '0')).join('');
}
