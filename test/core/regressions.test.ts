// Logs that the engine once counted wrong, kept for ever: small ones told as they were found, and random ones by
// their seed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_METHOD, type Method } from '../../src/core/method.js';
import type { OracleRecord } from '../oracle.js';
import { planArbitrary } from './plans.js';
import { randomLog } from './random-log.js';
import { replay } from './replay.js';
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
    record(1, 20, { at: '03:55:50.001', id: 'a', user: 'u' }),
    record(2, 14, { at: '03:55:59.999', ad: 'ad-2', user: 'u' }),
    record(2, 15, { at: '03:55:50.001', id: 'a', user: 'u' }),
    record(2, 37, { at: '04:05:00', user: 'u' }),
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

test('long click ids stay whole when the room for them is used again and again', () => {
  const records: OracleRecord[] = [];
  for (let i = 0; i < 400; i++) {
    const minute = String(i % 60).padStart(2, '0');
    const at = `${String(Math.floor(i / 60)).padStart(2, '0')}:${minute}:00`;
    const id = `${i}-${'x'.repeat(17 + ((i * 37) % 100))}`;
    records.push(record(0, 2 * i, { at, id, ip: `192.0.2.${i % 250}` }));
    records.push({ ...records.at(-1)!, offset: 2 * i + 1 });
  }
  const plan = Array.from({ length: 40 }, () => ({
    picks: [{ partition: 0, count: 9 }],
    after: 'commit' as const,
  }));
  within(20_000, () => replay({ method: DEFAULT_METHOD, partitionCount: 1, records }, plan));
});

test.each([
  { seed: 89_990, sample: 6, why: 'clicks of a partition that woke up, and their neighbours out of memory' },
  { seed: 26_223, sample: 102, why: 'cells that were open when memory was rebuilt from the start' },
  { seed: 50_361, sample: 77, why: 'the same, with a floor that went back' },
])('seed $seed: $why', ({ seed, sample }) => {
  const lives = fc.tuple(randomLog(300), planArbitrary, fc.constantFrom(3, 20, 1000));
  const [log, plan, quietAfterRecords] = fc.sample(lives, { numRuns: sample, seed }).at(-1)!;
  within(20_000, () => replay(log, plan, { quietAfterRecords, checkEachCommit: true }));
});
