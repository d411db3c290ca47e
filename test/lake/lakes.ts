// Small lakes for tests: a source of given batches, and all rows of a lake as the manifest or the folders tell.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { RawBatch } from '../../src/core/batches.js';
import type { Source } from '../../src/core/ports/log.js';
import { type LakeResult, type WriteLakeOptions, writeLake } from '../../src/lake/lake-writer.js';
import { openLake } from '../../src/lake/read-lake.js';
import type { LakePlace } from '../../src/lake/storage.js';
import { batchOf } from './decoding.js';

export interface TestRecord {
  partition: number;
  offset: number;
  value: Uint8Array;
  key?: Uint8Array;
  appendTimeMs?: number;
}

/** A source that gives the records (in log order by partition) in batches of `batchRecords`. */
export function sourceOf(records: readonly TestRecord[], batchRecords = 100): Source {
  return {
    partitionCount: 6,
    seekable: true,
    description: 'test',
    async *read({ positions }) {
      const left = records.filter(
        ({ partition, offset }) => offset >= (positions.get(Math.max(partition, 0)) ?? 0),
      );
      for (let at = 0; at < left.length; at += batchRecords)
        yield rawBatch(left.slice(at, at + batchRecords));
    },
    ends: async () => new Map(),
    close: async () => {},
  };
}

function rawBatch(records: readonly TestRecord[]): RawBatch {
  const batch = batchOf(
    records.map(({ value }) => value),
    records.some(({ partition }) => partition >= 0) ? records.map(({ key }) => key) : undefined,
  );
  return {
    ...batch,
    partition: Int32Array.from(records, ({ partition }) => partition),
    offset: Float64Array.from(records, ({ offset }) => offset),
    appendTimeMs: Float64Array.from(records, ({ appendTimeMs = Number.NaN }) => appendTimeMs),
  };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'click-agg-lake-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Writes the records to the end. */
export function write(
  lakeDir: string,
  records: readonly TestRecord[],
  options: Partial<WriteLakeOptions> = {},
): Promise<LakeResult> {
  return writeLake({
    source: sourceOf(records),
    lake: lakeDir,
    untilEnd: true,
    signal: new AbortController().signal,
    memoryLimitBytes: 300_000_000,
    ...options,
  });
}

export type Row = Record<string, string | number | null>;

/** Rows of a table expression in the order of partition and offset; BLOBs as hex. */
export async function rowsFrom(relation: string, columns = '*'): Promise<Row[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT ${columns} FROM (SELECT * REPLACE (lower(hex("key")) AS "key", lower(hex("value")) AS "value")
       FROM ${relation}) ORDER BY partition, "offset"`,
    );
    return reader
      .getRowObjects()
      .map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === 'bigint' ? Number(value) : (value as string | number | null),
          ]),
        ),
      );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** All rows as a reader by the manifest sees them. */
export async function rowsByManifest(place: LakePlace, columns = '*'): Promise<Row[]> {
  const lake = await openLake(place, { required: false });
  try {
    await lake.fetch();
    return await rowsFrom(lake.relation(), columns);
  } finally {
    lake.release();
  }
}

/** All rows as a reader sees them who knows the folders only. */
export async function rowsByGlob(lakeDir: string, columns = '*'): Promise<Row[]> {
  const some = existsSync(lakeDir) && parquetFiles(lakeDir).length > 0;
  const glob = join(lakeDir, 'dt=*', 'hour=*', '*.parquet');
  return some ? rowsFrom(`read_parquet('${glob}', hive_partitioning = false)`, columns) : [];
}

/** Parquet files in the hour folders, as paths inside the lake. */
export function parquetFiles(lakeDir: string): string[] {
  return readdirSync(lakeDir, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.startsWith('dt=') && path.endsWith('.parquet'))
    .sort();
}

/** Numbers in [0, 1) that a seed repeats. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export const CLICK = {
  click_id: 'c-1',
  event_time: '2026-02-22T10:00:00.000Z',
  ad_id: 'ad-1',
  campaign_id: 'camp-1',
  user_id: 'u-1',
  ip_address: '192.0.2.1',
  country: 'DE',
  device_type: 'mobile',
};

/** The value of a click with some fields changed. */
export function clickValue(fields: Readonly<Record<string, unknown>> = {}): Buffer {
  return Buffer.from(JSON.stringify({ ...CLICK, ...fields }));
}
