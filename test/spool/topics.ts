// What a topic holds of clicks that were numbered by a test, and how often each.
import { expect } from 'vitest';
import { openTopicScan } from '../../src/adapters/kafka/topic-scan.js';
import { murmur2, partitionOf } from '../../src/core/murmur2.js';
import { connectionTo } from '../kafka/clusters.js';

/** How often each click_id is in the topic; fails where one lies in another partition than its key's. */
export async function clicksIn(brokers: string, topic: string): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const scan = await openTopicScan(connectionTo(brokers), topic);
  try {
    const ends = await scan.ends();
    const ranges = [...ends].map(([partition, { low, high }]) => {
      return [partition, [{ from: low, to: high }]] as const;
    });
    await scan.read(new Map(ranges), (partition, { key, value }) => {
      expect(partition).toBe(partitionOf(murmur2(key!, 0, key!.length), ends.size));
      const { click_id: id } = JSON.parse(String(value)) as { click_id: string };
      times.set(id, (times.get(id) ?? 0) + 1);
    });
    return times;
  } finally {
    await scan.close();
  }
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
