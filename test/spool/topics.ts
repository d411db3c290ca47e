// What a topic holds of clicks that were numbered by a test, and how often each.
import { expect } from 'vitest';
import { murmur2, partitionOf } from '../../src/core/murmur2.js';
import { readWhole } from '../../src/torture/topic-census.js';

/** How often each click_id is in the topic; fails where one lies in another partition than its key's. */
export async function clicksIn(
  brokers: string,
  topic: string,
  partitions: number,
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const seen = new Set<string>();
  await readWhole(brokers, topic, (partition, { offset, key, value }) => {
    // kafkajs may hand a batch over twice.
    if (seen.has(`${partition}:${offset}`)) return;
    seen.add(`${partition}:${offset}`);
    expect(partition).toBe(partitionOf(murmur2(key!, 0, key!.length), partitions));
    const { click_id: id } = JSON.parse(String(value)) as { click_id: string };
    times.set(id, (times.get(id) ?? 0) + 1);
  });
  return times;
}

/** Fails unless each of these is in the topic once, and nothing is there twice. */
export function expectOnce(times: ReadonlyMap<string, number>, acknowledged: Iterable<string>): void {
  const missing = [...acknowledged].filter((id) => !times.has(id));
  const doubled = [...times].filter(([, count]) => count > 1).map(([id]) => id);
  expect({ missing: missing.slice(0, 10), doubled: doubled.slice(0, 10) }).toEqual({
    missing: [],
    doubled: [],
  });
}
