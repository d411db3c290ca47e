// Memory may be rebuilt from the log's beginning only if the beginning is old enough.
import { expect, test } from 'vitest';
import { createDecoder } from '../../src/core/decoder.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { LogStartCheck } from '../../src/engine/log-start-check.js';
import { rawBatchOf } from '../core/raw-batch.js';

const NOON = Date.parse('2026-02-22T12:00:00Z');
const HOUR = 3_600_000;
const decoder = createDecoder({ method: DEFAULT_METHOD, partitions: 2 });

function checked(...records: { partition: number; offset: number; appendTimeMs?: number }[]): void {
  const value = Buffer.from('{}');
  const click = { partition: 0, offset: 99, eventTimeMs: NOON };
  const batch = decoder.decode(rawBatchOf(records.map((record) => ({ ...record, value }))));
  new LogStartCheck([click, { ...click, eventTimeMs: NOON + HOUR }], DEFAULT_METHOD).check(batch);
}

test('a log that still has its first records, or had older ones only, will do', () => {
  checked({ partition: 0, offset: 0, appendTimeMs: NOON }, { partition: 1, offset: 0, appendTimeMs: NOON });
  checked({ partition: 0, offset: 7, appendTimeMs: NOON - HOUR });
  // Later records say nothing.
  checked(
    { partition: 1, offset: 7, appendTimeMs: NOON - HOUR },
    { partition: 1, offset: 8, appendTimeMs: NOON },
  );
  // Nor does a log without append times.
  checked({ partition: 0, offset: 7 });
});

test('a log that has lost younger ones is refused in a line', () => {
  expect(() =>
    checked(
      { partition: 0, offset: 7, appendTimeMs: NOON - HOUR },
      { partition: 1, offset: 3, appendTimeMs: NOON - 10 * 60_000 },
    ),
  ).toThrow(
    /^a click of 2026-02-22T11:53:00.000Z can't be judged: partition 1 of the log begins at offset 3,/,
  );
});
