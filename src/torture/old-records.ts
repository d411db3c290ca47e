// Retention, in minutes instead of days: what is old in the topic of clicks is deleted, as far as nobody needs it any
// more. It is looked at before, so that in the end all can still be held against it.
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import type { Evidence } from './proof.js';
import { type Census, quietKafka, rangesOf, takeCensus } from './topic-census.js';

/**
 * Deletes the records that a run's memory, the letters under way and the lake need no more. Gives how many. Throws if a
 * server does not answer, or the lake is just being compacted: then some may be deleted.
 */
export async function deleteOldRecords(evidence: Evidence, census: Census): Promise<number> {
  const { brokers, topic } = evidence;
  await takeCensus(brokers, topic, census);
  const inLake = await lakeEnds(evidence.lake);
  const limits = await storeLimits(evidence);
  const old: { partition: number; offset: string }[] = [];
  let records = 0;
  for (const [partition, { low }] of await rangesOf(brokers, topic)) {
    const seen = (census.partitions.get(partition)?.lastOffset ?? -1) + 1;
    const limit = Math.min(seen, limits.get(partition) ?? 0, inLake.get(partition) ?? 0);
    if (limit <= low) continue;
    old.push({ partition, offset: String(limit) });
    records += limit - low;
  }
  if (old.length === 0) return 0;
  const admin = quietKafka(brokers).admin();
  await admin.connect();
  try {
    // Only what this client has looked at can it delete from.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: old });
  } finally {
    await admin.disconnect();
  }
  return records;
}

/** Below these a run starts no reading, and no letter waits whose record would have to be read again. */
async function storeLimits({ store, schema }: Evidence): Promise<Map<number, number>> {
  const client = new pg.Client(store);
  await client.connect();
  try {
    await client.query(`SET search_path = ${schema}`);
    const { rows } = await client.query<{ partition: number; needed: number }>(
      `SELECT partition, min(needed)::float8 AS needed FROM (
         SELECT partition, rewind_offset AS needed FROM positions
         UNION ALL SELECT partition, "offset" FROM dead_letters, letter_stream WHERE arrival > published
         UNION ALL SELECT partition, "offset" FROM withdrawn_letters, letter_stream WHERE arrival > published
       ) AS needs GROUP BY partition`,
    );
    return new Map(rows.map(({ partition, needed }) => [partition, needed]));
  } finally {
    await client.end();
  }
}

async function lakeEnds(lake: string): Promise<Map<number, number>> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT partition, max("offset")::DOUBLE + 1 FROM read_parquet(?, hive_partitioning = false) GROUP BY partition`,
      [join(lake, 'dt=*/hour=*/*.parquet')],
    );
    return new Map(reader.getRows().map(([partition, end]) => [Number(partition), Number(end)]));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
