// Random logs for property tests. They are small and dense on purpose: few users, ads, addresses and ids, and
// times that lie exactly on, one ms before or one ms after what the method's durations reach, so that rules
// meet each other in every log and not once in a thousand.
import fc from 'fast-check';
import { type Method, withInvalidTraffic } from '../../src/core/method.js';
import type { OracleRecord } from '../oracle.js';

export interface RandomLog {
  method: Method;
  partitionCount: number;
  /** By partition in ascending offsets; partitions interleaved. */
  records: OracleRecord[];
}

const MINUTE = 60_000;

/** Either version of the method, both as often. */
export const methodArbitrary: fc.Arbitrary<Method> = fc
  .record({
    version: fc.constant(1),
    watermarkDelayMs: fc.constantFrom(180_000, 0, MINUTE, 90_500),
    allowedLatenessMs: fc.constantFrom(600_000, 0, MINUTE, 30_001),
    doubleClickMs: fc.constantFrom(60_000, 1, 20_000, 150_000, 600_000),
    botWindowMs: fc.constantFrom(60_000, 1, 25_000, 180_000, 600_000),
    botThreshold: fc.constantFrom(2, 1, 3, 4),
    clockSkewMs: fc.constantFrom(300_000, 0),
  })
  .chain((method) => fc.boolean().map((isOn) => withInvalidTraffic(method, isOn)));

const CLICK_IDS = [
  'a',
  'b',
  'ab',
  'a\uff5e',
  'a\u{1f600}',
  '0123456789abcdef',
  '0123456789abcdeg',
  '0123456789abcdef0',
  '0123456789abcdef1',
  '3f2b8c1e-0000-4000-8000-000000000001',
  '3f2b8c1e-0000-4000-8000-000000000002',
  '3F2B8C1E-0000-4000-8000-000000000001',
  'x'.repeat(128),
  `${'x'.repeat(127)}y`,
];
const ADS = ['ad-1', 'ad-2', 'ad-12', 'é"\\'];
const USERS = ['user-1', '2user', 'user-'];
/** What `invalid_traffic` is, as JSON; mostly the field is absent. The last one is given twice. */
const MARKS = [
  '"crawler (isbot)"',
  '"é\\u0001\\""',
  '""',
  'null',
  '7',
  '{}',
  `"${'x'.repeat(128)}"`,
  `"${'x'.repeat(129)}"`,
];
const TWICE = '"crawler","invalid\\u005ftraffic":null';
const IPS = ['192.0.2.1', '::ffff:192.0.2.1', '::192.0.2.1', '2001:db8::1', '2001:DB8:0::1', '192.0.2.10'];

/** What a random record is before its partition's clock is known. */
const draftArbitrary = fc.record({
  partition: fc.nat(2),
  /** How far the partition's clock goes on: mostly little, sometimes beyond delay and lateness, or an hour. */
  aheadMs: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(0, 0, 1, 5000, 20_000) },
    { weight: 3, arbitrary: fc.constantFrom(MINUTE, 3 * MINUTE, 7 * MINUTE) },
    { weight: 1, arbitrary: fc.constantFrom(14 * MINUTE, 75 * MINUTE) },
  ),
  /** How far behind it this click is, as multiples of the method's durations, and a ms to each side. */
  behind: fc.oneof(
    { weight: 4, arbitrary: fc.constant({ delay: 0, lateness: 0, double: 0, bot: 0, minutes: 0, ms: 0 }) },
    {
      weight: 3,
      arbitrary: fc.record({
        delay: fc.nat(1),
        lateness: fc.nat(1),
        double: fc.nat(2),
        bot: fc.nat(2),
        minutes: fc.nat(2),
        ms: fc.constantFrom(0, 0, 1, -1, 30_000),
      }),
    },
  ),
  snap: fc.constantFrom('none', 'none', 'minute', 'minute end'),
  clickId: fc.constantFrom(...CLICK_IDS),
  ad: fc.nat(ADS.length - 1),
  campaign: fc.nat(1),
  user: fc.nat(USERS.length - 1),
  ip: fc.nat(IPS.length - 1),
  country: fc.constantFrom('DE', 'US'),
  device: fc.constantFrom('mobile', 'tv'),
  time: fc.constantFrom('epoch', 'iso', 'iso offset'),
  /** Ahead of its append time; undefined: no append time. */
  appended: fc.constantFrom<number | 'skew' | 'over' | undefined>(undefined, 0, -500_000, 'skew', 'over'),
  mark: fc.oneof(
    { weight: 10, arbitrary: fc.constant(undefined) },
    { weight: 4, arbitrary: fc.constant(MARKS[0]) },
    { weight: 1, arbitrary: fc.constantFrom(...MARKS, TWICE) },
  ),
  gap: fc.constantFrom(0, 0, 0, 1, 5),
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant({ name: 'click' as const }) },
    { weight: 3, arbitrary: fc.record({ name: fc.constant('again' as const), of: fc.nat(1000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ name: fc.constant('broken' as const), at: fc.nat(400), byte: fc.nat(255) }),
    },
  ),
});
type Draft = typeof draftArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** Random logs of up to `recordsMax` records over three partitions. */
export function randomLog(recordsMax: number): fc.Arbitrary<RandomLog> {
  return fc
    .record({
      method: methodArbitrary,
      startMs: fc.constantFrom(Date.parse('2024-02-28T23:58:00Z'), Date.parse('2025-12-31T23:55:30Z'), 0),
      drafts: fc.array(draftArbitrary, { maxLength: recordsMax, size: 'max' }),
      /** Everything alike but the times: bursts and chains are then certain. */
      narrow: fc.boolean(),
    })
    .map(({ method, startMs, drafts, narrow }) => {
      const records = layOut(narrow ? drafts.map(narrowed) : drafts, method, startMs);
      // So that a counterexample can be read.
      const text = (): string => `${JSON.stringify(method)}\n${records.map(lineOf).join('\n')}\n`;
      return { method, partitionCount: 3, records, [fc.toStringMethod]: text };
    });
}

