// What a run keeps of the records it has just judged, for the dead letters that come of them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RawBatch } from '../../src/core/batches.js';
import type { DecodedBatch } from '../../src/core/decoded-batch.js';
import { createDecoder } from '../../src/core/decoder.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { KeptOriginals } from '../../src/engine/kept-originals.js';
import { RecentBatches } from '../../src/engine/recent-batches.js';
import { assertProperty } from '../core/property-options.js';
import { rawBatchOf } from '../core/raw-batch.js';

const decoder = createDecoder({ method: DEFAULT_METHOD, partitions: 3 });
const textOf = (partition: number, offset: number): string => `value of ${partition}:${offset}`;

function batchOf(partition: number, offsets: readonly number[]): DecodedBatch {
  const records = offsets.map((offset) => ({
    partition,
    offset,
    value: Buffer.from(textOf(partition, offset)),
  }));
  return decoder.decode(rawBatchOf(records));
}

/** The same record with a key, which lies behind everything else. */
function withKey(raw: RawBatch, key: Uint8Array | undefined): RawBatch {
  if (!key) return raw;
  const keyStart = Int32Array.of(raw.bytes.length);
  return {
    ...raw,
    ...{ bytes: Buffer.concat([raw.bytes, key]), keyStart, keyEnd: keyStart.map((at) => at + key.length) },
  };
}

/** Batches of three partitions, with gaps between their offsets. */
const plan = fc.array(
  fc.record({
    partition: fc.nat(2),
    steps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 9 }),
  }),
  { minLength: 1, maxLength: 30 },
);

test('what was read lately is found by its place, to the byte; what was let go or never there is not', () => {
  assertProperty(
    'recent batches',
    100,
    fc.property(plan, fc.nat(20_000), (batches, bytesMax) => {
      const recent = new RecentBatches(bytesMax);
      const next = [0, 0, 0];
      const held: { partition: number; offset: number; buffer: ArrayBuffer }[] = [];
      for (const { partition, steps } of batches) {
        const offsets = steps.map((step) => (next[partition]! += step));
        const batch = batchOf(partition, offsets);
        recent.add(batch);
        held.push(...offsets.map((offset) => ({ partition, offset, buffer: batch.buffer })));
        const gone = new Set(recent.shed());
        while (held.length > 0 && gone.has(held[0]!.buffer)) held.shift();
        expect(held.some(({ buffer }) => gone.has(buffer))).toBe(false);
        const bytes = [...new Set(held.map(({ buffer }) => buffer))].reduce(
          (sum, one) => sum + one.byteLength,
          0,
        );
        expect(bytes).toBeLessThanOrEqual(bytesMax);
      }
      for (let partition = 0; partition < 3; partition++) {
        for (let offset = 0; offset <= next[partition]! + 1; offset++) {
          const isHeld = held.some((one) => one.partition === partition && one.offset === offset);
          const record = recent.find(partition, offset);
          expect(record !== undefined).toBe(isHeld);
          if (!record) continue;
          const originals = new KeptOriginals(1e6);
          originals.keep(record);
          const { key, value } = originals.find(partition, offset)!;
          expect([key, Buffer.from(value).toString()]).toEqual([undefined, textOf(partition, offset)]);
        }
      }
    }),
  );
});

test('originals are kept within their bytes, the newest of them surely', () => {
  const bytesMax = 10_000;
  const originals = new KeptOriginals(bytesMax);
  for (let offset = 0; offset < 1000; offset++) {
    originals.keep({ batch: batchOf(1, [offset]), index: 0 });
    expect(originals.find(1, offset)).toBeDefined();
  }
  const kept = Array.from({ length: 1000 }, (_, offset) => originals.find(1, offset)).filter((one) => one);
  const bytes = kept.reduce((sum, one) => sum + one!.value.length, 0);
  expect(kept.length).toBeGreaterThan(10);
  expect(bytes).toBeLessThan(bytesMax);
  expect(originals.find(0, 999)).toBeUndefined();
});

test('originals of any length are found as they came, also after others were forgotten', () => {
  const record = fc.record({
    key: fc.option(fc.uint8Array({ maxLength: 30 }), { nil: undefined }),
    value: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 900, maxLength: 3000 })),
  });
  assertProperty(
    'kept originals',
    100,
    fc.property(
      fc.array(record, { maxLength: 60 }),
      fc.integer({ min: 200, max: 40_000 }),
      (records, bytesMax) => {
        const originals = new KeptOriginals(bytesMax);
        const taken: { key: string | undefined; value: string }[] = [];
        const found: ReturnType<KeptOriginals['find']>[] = [];
        const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
        for (const [offset, { key, value }] of records.entries()) {
          const batch = decoder.decode(withKey(rawBatchOf([{ partition: 2, offset, value }]), key));
          originals.keep({ batch, index: 0 });
          taken.push({ key: key && hex(key), value: hex(value) });
          found.push(originals.find(2, offset));
        }
        // What was found stays as it was, whatever came later; what is still there is the same.
        for (const [offset, expected] of taken.entries()) {
          for (const one of [found[offset]!, originals.find(2, offset)]) {
            if (one) expect({ key: one.key && hex(one.key), value: hex(one.value) }).toEqual(expected);
          }
        }
      },
    ),
  );
});
