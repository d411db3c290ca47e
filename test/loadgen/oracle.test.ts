// The generator's account of invalid, too-late and redelivered records is exact: the oracle, who knows nothing
// of how they were made, finds just as many.
import { describe, expect, test } from 'vitest';
import type { LoadProfile } from '../../src/core/loadgen/profile.js';
import { withInvalidTraffic } from '../../src/core/method.js';
import { recordsOfBareLines } from '../oracle/bare-lines.js';
import { recordsOfEnvelopes } from '../oracle/fixtures.js';
import { decide, type OracleRecord } from '../oracle.js';
import { ALL_WRONG, loadProfile, makeLoad } from './load.js';

const COUNT = 1500;

function oracleRecordsOf(profile: LoadProfile, load: ReturnType<typeof makeLoad>): OracleRecord[] {
  if (profile.form === 'clicks') return recordsOfBareLines(load.bytes, profile.partitions);
  if (profile.form === 'kcat') return recordsOfEnvelopes(load.bytes);
  return load.records.map((record, offset) => ({ ...record, offset }));
}

/** `shown` is how much of the double clicks and bots that were put in must be found at least. */
function check(changes: Partial<LoadProfile>, shown = 1): void {
  const profile = loadProfile(changes);
  const load = makeLoad(profile, COUNT);
  const { ledger, verdicts } = decide(oracleRecordsOf(profile, load), profile.method);
  const { expected, kinds } = load.truth;
  const reasons: Record<string, number> = {};
  for (const { verdict, reason } of verdicts) {
    if (verdict === 'invalid' && reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  expect(reasons).toEqual(expected.invalid_reasons);
  expect({
    records: ledger.records,
    invalid: ledger.invalid,
    too_late: ledger.too_late,
    duplicate: ledger.duplicate,
    invalid_traffic: ledger.invalid_traffic,
    counted: ledger.double_click + ledger.bot + ledger.billable,
  }).toEqual({
    records: COUNT,
    invalid: expected.invalid,
    too_late: expected.too_late,
    duplicate: expected.duplicate,
    invalid_traffic: expected.invalid_traffic,
    counted: expected.counted,
  });
  // These depend on how clicks meet, but nearly all of what was put in must show.
  expect(ledger.double_click).toBeGreaterThan(kinds.double_click * 0.8 * shown);
  if (profile.method.invalidTraffic)
    expect(ledger.invalid_traffic).toBeGreaterThan(kinds.invalid_traffic * 0.9);
  expect(ledger.bot).toBeGreaterThan(kinds.bot * 0.4 * shown);
}

describe('the oracle finds what the generator says, in', () => {
  test.each([1, 2, 3])('records of seed %i', (seed) => {
    check({ seed });
  });

  test('records counted by version 1 of the method', () => {
    check({ seed: 4, method: withInvalidTraffic(loadProfile().method, false) });
  });

  test('envelopes', () => {
    check({ form: 'kcat', seed: 77 });
  });

  test('bare lines', () => {
    check({ form: 'clicks', seed: 78, shares: { ...ALL_WRONG, future: 0 } });
  });

  test('bare lines where clocks that run ahead make others too late', () => {
    check({ form: 'clicks', seed: 79, shares: { ...ALL_WRONG, future: 0.001 } }, 0);
  });

  test('a log of one partition with other parameters of the method', () => {
    const method = {
      ...loadProfile().method,
      watermarkDelayMs: 10_000,
      allowedLatenessMs: 90_000,
      botThreshold: 5,
      doubleClickMs: 5000,
      clockSkewMs: 1000,
    };
    check({ partitions: 1, method });
  });

  test('a slow log of 64 partitions across midnight', () => {
    check({ partitions: 64, clicksPerSecond: 2, startMs: Date.UTC(2026, 11, 31, 23, 50), dayNight: 0 });
  });

  test('a log that begins with the epoch', () => {
    check({ startMs: 0 });
  });
});
