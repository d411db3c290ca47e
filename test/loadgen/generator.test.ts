// The generator's promises: a seed repeats, shares come out as asked, and each kind is what it is called.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SteadyArrivals } from '../../src/core/loadgen/arrivals.js';
import type { Form, Kind, LoadProfile, ShareKind } from '../../src/core/loadgen/profile.js';
import { ALL_WRONG, clickIn, loadProfile, makeLoad, NOTHING_WRONG, timeOf } from './load.js';

const FORMS: Form[] = ['records', 'clicks', 'kcat'];

function only(kind: ShareKind, share: number, changes: Partial<LoadProfile> = {}): LoadProfile {
  return loadProfile({ bots: 0, shares: { ...NOTHING_WRONG, [kind]: share }, ...changes });
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('a seed', () => {
  test.each(FORMS)('repeats byte for byte as %s', (form) => {
    const first = makeLoad(loadProfile({ form }), 20_000);
    const again = makeLoad(loadProfile({ form }), 20_000);
    expect(hashOf(again.bytes)).toBe(hashOf(first.bytes));
    expect(again.truth).toEqual(first.truth);
    expect(first.truth.bytes).toBe(first.bytes.length);
  });

  test.each([
    [0, 'b524013435a83f224bb03187997e13d9c9e6672d2b12caa7703386a7c9904459'],
    [0.05, '9e5b24dcd57e748377f0312162f7bd78a60d5ef01d324a7c61370b94dca683e6'],
  ])('gives the same bytes on every machine and version of Node, with %d of them marked', (share, hash) => {
    // Whoever changes what clicks look like changes this, and tells it in the CHANGELOG.
    const shares = { ...ALL_WRONG, invalid_traffic: share };
    expect(hashOf(makeLoad(loadProfile({ form: 'kcat', shares }), 20_000).bytes)).toBe(hash);
  });

  test('does not depend on how many records are asked for at a time', () => {
    const whole = makeLoad(loadProfile({ form: 'clicks' }), 5000);
    const longer = makeLoad(loadProfile({ form: 'clicks' }), 6000);
    expect(longer.bytes.subarray(0, whole.bytes.length).equals(whole.bytes)).toBe(true);
  });

  test('other than the first gives other clicks, and so does another start', () => {
    const profile = loadProfile({ shares: NOTHING_WRONG, bots: 0 });
    const ids = (changes: Partial<LoadProfile>) =>
      makeLoad({ ...profile, ...changes }, 100).records.map((record) => clickIn(record)?.click_id);
    const all = [...ids({}), ...ids({ seed: 43 }), ...ids({ startMs: profile.startMs + 1 })];
    expect(new Set(all).size).toBe(300);
  });
});

describe('shares', () => {
  test('come out close to what was asked', () => {
    const profile = loadProfile();
    const count = 100_000;
    const { truth } = makeLoad(profile, count);
    for (const kind of Object.keys(profile.shares) as ShareKind[]) {
      const expected = profile.shares[kind] * count;
      // Five standard deviations; the seed is fixed, so it holds or it doesn't.
      expect(Math.abs(truth.kinds[kind] - expected), kind).toBeLessThan(5 * Math.sqrt(expected));
    }
    expect(truth.kinds.bot / count).toBeCloseTo(profile.bots, 2);
    const sum = Object.values(truth.kinds).reduce((total, records) => total + records, 0);
    expect(sum).toBe(count);
    expect(truth.records).toBe(count);
  });

  test.each([
    'disordered',
    'late',
    'malformed',
    'duplicate',
    'double_click',
    'invalid_traffic',
    'unusual',
    'future',
  ] as const)('of 1 make every record %s, but for the first ones', (kind) => {
    const { truth } = makeLoad(only(kind, 1), 2000);
    // A redelivery needs an earlier record, and lateness a watermark in each partition.
    expect(truth.kinds[kind]).toBeGreaterThanOrEqual(kind === 'duplicate' ? 0 : 1900);
  });

  test('of countries, devices and forms hold too', () => {
    const profile = loadProfile({ shares: NOTHING_WRONG, bots: 0, users: 1_000_000 });
    const clicks = makeLoad(profile, 20_000).records.map((record) => clickIn(record)!);
    const share = (is: (click: Record<string, unknown>) => boolean) =>
      clicks.filter(is).length / clicks.length;
    expect(share((click) => click.country === 'US')).toBeCloseTo(0.6, 1);
    expect(share((click) => click.country === 'NG')).toBeCloseTo(0.1, 1);
    expect(share((click) => click.device_type === 'mobile')).toBeCloseTo(0.7, 1);
    expect(share((click) => typeof click.event_time === 'number')).toBeCloseTo(0.1, 1);
    expect(share((click) => 'user_agent' in click)).toBeCloseTo(0.2, 1);
    expect(share((click) => 'referrer' in click)).toBeCloseTo(0.15, 1);
    expect(share((click) => 'impression_id' in click)).toBeCloseTo(0.1, 1);
    expect(share((click) => (click.ip_address as string).includes(':'))).toBeCloseTo(0.15, 1);
  });
});

/** Records of a load in which only one kind differs from ordinary ones. */
function recordsOf(kind: ShareKind, share: number, count = 4000) {
  const { records, truth } = makeLoad(only(kind, share), count);
  return { records, clicks: records.map((record) => clickIn(record)!), kinds: truth.kinds, truth };
}

/** Watermark of each record's partition as the record meets it. */
function watermarksOf(load: ReturnType<typeof recordsOf>): number[] {
  const newest = new Map<number, number>();
  return load.records.map(({ partition }, index) => {
    const before = newest.get(partition) ?? -Infinity;
    newest.set(partition, Math.max(before, timeOf(load.clicks[index]!)));
    return before - 180_000;
  });
}

const bucketEnd = (timeMs: number) => Math.floor(timeMs / 60_000) * 60_000 + 60_000;

describe('kinds', () => {
  test('an ordinary click reaches the log within half a second, in its ad’s partition', () => {
    const { records, clicks } = recordsOf('late', 0);
    for (const [index, record] of records.entries()) {
      const delayMs = record.appendTimeMs - timeOf(clicks[index]!);
      expect(delayMs).toBeGreaterThanOrEqual(0);
      expect(delayMs).toBeLessThan(500);
      expect(record.key).toBe(clicks[index]!.ad_id);
    }
    const partitions = new Map(clicks.map((click, index) => [click.ad_id, records[index]!.partition]));
    for (const [index, click] of clicks.entries()) {
      expect(records[index]!.partition).toBe(partitions.get(click.ad_id));
    }
  });

  test('a disordered click is behind younger ones, but in time', () => {
    const load = recordsOf('disordered', 0.5);
    const watermarks = watermarksOf(load);
    const overtaken = load.clicks.filter((click, index) => {
      expect(watermarks[index]!).toBeLessThan(bucketEnd(timeOf(click)));
      return load.records[index]!.appendTimeMs - timeOf(click) >= 500;
    });
    expect(overtaken.length).toBeGreaterThan(load.kinds.disordered * 0.98);
  });

  test('a late click’s minute is closed, but its lateness is allowed', () => {
    const load = recordsOf('late', 0.2);
    const watermarks = watermarksOf(load);
    const late = load.clicks.filter((click, index) => watermarks[index]! >= bucketEnd(timeOf(click)));
    expect(late.length).toBe(load.kinds.late);
    for (const [index, click] of load.clicks.entries()) {
      expect(watermarks[index]!).toBeLessThanOrEqual(bucketEnd(timeOf(click)) + 600_000);
    }
  });

  test('a too-late click is beyond the allowed lateness', () => {
    const load = recordsOf('too_late', 0.2);
    const watermarks = watermarksOf(load);
    const tooLate = load.clicks.filter(
      (click, index) => watermarks[index]! > bucketEnd(timeOf(click)) + 600_000,
    );
    expect(tooLate.length).toBe(load.kinds.too_late);
    expect(load.truth.expected.too_late).toBe(tooLate.length);
  });

  test('a redelivery repeats an earlier record of its partition byte for byte', () => {
    const { records, kinds } = recordsOf('duplicate', 0.2);
    const seen = new Set<string>();
    let repeated = 0;
    for (const { partition, value } of records) {
      const name = `${partition} ${value}`;
      if (seen.has(name)) repeated++;
      seen.add(name);
    }
    expect(repeated).toBe(kinds.duplicate);
    expect(kinds.duplicate).toBeGreaterThan(700);
  });

  test('a double click is the same user’s on the same ad within a minute, with an id of its own', () => {
    const profile = only('double_click', 0.2, { users: 2_000_000_000 });
    const { records, truth } = makeLoad(profile, 4000);
    const clicks = records.map((record) => clickIn(record)!);
    const times = new Map<string, number[]>();
    for (const click of clicks) {
      const name = `${click.user_id} ${click.ad_id}`;
      times.set(name, [...(times.get(name) ?? []), timeOf(click)]);
    }
    let again = 0;
    for (const list of times.values()) {
      again += list.length - 1;
      for (const [i, timeMs] of list.entries()) {
        const nearest = Math.min(...list.map((other, j) => (i === j ? Infinity : Math.abs(other - timeMs))));
        if (list.length > 1) expect(nearest).toBeLessThan(60_000);
      }
    }
    expect(again).toBe(truth.kinds.double_click);
    expect(new Set(clicks.map((click) => click.click_id)).size).toBe(clicks.length);
  });

  test.each([1, 50, 20_000])(
    'bots burst from one address over many ads at %i clicks/s',
    (clicksPerSecond) => {
      const profile = loadProfile({ bots: 0.2, shares: NOTHING_WRONG, clicksPerSecond });
      const { records, truth } = makeLoad(profile, 30_000);
      const byAddress = new Map<unknown, { ads: Set<unknown>; times: number[] }>();
      for (const record of records) {
        const click = clickIn(record)!;
        expect(timeOf(click)).toBeLessThanOrEqual(record.appendTimeMs);
        const burst = byAddress.get(click.ip_address) ?? { ads: new Set(), times: [] };
        burst.ads.add(click.ad_id);
        burst.times.push(timeOf(click));
        byAddress.set(click.ip_address, burst);
      }
      const bursts = [...byAddress.values()].filter(({ times }) => times.length > 30);
      for (const { ads, times } of bursts) {
        expect(Math.max(...times) - Math.min(...times)).toBeLessThan(60_000);
        expect(ads.size).toBeGreaterThan(20);
      }
      const inBursts = bursts.reduce((sum, { times }) => sum + times.length, 0);
      // Bursts that the end cut off are shorter.
      expect(inBursts).toBeGreaterThan(truth.kinds.bot * 0.8);
      expect(inBursts).toBeLessThanOrEqual(truth.kinds.bot);
      expect(truth.kinds.bot).toBeGreaterThan(30_000 * 0.2 * 0.8);
    },
  );

  test('a clock that runs ahead is beyond the skew', () => {
    const load = recordsOf('future', 0.1);
    const ahead = load.clicks.filter(
      (click, index) => timeOf(click) > load.records[index]!.appendTimeMs + 300_000,
    );
    expect(ahead.length).toBe(load.kinds.future);
    expect(load.truth.expected.invalid_reasons).toEqual({ from_the_future: ahead.length });
  });
});

describe('time', () => {
  const spanOf = (changes: Partial<LoadProfile>, count: number): number => {
    const { records } = makeLoad(loadProfile({ shares: NOTHING_WRONG, bots: 0, ...changes }), count);
    return records.at(-1)!.appendTimeMs - records[0]!.appendTimeMs;
  };

  test('passes by the event rate', () => {
    const spanMs = spanOf({ dayNight: 0, clicksPerSecond: 100 }, 50_000);
    expect(Math.abs(spanMs - 500_000)).toBeLessThan(10_000);
  });

  test('over a day is the mean rate, busy in the evening and quiet before dawn', () => {
    const profile = loadProfile({ shares: NOTHING_WRONG, bots: 0, clicksPerSecond: 1 });
    const byHour = new Array<number>(24).fill(0);
    const dayEnd = profile.startMs + 86_400_000;
    const inDay = makeLoad(profile, 100_000).records.filter(({ appendTimeMs }) => appendTimeMs < dayEnd);
    for (const { appendTimeMs } of inDay) byHour[new Date(appendTimeMs).getUTCHours()]!++;
    expect(Math.abs(inDay.length - 86_400)).toBeLessThan(1500);
    expect(byHour[20]! / byHour[3]!).toBeGreaterThan(3);
  });

  test('goes evenly with a clock that is told from outside', () => {
    const clock = new SteadyArrivals(1_800_000_000_000);
    clock.spread(1_800_000_001_000, 10);
    const { records } = makeLoad(loadProfile({ shares: NOTHING_WRONG, bots: 0 }), 10, clock);
    expect(records.map(({ appendTimeMs }) => appendTimeMs - 1_800_000_000_000)).toEqual([
      100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
    ]);
  });
});

describe('forms', () => {
  test('an envelope holds what the record holds, with offsets that count up', () => {
    const lines = makeLoad(loadProfile({ form: 'kcat' }), 5000);
    const next = new Map<number, number>();
    for (const record of lines.records) {
      const envelope = JSON.parse(record.value.toString()) as Record<string, unknown>;
      expect(Object.keys(envelope)).toEqual([
        'topic',
        'partition',
        'offset',
        'tstype',
        'ts',
        'broker',
        'key',
        'payload',
      ]);
      const partition = envelope.partition as number;
      expect(partition).toBe(record.partition);
      expect(envelope.offset).toBe(next.get(partition) ?? 0);
      expect(envelope.ts).toBe(record.appendTimeMs);
      next.set(partition, (envelope.offset as number) + 1);
    }
    expect([...next.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('a usual click is about 260 bytes long', () => {
    const { truth } = makeLoad(loadProfile({ form: 'clicks', shares: NOTHING_WRONG }), 10_000);
    expect(truth.bytes / truth.records).toBeGreaterThan(240);
    expect(truth.bytes / truth.records).toBeLessThan(290);
  });

  test('clocks that run ahead count where lines carry no append time', () => {
    const { truth } = makeLoad(only('future', 0.01, { form: 'clicks' }), 5000);
    const kinds: Partial<Record<Kind, number>> = truth.kinds;
    expect(kinds.future).toBeGreaterThan(0);
    expect(truth.expected.invalid).toBe(0);
  });
});