function lineOf({ partition, offset, appendTimeMs, value }: OracleRecord): string {
  return `${partition}:${offset} ${appendTimeMs ?? '-'} ${Buffer.from(value).toString()}`;
}

function narrowed(draft: Draft): Draft {
  return { ...draft, ad: draft.ad % 2, user: 0, ip: draft.ip % 2, campaign: 0, country: 'DE', device: 'tv' };
}

function layOut(drafts: readonly Draft[], method: Method, startMs: number): OracleRecord[] {
  const clockMs = [startMs, startMs, startMs];
  const nextOffset = [0, 3, 0];
  const records: OracleRecord[] = [];
  for (const draft of drafts) {
    const { partition, kind } = draft;
    clockMs[partition]! += draft.aheadMs;
    const eventTimeMs = eventTimeOf(draft, method, clockMs[partition]!);
    const original = kind.name === 'again' ? records[kind.of % Math.max(records.length, 1)] : undefined;
    const value = original?.value ?? Buffer.from(textOf(draft, eventTimeMs));
    if (kind.name === 'broken') value[kind.at % value.length] = kind.byte;
    const offset = nextOffset[partition]! + draft.gap;
    nextOffset[partition] = offset + 1;
    records.push({ partition, offset, appendTimeMs: appendTimeOf(draft, method, eventTimeMs), value });
  }
  return records;
}

function eventTimeOf({ behind, snap }: Draft, method: Method, clockMs: number): number {
  const ms =
    clockMs -
    behind.delay * method.watermarkDelayMs -
    behind.lateness * method.allowedLatenessMs -
    behind.double * method.doubleClickMs -
    behind.bot * method.botWindowMs -
    behind.minutes * MINUTE -
    behind.ms;
  const minute = Math.floor(ms / MINUTE) * MINUTE;
  return Math.max(0, snap === 'minute' ? minute : snap === 'minute end' ? minute + MINUTE - 1 : ms);
}

function appendTimeOf({ appended }: Draft, method: Method, eventTimeMs: number): number | undefined {
  if (appended === undefined) return undefined;
  if (appended === 'skew') return eventTimeMs - method.clockSkewMs;
  if (appended === 'over') return eventTimeMs - method.clockSkewMs - 1;
  return eventTimeMs - appended;
}

function textOf(draft: Draft, eventTimeMs: number): string {
  const text = JSON.stringify(clickOf(draft, eventTimeMs));
  return draft.mark === undefined ? text : `${text.slice(0, -1)},"invalid_traffic":${draft.mark}}`;
}

function clickOf(draft: Draft, eventTimeMs: number): Record<string, unknown> {
  const iso = new Date(eventTimeMs).toISOString();
  const ahead = `${new Date(eventTimeMs + 90 * MINUTE).toISOString().slice(0, -1)}+01:30`;
  return {
    click_id: draft.clickId,
    event_time: draft.time === 'epoch' ? eventTimeMs : draft.time === 'iso' ? iso : ahead,
    ad_id: ADS[draft.ad],
    campaign_id: `campaign-${draft.campaign}`,
    user_id: USERS[draft.user],
    ip_address: IPS[draft.ip],
    country: draft.country,
    device_type: draft.device,
  };
}
