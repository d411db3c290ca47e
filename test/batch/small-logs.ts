// Random small logs in which everything that the rules are about happens often: a few users, ads and addresses
// (spelled in several ways), times on the edges of minutes, periods and windows, redeliveries, disorder.
import fc from 'fast-check';
import { type Method, withInvalidTraffic } from '../../src/core/method.js';
import type { OracleRecord } from '../oracle.js';

/** Shortly before an hour's end, so that a log lies in two folders and more. */
export const START_MS = Date.UTC(2026, 1, 22, 9, 56);

export interface SmallClick {
  partition: number;
  /** Seconds after the start, and a few ms around the edge. */
  second: number;
  edgeMs: number;
  id: number;
  user: number;
  ad: number;
  ip: number;
  appendLagMs: number;
  fault: number;
  /** Index into MARKS. */
  mark: number;
  /** 0 to 4: the record is that many records back once more, as it is; else a click of its own. */
  repeats: number;
}

/** What `invalid_traffic` is, as JSON; beyond the list the field is absent. The last one is given twice. */
const MARKS = [
  ...['"crawler"', '"crawler"', '"data \\u0063entre"', '""', 'null', '7', `"${'é'.repeat(64)}"`],
  ...[`"${'é'.repeat(64)}x"`, '"a","invalid_traffic":"a"'],
];

const ADDRESSES = [
  ['198.51.100.7', '::ffff:198.51.100.7', '::FFFF:c633:6407', '0:0:0:0:0:ffff:198.51.100.7'],
  ['2001:db8::1', '2001:DB8::1', '2001:db8:0:0::1', '2001:0db8:0000:0000:0000:0000:0000:0001'],
  ['2001:db8:0:1::5', '2001:db8:0:1:0:0:0:5', '2001:db8::1:0:0:0:5'],
];

export function smallClick(partitions: number): fc.Arbitrary<SmallClick> {
  return fc.record({
    partition: fc.integer({ min: 0, max: partitions - 1 }),
    second: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }).map((step) => step * 10) },
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }).map((step) => step * 30) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 8000 }) },
    ),
    edgeMs: fc.constantFrom(0, 0, 0, 0, -1, 1),
    id: fc.integer({ min: 0, max: 30 }),
    user: fc.integer({ min: 0, max: 1 }),
    ad: fc.integer({ min: 0, max: 1 }),
    ip: fc.integer({ min: 0, max: 10 }),
    appendLagMs: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(Number.NaN, 500, 20_000) },
      { weight: 1, arbitrary: fc.constantFrom(-1000, -5000, -5001) },
    ),
    fault: fc.integer({ min: 0, max: 60 }),
    mark: fc.integer({ min: 0, max: 19 }),
    repeats: fc.integer({ min: 0, max: 24 }),
  });
}

/** Short windows, so that small logs reach them; either version of the method. */
export const smallMethod: fc.Arbitrary<Method> = fc
  .record({
    version: fc.constant(1),
    watermarkDelayMs: fc.constantFrom(0, 30_000, 60_000),
    allowedLatenessMs: fc.constantFrom(0, 60_000, 120_000),
    doubleClickMs: fc.constantFrom(1, 10_000, 30_000, 60_000, 600_000),
    botWindowMs: fc.constantFrom(1, 20_000, 60_000, 300_000),
    botThreshold: fc.constantFrom(1, 2, 3, 5),
    clockSkewMs: fc.constant(5000),
  })
  .chain((method) => fc.boolean().map((isOn) => withInvalidTraffic(method, isOn)));

/**
 * Records of a log. `world` keeps logs apart that share a lake: no partition, user or address is in two of them.
 * Offsets have gaps, as those of bare lines do.
 */
export function recordsOf(clicks: readonly SmallClick[], world = 0): OracleRecord[] {
  const next = new Map<number, number>();
  return withRedeliveries(clicks).map((click) => {
    const partition = world * 8 + click.partition;
    const offset = (next.get(partition) ?? 0) + (click.second % 3 === 0 ? 1 : 0);
    next.set(partition, offset + 1);
    const eventTimeMs = START_MS + click.second * 1000 + click.edgeMs;
    return {
      partition,
      offset,
      appendTimeMs: eventTimeMs + click.appendLagMs,
      value: new TextEncoder().encode(textOf(click, eventTimeMs, world)),
    };
  });
}

/** Mostly in the same partition, but one in five elsewhere. */
function withRedeliveries(clicks: readonly SmallClick[]): SmallClick[] {
  return clicks.map((click, index) => {
    const earlier = click.repeats < 5 ? clicks[index - 1 - click.repeats] : undefined;
    if (!earlier) return click;
    return { ...earlier, partition: click.repeats === 4 ? click.partition : earlier.partition };
  });
}

function textOf(click: SmallClick, eventTimeMs: number, world: number): string {
  if (click.fault === 0) return '{"click_id":';
  if (click.fault === 1) return '{}';
  // Order by UTF-8 bytes differs from order by UTF-16 for these two.
  const id = ['\u{10000}', '\uffff', 'é', 'z'][click.id] ?? `click-${click.id}`;
  const spellings = ADDRESSES[click.ip % ADDRESSES.length]!;
  const address = spellings[click.ip % spellings.length]!;
  const text = JSON.stringify({
    click_id: id,
    event_time: click.fault % 2 === 0 ? eventTimeMs : new Date(eventTimeMs).toISOString(),
    ad_id: `ad-${click.ad}`,
    campaign_id: `campaign-${click.ad}`,
    user_id: `user-${world}-${click.user}`,
    ip_address: inWorld(address, world),
    country: click.id % 2 === 0 ? 'DE' : 'US',
    device_type: click.id % 3 === 0 ? 'mobile' : 'desktop',
  });
  const mark = MARKS[click.mark];
  return mark === undefined ? text : `${text.slice(0, -1)},"invalid_traffic":${mark}}`;
}

/** Moves an address into the network of a world, whatever its spelling: the last two groups or parts carry it. */
function inWorld(address: string, world: number): string {
  const hex = (world + 0x100).toString(16);
  if (/\d+\.\d+\.\d+\.7$/.test(address)) return address.replace(/100\.7$/, `${world & 255}.${world >> 8}`);
  if (address.includes('c633:6407')) {
    return address.replace('6407', (((world & 255) << 8) | (world >> 8)).toString(16));
  }
  return address.replace(/(?:000)?([15])$/, (_, last: string) => `${hex}${last}`);
}
