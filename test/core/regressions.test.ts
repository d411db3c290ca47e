// Logs that the engine once counted wrong, kept for ever: small ones told as they were found, and random ones by
// their seed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PARTITION_MAX } from '../../src/core/batches.js';
import { DEFAULT_METHOD, type Method } from '../../src/core/method.js';
import type { OracleRecord } from '../oracle.js';
import { planArbitrary } from './plans.js';
import { randomLog } from './random-log.js';
import { replay, type Step } from './replay.js';
import { within } from './within.js';

let number = 0;
function record(
  partition: number,
  offset: number,
  click: { at: string; id?: string; ad?: string; user?: string; ip?: string },
): OracleRecord {
  number++;
  const value = JSON.stringify({
    click_id: click.id ?? `click-${number}`,
    event_time: `2026-01-01T${click.at}Z`,
    ad_id: click.ad ?? 'ad-1',
    campaign_id: 'campaign-1',
    user_id: click.user ?? `user-${number}`,
    ip_address: click.ip ?? '192.0.2.1',
    country: 'DE',
    device_type: 'tv',
  });
  return { partition, offset, value: Buffer.from(value) };
}

test('a provisional cell that fell to nothing before a crash is taken back after it', () => {
  const method: Method = {
    ...DEFAULT_METHOD,
    watermarkDelayMs: 0,
    allowedLatenessMs: 0,
    doubleClickMs: 20_000,
    botThreshold: 2,
  };
  const records = [
    record(2, 14, { at: '03:55:59.999', ad: 'ad-2', user: 'u' }),
    record(2, 15, { at: '03:55:50.001', id: 'a', user: 'u' }),
    record(2, 37, { at: '04:05:00', user: 'u' }),
    record(1, 20, { at: '03:55:50.001', id: 'a', user: 'u' }),
  ];
  const store = replay(
    { method, partitionCount: 3, records },
    [
      { picks: [{ partition: 1, count: 1 }], after: 'commit all' },
      { picks: [{ partition: 2, count: 5 }], after: 'commit' },
      { picks: [], after: 'kill' },
    ],
    { checkEachCommit: true },
  );
  expect(store.totals().map(({ minute, clicks }) => [minute, clicks])).toEqual([['2026-01-01T04:05:00Z', 1]]);
});

test('a redelivery in the greatest partition is known again', () => {
  const partition = PARTITION_MAX;
  const records = [
    record(partition, 0, { at: '10:00:00', id: 'a', user: 'u' }),
    record(partition, 1, { at: '10:00:00', id: 'a', user: 'u' }),
  ];
  const store = replay({ method: DEFAULT_METHOD, partitionCount: 1, records }, [
    { picks: [{ partition, count: 2 }], after: 'commit all' },
  ]);
  expect(store.totals().map(({ clicks }) => clicks)).toEqual([1]);
});

test('a long click id stays whole when the room for it was just made by forgetting others', () => {
  const records = [
    record(0, 0, { at: '10:00:00', id: 'y'.repeat(17), user: 'a' }),
    record(0, 1, { at: '10:00:30', id: 'Y'.repeat(17), user: 'b' }),
    record(0, 2, { at: '10:30:00', id: 'x'.repeat(30), user: 'c' }),
    record(0, 3, { at: '10:31:00', id: 'z'.repeat(100), user: 'd' }),
    record(0, 4, { at: '10:31:00', id: 'z'.repeat(100), user: 'd' }),
    record(0, 5, { at: '12:00:00' }),
  ];
  const oneByOne = records.map((): Step => ({ picks: [{ partition: 0, count: 1 }], after: 'commit' }));
  const log = { method: DEFAULT_METHOD, partitionCount: 1, records };
  within(() => replay(log, oneByOne, { checkEachCommit: true }));
});

test.each([
  { seed: 89_990, sample: 6, why: 'clicks of a partition that woke up, with their neighbours out of memory' },
  { seed: 15, sample: 3, why: 'cells that were open when memory was rebuilt from the start' },
])('seed $seed: $why', ({ seed, sample }) => {
  const lives = fc.tuple(randomLog(300), planArbitrary, fc.constantFrom(3, 20, 1000));
  const [log, plan, quietAfterRecords] = fc.sample(lives, { numRuns: sample, seed }).at(-1)!;
  within(() => replay(log, plan, { quietAfterRecords, checkEachCommit: true }));
});
