// Partitions in step: the oldest record first, nobody far ahead, memory bounded while one partition lags.
import { expect, test } from 'vitest';
import type { FetchedBatch } from '../../src/adapters/kafka/fetched-batches.js';
import { Lanes } from '../../src/adapters/kafka/lanes.js';
import { batchesIn } from '../../src/adapters/kafka/record-batch.js';
import { encodedBatch } from './encoded-batches.js';

/** A clock that a test sets. */
function newLanes(): { lanes: Lanes; paused: Set<number>; pass(ms: number): void } {
  const paused = new Set<number>();
  let nowMs = 0;
  const fetching = {
    pause: (partition: number) => void paused.add(partition),
    resume: (partition: number) => void paused.delete(partition),
  };
  return {
    lanes: new Lanes(fetching, () => nowMs),
    paused,
    pass(ms) {
      nowMs += ms;
    },
  };
}

/** A batch of `count` records from `offset` on, a second apart, each with so many bytes. */
async function batch(offset: number, count: number, bytes = 10): Promise<FetchedBatch[]> {
  const records = Array.from({ length: count }, (_, i) => ({
    offset: offset + i,
    timeMs: (offset + i) * 1000,
    key: null,
    value: Buffer.alloc(bytes, 'x'),
  }));
  return batchesIn(await encodedBatch(records)).map((each) => ({ ...each, visible: true }));
}

test('the oldest batch comes first, and none before the others are known', async () => {
  const { lanes } = newLanes();
  lanes.add({ partition: 0, next: 0, end: 100, stopAt: Infinity });
  lanes.add({ partition: 1, next: 0, end: 100, stopAt: Infinity });
  lanes.push(0, await batch(20, 10), 30, 100);
  expect(lanes.take()).toBeUndefined();
  lanes.push(1, await batch(10, 10), 20, 100);
  expect(lanes.take()?.partition[0]).toBe(1);
  expect(lanes.take()).toBeUndefined();
  lanes.push(1, await batch(90, 10), 100, 100);
  expect(lanes.take()?.partition[0]).toBe(0);
});

test('a partition at its end holds up nobody', async () => {
  const { lanes } = newLanes();
  lanes.add({ partition: 0, next: 5, end: 5, stopAt: Infinity });
  lanes.add({ partition: 1, next: 0, end: 100, stopAt: Infinity });
  lanes.push(1, await batch(0, 10), 10, 100);
  expect(lanes.take()?.count).toBe(10);
});

test('a partition from which nothing comes holds up the others for a while only', async () => {
  const { lanes, pass } = newLanes();
  lanes.add({ partition: 0, next: 0, end: 10, stopAt: Infinity });
  lanes.add({ partition: 1, next: 0, end: 100, stopAt: Infinity });
  lanes.push(1, await batch(0, 10), 10, 100);
  expect(lanes.take()).toBeUndefined();
  pass(11_000);
  expect(lanes.stalled()).toEqual([0]);
  expect(lanes.take()?.count).toBe(10);
});

test('what is ahead is paused while another lags, and goes on when it was read', async () => {
  const { lanes, paused } = newLanes();
  lanes.add({ partition: 0, next: 0, end: 1000, stopAt: Infinity });
  lanes.add({ partition: 1, next: 0, end: 1000, stopAt: Infinity });
  let offset = 0;
  while (!paused.has(0)) {
    lanes.push(0, await batch(offset, 10, 100_000), offset + 10, 1000);
    offset += 10;
    expect(offset).toBeLessThan(100);
  }
  expect(lanes.full).toBe(false);
  lanes.push(1, await batch(0, 1000), 1000, 1000);
  expect(lanes.take()?.partition[0]).toBe(0);
  while (paused.has(0)) expect(lanes.take()).toBeDefined();
});

test('fetching waits when all have something and it is too much', async () => {
  const { lanes, paused } = newLanes();
  for (const partition of [0, 1]) lanes.add({ partition, next: 0, end: 1000, stopAt: Infinity });
  let offset = 0;
  while (!lanes.full) {
    for (const partition of [0, 1])
      lanes.push(partition, await batch(offset, 10, 100_000), offset + 10, 1000);
    offset += 10;
    expect(offset).toBeLessThan(200);
  }
  expect(paused.size).toBe(0);
  while (lanes.full) expect(lanes.take()).toBeDefined();
});

test('reading stops at the asked offset, whatever else was fetched', async () => {
  const { lanes, paused } = newLanes();
  lanes.add({ partition: 0, next: 0, end: 5, stopAt: 5 });
  lanes.push(0, await batch(0, 10), 10, 20);
  expect(lanes.done).toBe(false);
  expect(lanes.take()?.count).toBe(5);
  expect(lanes.done).toBe(true);
  expect(paused.has(0)).toBe(true);
});
