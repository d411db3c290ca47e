// `--pseudonymise` changes no verdict and no total, of any log.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAddress } from '../../src/ingest/address.js';
import { pseudonymsOf } from '../../src/ingest/pseudonyms.js';
import { assertProperty } from '../core/property-options.js';
import { randomLog } from '../core/random-log.js';
import { decide, type OracleRecord } from '../oracle.js';

const pseudonyms = pseudonymsOf('a key of many characters');

/** The record as ingestion with --pseudonymise would have written it; what is no click never gets there. */
function hidden(record: OracleRecord): OracleRecord {
  let click: Record<string, unknown>;
  try {
    click = JSON.parse(new TextDecoder().decode(record.value)) as Record<string, unknown>;
  } catch {
    return record;
  }
  const address = typeof click.ip_address === 'string' ? parseAddress(click.ip_address) : undefined;
  if (!address || typeof click.user_id !== 'string') return record;
  const user = { user_id: pseudonyms.user(click.user_id), ip_address: pseudonyms.ip(address) };
  return { ...record, value: new TextEncoder().encode(JSON.stringify({ ...click, ...user })) };
}

test('every verdict and total of a random log stays', () => {
  let clicks = 0;
  assertProperty(
    'pseudonymised logs',
    400,
    fc.property(randomLog(60), ({ method, records }) => {
      const plain = decide(records, method);
      // Invalid records are refused by ingestion as they are.
      const sound = new Set(plain.verdicts.filter(({ verdict }) => verdict !== 'invalid').map(placeOf));
      clicks += sound.size;
      const same = decide(
        records.map((one) => (sound.has(placeOf(one)) ? hidden(one) : one)),
        method,
      );
      expect(same).toEqual(plain);
    }),
  );
  expect(clicks).toBeGreaterThan(1000);
});

function placeOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition} ${offset}`;
}

test('addresses become addresses of fd00::/8, one for all spellings, and users p_ and 32 digits', () => {
  const ip = (text: string) => pseudonyms.ip(parseAddress(text)!);
  const one = ip('192.0.2.1');
  expect(one).toMatch(/^fd[0-9a-f]{2}:[0-9a-f:]+$/);
  expect(parseAddress(one)?.text).toBe(one);
  expect([ip('::ffff:192.0.2.1'), ip('::FFFF:C000:0201')]).toEqual([one, one]);
  expect(ip('2001:db8::1')).toBe(ip('2001:DB8:0:0::0:1'));
  expect(new Set([one, ip('192.0.2.2'), ip('::192.0.2.1'), ip('2001:db8::1')]).size).toBe(4);
  expect(pseudonyms.user('user-1')).toMatch(/^p_[0-9a-f]{32}$/);
  expect(pseudonyms.user('user-1')).not.toBe(pseudonyms.user('user-2'));
});

test('another key gives other pseudonyms, the same key the same', () => {
  const address = parseAddress('192.0.2.1')!;
  const other = pseudonymsOf('some other key of many');
  expect(pseudonymsOf('a key of many characters').ip(address)).toBe(pseudonyms.ip(address));
  expect(other.ip(address)).not.toBe(pseudonyms.ip(address));
  expect(other.user('user-1')).not.toBe(pseudonyms.user('user-1'));
});
