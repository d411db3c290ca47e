// Rows that are written by one request: a partition stays whole, small ones share a request with others of their node.
import { expect, test } from 'vitest';
import { sharedBatches } from '../../../src/adapters/cassandra/totals.js';
import type { PlacedCell } from '../../../src/adapters/journaled/database.js';
import { randomBy } from '../../contract/commits.js';

const SEED = Number(process.env.BATCHES_SEED ?? Date.now() % 1_000_000);

const chunkOf = (adId: string, rows: number): PlacedCell[] =>
  Array.from({ length: rows }, (_, minute) => ({
    ...{ minuteMs: minute * 60_000, adId, campaignId: 'campaign-1', country: 'DE', deviceType: 'mobile' },
    ...{ clicks: 1, bucket: '2026-02-22', shard: 0 },
  }));

test('partitions share requests with others of their node alone, and no more than Cassandra likes', () => {
  const random = randomBy(SEED);
  const chunks = Array.from({ length: 500 }, (_, ad) =>
    chunkOf(`ad-${ad}`, 1 + Math.floor(random() ** 4 * 100)),
  );
  const nodeOf = ({ adId }: PlacedCell): string => `node ${adId.at(-1)}`;
  const batches = sharedBatches(chunks, nodeOf);
  const texts = (some: readonly PlacedCell[][]) =>
    some
      .flat()
      .map((row) => JSON.stringify(row))
      .sort();
  expect(texts(batches), `seed ${SEED}`).toEqual(texts(chunks));
  expect(batches.length).toBeLessThan(chunks.length / 2);
  for (const batch of batches) {
    const ads = new Set(batch.map(({ adId }) => adId));
    expect(ads.size).toBeLessThanOrEqual(10);
    expect(new Set(batch.map(nodeOf)).size).toBe(1);
    for (const adId of ads) {
      const number = Number(adId.slice(3));
      expect(batch.filter((row) => row.adId === adId)).toEqual(chunks[number]);
    }
    // 5 KiB, of which such a row takes 78 bytes and more.
    if (ads.size > 1) expect(batch.length).toBeLessThanOrEqual(65);
  }
});

test('partitions whose node nobody knows are written one by one', () => {
  const chunks = [chunkOf('ad-1', 1), chunkOf('ad-2', 2)];
  expect(sharedBatches(chunks, () => undefined)).toEqual(chunks);
});
