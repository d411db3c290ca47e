// Sound clicks as few producers write them: other order, spaces, escapes, unknown fields (with the names that
// trip up JavaScript), times with an offset, addresses in another form. They count like any other click, and
// a reader that has only ever seen the usual form gets them wrong.
import { type Fields, unicodeEscape } from './malformed.js';
import type { Random } from './random.js';

const UNKNOWN_FIELDS: Fields = [
  ['__proto__', '{"ad_id":"ad-0"}'],
  ['constructor', 'null'],
  ['', '""'],
  ['tags', '["a",{"b":[]},"\\ud83d\\ude00"]'],
  ['price', '-1.25e-7'],
  ['größe', '"groß"'],
  ['consent', 'true'],
  ['note', '"a \\"quoted\\" \\/ \\\\ note, {not: [a], field}"'],
  ['user', '{"user_id":"u-0","event_time":0}'],
];
const OFFSETS = ['+00:00', '-00:00', '+02:00', '-08:00', '+05:30', '+14:00', '-12:00'];

/** Rewrites a click, given by its fields, without changing what it says. */
export function unusualText(fields: Fields, random: Random): string {
  let changed = fields.map((field) => rewriteValue(field, random));
  for (let extra = random.below(3); extra > 0; extra--) changed.push(random.pick(UNKNOWN_FIELDS));
  for (const name of ['user_agent', 'referrer', 'impression_id']) {
    if (!fields.some(([other]) => other === name) && random.below(4) === 0) {
      changed.push([name, random.pick(['null', '""'])]);
    }
  }
  if (random.below(2) === 0) changed = shuffled(changed, random);
  const space = random.pick(['', ' ', '\t', '  ']);
  const members = changed.map(
    ([name, json]) => `"${random.below(16) === 0 ? escaped(name) : name}"${space}:${space}${json}`,
  );
  return `${space}{${space}${members.join(`${space},${space}`)}${space}}${space}`;
}

function rewriteValue([name, json]: Fields[number], random: Random): Fields[number] {
  if (name === 'event_time') return [name, rewriteTime(json, random)];
  const text = JSON.parse(json) as string;
  if (name === 'ip_address') return [name, `"${rewriteAddress(text, random)}"`];
  if (random.below(8) === 0) return [name, `"${escaped(text)}"`];
  if (random.below(8) === 0) return [name, `"${text.replaceAll('/', '\\/')}"`];
  return [name, json];
}

/** The same instant with an offset and with digits beyond the millisecond, which are cut. */
function rewriteTime(json: string, random: Random): string {
  const value: unknown = JSON.parse(json);
  const timeMs = typeof value === 'number' ? value : Date.parse(value as string);
  if (random.below(4) === 0) return String(timeMs);
  const offset = random.pick(OFFSETS);
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4));
  const local = new Date(timeMs + (offset.startsWith('-') ? -minutes : minutes) * 60_000).toISOString();
  const digits = ['', '0', '9', '999999', '123456'];
  const fraction =
    timeMs % 1000 === 0 && random.below(2) === 0 ? '' : `${local.slice(19, 23)}${random.pick(digits)}`;
  return `"${local.slice(0, 19)}${fraction}${offset}"`;
}

/** The same address in another form: upper case, or an IPv4 address mapped into IPv6. */
function rewriteAddress(text: string, random: Random): string {
  if (text.includes(':')) return random.below(2) === 0 ? text.toUpperCase() : text;
  return random.below(4) === 0 ? `::ffff:${text}` : text;
}

/** The character in the middle as an escape. */
function escaped(text: string): string {
  if (text.length === 0) return text;
  const at = text.length >> 1;
  return `${text.slice(0, at)}${unicodeEscape(text.charAt(at))}${text.slice(at + 1)}`;
}

function shuffled(fields: Fields, random: Random): Fields {
  const result = [...fields];
  for (let i = result.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [result[i], result[other]] = [result[other]!, result[i]!];
  }
  return result;
}
