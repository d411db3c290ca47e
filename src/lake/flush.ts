// Writes what has gathered in a table as lake files into staging, one per hour and partition, each synced and
// with its checksum. Until the manifest names them they are nothing, and a crash leaves nothing to repair.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { DuckDBConnection } from '../adapters/duckdb/node-api.js';
import { murmur2, partitionOf } from '../core/murmur2.js';
import { invariant } from '../errors.js';
import { copyToParquet } from './duckdb.js';
import { decodedRows } from './gathered.js';
import { filePath } from './layout.js';
import type { LakeFile } from './manifest.js';
import type { LakeWriting } from './storage.js';

/** An hour with a smaller share of a flush is made of strays that lie scattered among the other hours' records. */
const STRAYS_SHARE = 0.1;

export interface Flush {
  writing: LakeWriting;
  commit: number;
  table: string;
  /** Each writes a file at a time. */
  connections: readonly DuckDBConnection[];
  nowMs: number;
}

/** Files of all rows of the table, in staging and durable. */
export async function writeFiles(flush: Flush): Promise<LakeFile[]> {
  const { connections, writing, commit } = flush;
  const plans = await planFiles(flush);
  if (plans.length === 0) return [];
  const strays = await gatherStrays(flush, plans);
  await writing.prepare(commit);
  const waiting = plans.toSorted((a, b) => b.records - a.records);
  const files: LakeFile[] = [];
  const outcomes = await Promise.allSettled(
    connections.map(async (connection) => {
      for (let plan = waiting.shift(); plan; plan = waiting.shift()) {
        const path = writing.stagedPath(commit, plan.path);
        const table = strays?.hours.has(plan.hour) ? strays.table : flush.table;
        const from = `${decodedRows(table)} WHERE hour = ${plan.hour} AND partition = ${plan.partition}`;
        const rows = await copyToParquet(connection, { from, path });
        invariant(rows === plan.records, `${plan.path} got ${rows} rows of ${plan.records}`);
        const file = { ...plan, ...(await seal(path)) };
        await writing.stage(commit, file);
        files.push(file);
      }
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
  if (strays) await connections[0]!.run(`DROP TABLE ${strays.table}`);
  await writing.settle(commit);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Puts the records of small hours into a table where each file's rows lie together. Without it, every such file
 * would read the whole table again to find its few rows.
 */
async function gatherStrays(
  { connections, table }: Flush,
  plans: readonly Pick<LakeFile, 'hour' | 'records'>[],
): Promise<{ table: string; hours: Set<number> } | undefined> {
  const byHour = new Map<number, number>();
  let all = 0;
  for (const { hour, records } of plans) {
    byHour.set(hour, (byHour.get(hour) ?? 0) + records);
    all += records;
  }
  const hours = new Set(
    [...byHour].filter(([, records]) => records < STRAYS_SHARE * all).map(([hour]) => hour),
  );
  if (hours.size === 0) return undefined;
  const others = [...byHour.keys()].filter((hour) => !hours.has(hour)).map((hour) => `AND hour <> ${hour}`);
  const strays = `${table}_strays`;
  await connections[0]!.run(
    `CREATE TABLE ${strays} AS FROM ${table} WHERE NOT doubtful ${others.join(' ')} ORDER BY hour, partition`,
  );
  return { table: strays, hours };
}

async function planFiles({
  connections,
  table,
  commit,
  nowMs,
}: Flush): Promise<Omit<LakeFile, 'bytes' | 'sha256'>[]> {
  const result = await connections[0]!.runAndReadAll(
    `SELECT hour, partition, count(*), min("offset"), max("offset"), count(malformed),
       min(event_time) FILTER (WHERE malformed IS NULL), max(event_time) FILTER (WHERE malformed IS NULL)
     FROM ${decodedRows(table)} GROUP BY hour, partition ORDER BY hour, partition`,
  );
  return result.getRows().map((row) => {
    const [hour, partition, records, firstOffset, lastOffset, malformed] = row.slice(0, 6).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      path: filePath({ hour, partition, firstOffset, lastOffset, commit }),
      ...{ partition, hour, firstOffset, lastOffset, records, malformed },
      minEventTimeMs: row[6] === null ? null : Number(row[6]),
      maxEventTimeMs: row[7] === null ? null : Number(row[7]),
      writtenAtMs: nowMs,
    };
  });
}

/** Makes a finished file durable and tells its size and checksum. */
export async function seal(path: string): Promise<{ bytes: number; sha256: string }> {
  const handle = await open(path, 'r+');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(1 << 20);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    await handle.sync();
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

/** Computes the partitions of bare lines again whose ad the intake had not found. */
export async function mendPartitions(
  connection: DuckDBConnection,
  table: string,
  partitions: number,
): Promise<void> {
  const wrong = await connection.runAndReadAll(
    `SELECT DISTINCT ad_id FROM ${decodedRows(table)} WHERE recheck`,
  );
  if (wrong.currentRowCount === 0) return;
  await connection.run('CREATE OR REPLACE TEMP TABLE mended(ad_id VARCHAR, partition INTEGER)');
  const appender = await connection.createAppender('mended', 'main', 'temp');
  for (const [adId] of wrong.getRows() as [string | null][]) {
    const bytes = Buffer.from(adId ?? '');
    if (adId === null) appender.appendNull();
    else appender.appendVarchar(adId);
    appender.appendInteger(adId === null ? 0 : partitionOf(murmur2(bytes, 0, bytes.length), partitions));
    appender.endRow();
  }
  appender.closeSync();
  await connection.run(
    `UPDATE ${table} SET partition = mended.partition FROM mended
     WHERE recheck AND NOT doubtful AND t.ad_id IS NOT DISTINCT FROM mended.ad_id`,
  );
}
