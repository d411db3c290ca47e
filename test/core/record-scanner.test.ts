// Records are scanned many at a time, as many as fit: where one lot ends and the next begins must make no difference to
// any record.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DecodedBatch } from '../../src/core/decoded-batch.js';
import { createDecoder } from '../../src/core/decoder.js';
import { DEFAULT_METHOD, RECORD_BYTES_MAX } from '../../src/core/method.js';
import { assertProperty } from './property-options.js';
import { rawBatchOf } from './raw-batch.js';

/** As much text as is scanned at once, and more records than are. */
const LOT_BYTES = 262_144;
const MANY = 5000;

const decoder = createDecoder({ method: DEFAULT_METHOD, partitions: 3 });

/** A click with a field that nobody knows, of so many bytes in all, if that many are enough. */
function padded(bytes: number, n: number): Uint8Array {
  const click = {
    ...{
      click_id: `c-${n}`,
      event_time: '2026-02-22T10:00:00Z',
      ad_id: `ad-${n % 9}`,
      campaign_id: 'camp-1',
    },
    ...{ user_id: `u-${n}`, ip_address: '192.0.2.1', country: 'DE', device_type: 'mobile' },
  };
  const room = bytes - JSON.stringify({ ...click, more: '' }).length;
  return Buffer.from(JSON.stringify({ ...click, more: 'x'.repeat(Math.max(0, room)) }));
}

function whatIsSaid(batch: DecodedBatch, i: number): string {
  const text = (start: number, length: number): string =>
    Buffer.from(batch.bytes.subarray(start, start + length)).toString('latin1');
  const { reason, eventTimeMs, idWords, pairHash, ip, country, device } = batch;
  return JSON.stringify([
    ...[reason[i], eventTimeMs[i], country[i], device[i], batch.valueBytes[i], batch.markLength[i]],
    text(batch.adStart[i]!, batch.adLength[i]!),
    ...[idWords, pairHash, ip].map((words) => [...words.subarray(4 * i, 4 * i + 4)]),
  ]);
}

function expectAsAlone(values: readonly Uint8Array[]): void {
  const records = values.map((value, offset) => ({ partition: 0, offset, value, appendTimeMs: undefined }));
  const together = decoder.decode(rawBatchOf(records));
  const said = values.map((_, i) =>
    together.reason[i] === 0 ? whatIsSaid(together, i) : together.reason[i],
  );
  const alone = records.map((record) => {
    const batch = decoder.decode(rawBatchOf([record]));
    return batch.reason[0] === 0 ? whatIsSaid(batch, 0) : batch.reason[0];
  });
  expect(said).toEqual(alone);
}

test('more records than are scanned at once', () => {
  expectAsAlone(Array.from({ length: MANY }, (_, n) => (n % 7 === 0 ? Buffer.from('[') : padded(0, n))));
});

test('records around what is scanned at once, and around the longest that may be', () => {
  const size = fc
    .tuple(
      fc.constantFrom(0, 0, 0, 1000, LOT_BYTES / 2, LOT_BYTES, RECORD_BYTES_MAX),
      fc.integer({ min: -3, max: 3 }),
    )
    .map(([bytes, more]) => bytes + more);
  assertProperty(
    'lots of records',
    100,
    fc.property(fc.array(size, { minLength: 1, maxLength: 12 }), (sizes) => expectAsAlone(sizes.map(padded))),
  );
});
