// Two parts of a log read as one: everything comes, in each part's order, and neither waits for ever for the other.
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RawBatch } from '../../src/core/batches.js';
import { inStep } from '../../src/engine/in-step.js';

/** A batch of one record, known by its offset. */
function batchAt(appendTimeMs: number, offset: number, count = 1): RawBatch {
  return {
    ...{ count, bytes: new Uint8Array(), valueStart: Int32Array.of(0), valueEnd: Int32Array.of(0) },
    ...{ partition: Int32Array.of(0), offset: Float64Array.of(offset) },
    appendTimeMs: Float64Array.of(appendTimeMs),
  };
}

async function* reading(batches: readonly RawBatch[], delayMs = 0): AsyncGenerator<RawBatch> {
  for (const batch of batches) {
    if (delayMs > 0) await sleep(delayMs);
    yield batch;
  }
}

async function offsetsOf(batches: AsyncIterable<RawBatch>): Promise<number[]> {
  const offsets: number[] = [];
  for await (const { offset } of batches) offsets.push(offset[0]!);
  return offsets;
}

test('two parts in order become one in order, whatever empty batches lie between', async () => {
  const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(times, times, fc.array(fc.nat(19), { maxLength: 3 }), async (some, others, empty) => {
      const part = (of: readonly number[], base: number): RawBatch[] => {
        const batches = of.toSorted((a, b) => a - b).map((timeMs, i) => batchAt(timeMs, base + i));
        for (const at of empty) batches.splice(at, 0, batchAt(0, -1, 0));
        return batches;
      };
      const [old, young] = [part(some, 0), part(others, 100)];
      const expected = [...old, ...young]
        .filter(({ count }) => count > 0)
        .map(({ appendTimeMs, offset }) => ({ at: appendTimeMs[0]!, offset: offset[0]! }))
        // Of the same time, the log's come first.
        .sort(
          (a, b) => a.at - b.at || Number(b.offset >= 100) - Number(a.offset >= 100) || a.offset - b.offset,
        );
      expect(await offsetsOf(inStep(reading(old), reading(young)))).toEqual(
        expected.map(({ offset }) => offset),
      );
    }),
  );
});

test('a part that has nothing yet is waited for once, not for every batch of the other', async () => {
  const old = Array.from({ length: 200 }, (_, i) => batchAt(i, i));
  const startedMs = performance.now();
  const offsets = await offsetsOf(inStep(reading(old), reading([batchAt(5, 1000)], 1500)));
  // All that the other has meanwhile, and it afterwards; 200 waits would take minutes.
  expect(offsets).toHaveLength(201);
  expect(offsets.at(-1)).toBe(1000);
  expect(performance.now() - startedMs).toBeLessThan(60_000);
});

test('a part that fails while nobody waits for it fails the reading when its turn comes', async () => {
  async function* failing(): AsyncGenerator<RawBatch> {
    await sleep(1100);
    yield* [];
    throw new Error('the broker refuses');
  }
  const old = reading([batchAt(1, 1), batchAt(2, 2), batchAt(3, 3)], 200);
  const seen: number[] = [];
  const all = async (): Promise<void> => {
    for await (const { offset } of inStep(old, failing())) seen.push(offset[0]!);
  };
  await expect(all()).rejects.toThrow('the broker refuses');
  expect(seen.length).toBeGreaterThan(0);
});
