// Every malformed record is invalid to a judge who shares no code with who made it: JSON.parse and a plain list
// of checks here, and the oracle for the exact reason. And unusual clicks are sound, however they look.
import { describe, expect, test } from 'vitest';
import { fieldsOf, MALFORMATIONS, type Malformation, malform } from '../../src/core/loadgen/malformed.js';
import { Random } from '../../src/core/loadgen/random.js';
import { unusualText } from '../../src/core/loadgen/unusual.js';
import { readRecord } from '../oracle/record.js';
import { loadProfile, makeLoad, NOTHING_WRONG } from './load.js';

const REQUIRED = ['click_id', 'ad_id', 'campaign_id', 'user_id', 'ip_address', 'country', 'device_type'];
const KNOWN = [...REQUIRED, 'event_time', 'user_agent', 'referrer', 'impression_id'];

/** Whether a strict reader may take the bytes for a click; generous where JSON.parse can't tell. */
function looksSound(bytes: Buffer): boolean {
  if (bytes.length > 1_048_576) return false;
  let click: Record<string, unknown>;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    click = JSON.parse(text, (_name, value: unknown) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL is what is looked for
      if (typeof value === 'string' && (!value.isWellFormed() || /\u0000/.test(value)))
        throw new TypeError('text');
      return value;
    });
    if (typeof click !== 'object' || click === null || Array.isArray(click)) return false;
    const names = [...text.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)].map((match) => JSON.parse(`"${match[1]}"`));
    if (KNOWN.some((name) => names.filter((other) => other === name).length > 1)) return false;
    if (depthOf(click) > 64) return false;
    if (typeof click.event_time === 'number' && !/"event_time":\d{1,15}[,}]/.test(text)) return false;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
  const texts = [
    ...REQUIRED,
    ...['user_agent', 'referrer', 'impression_id'].filter((name) => click[name] != null),
  ];
  const limits: Record<string, number> = { ip_address: 45, user_agent: 2048, referrer: 4096 };
  const allTexts = texts.every((name) => {
    const value = click[name];
    return typeof value === 'string' && Buffer.byteLength(value) <= (limits[name] ?? 128);
  });
  return (
    allTexts &&
    REQUIRED.every((name) => click[name] !== '') &&
    /^[A-Z]{2}$/.test(click.country as string) &&
    ['mobile', 'desktop', 'tablet', 'tv', 'other'].includes(click.device_type as string) &&
    isTime(click.event_time) &&
    isAddress(click.ip_address as string)
  );
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function isTime(time: unknown): boolean {
  if (typeof time === 'number') return Number.isInteger(time) && time >= 0 && time < 253_402_300_800_000;
  return (
    typeof time === 'string' &&
    /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(time) &&
    new Date(`${time.slice(0, 10)}T00:00Z`).toISOString().startsWith(time.slice(0, 10))
  );
}

function isAddress(text: string): boolean {
  const v4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
  if (/(^|\.)0\d/.test(text)) return false;
  return v4.test(text) || (/^[\dA-Fa-f:.]+$/.test(text) && URL.canParse(`http://[${text}]/`));
}

/** Usual clicks to be broken or rewritten. */
function clicks(count: number): string[] {
  const profile = loadProfile({
    shares: NOTHING_WRONG,
    bots: 0,
    userAgents: 0.5,
    referrers: 0.5,
    impressions: 0.5,
  });
  return makeLoad(profile, count).records.map(({ value }) => value.toString());
}

describe('malformed records', () => {
  test.each([false, true])('are invalid, for the reason that is told (UTF-8 only: %s)', (utf8Only) => {
    const random = new Random(11, 0);
    const met = new Map<Malformation, number>();
    for (const text of clicks(12_000)) {
      expect(looksSound(Buffer.from(text)), text).toBe(true);
      const { value, reason, malformation } = malform(fieldsOf(text), random, utf8Only);
      met.set(malformation, (met.get(malformation) ?? 0) + 1);
      const bytes = Buffer.from(value as string);
      const shown = `${malformation} ${bytes.subarray(0, 300)}`;
      expect(looksSound(bytes), shown).toBe(false);
      expect(readRecord(bytes), shown).toMatchObject({ reason });
      expect(bytes.includes(10), shown).toBe(false);
      expect(bytes.length).toBeLessThan(1_048_576 + 65_536);
      if (utf8Only) expect(Buffer.from(bytes.toString()).equals(bytes), shown).toBe(true);
    }
    expect([...met.keys()].sort()).toEqual([...MALFORMATIONS].sort());
    // All of them often, but for the one of a megabyte.
    expect(
      Math.min(...[...met].filter(([name]) => name !== 'too_long').map(([, count]) => count)),
    ).toBeGreaterThan(400);
  });
});

describe('unusual clicks', () => {
  test('say the same as the usual ones', () => {
    const random = new Random(12, 0);
    for (const text of clicks(5000)) {
      const rewritten = unusualText(fieldsOf(text), random);
      expect(typeof JSON.parse(rewritten), rewritten).toBe('object');
      expect(readRecord(Buffer.from(rewritten)), rewritten).toEqual(readRecord(Buffer.from(text)));
      expect(rewritten).not.toContain('\n');
    }
  });
});
