// The lake's own DuckDB: in memory, bounded, spilling into a folder of the writer. It keeps nothing: what
// is worth keeping is in the files and the manifest.
import { mkdir } from 'node:fs/promises';
import { type DuckDBConnection, DuckDBInstance } from '../adapters/duckdb/node-api.js';
import { codeOf, ioError } from '../adapters/embedded/layout.js';
import { UserError } from '../errors.js';
import { LAKE_COLUMN_LIST } from './columns.js';

export interface LakeDatabase {
  connect(): Promise<DuckDBConnection>;
  close(): void;
}

export const MEMORY_LIMIT_BYTES = 1_000_000_000;

/** A DuckDB in memory for decoding and sorting; what exceeds `memoryLimitBytes` spills into the folder, which is made. */
export async function openLakeDatabase(spillDir: string, memoryLimitBytes: number): Promise<LakeDatabase> {
  await mkdir(spillDir, { recursive: true });
  const instance = await DuckDBInstance.create(':memory:', {
    // Each connection's own thread does its work: several statements run side by side, and DuckDB's workers,
    // which wait for each other in busy loops, would only be in the way.
    threads: '1',
    memory_limit: `${Math.ceil(memoryLimitBytes / 1_000_000)}MB`,
    temp_directory: spillDir,
    // Rows stay in memory for seconds only: packing them costs more time than it is worth.
    force_compression: 'uncompressed',
    // The lake needs no extension beyond those that are built in, and must not go looking for one.
    autoinstall_known_extensions: 'false',
  });
  return { connect: () => instance.connect(), close: () => instance.closeSync() };
}

/** Text as a literal of SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** What stands behind FROM for the records of these lake files, of which there must be one at least. */
export function recordsIn(paths: readonly string[]): string {
  return `read_parquet([${paths.map(sqlText).join(', ')}], hive_partitioning = false)`;
}

/**
 * Rows a row group: readers hold a few of them in memory, and the metadata of smaller ones would add up. Files
 * are of format version 1, zstd, because parquetjs-lite reads no later version and none of its encodings.
 */
const ROW_GROUP_ROWS = 250_000;
/** Clicks are mostly random ids: of zstd's levels this one takes a quarter less time than 3, and no more bytes. */
const ZSTD_LEVEL = 1;

/** Writes `from` (everything behind FROM, with all of the lake's columns) as one lake file. Returns its rows. */
export async function copyToParquet(
  connection: DuckDBConnection,
  { from, path }: { from: string; path: string },
): Promise<number> {
  const result = await connection.runAndReadAll(
    `COPY (SELECT ${LAKE_COLUMN_LIST} FROM ${from}) TO ${sqlText(path)}
     (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${ZSTD_LEVEL}, PARQUET_VERSION v1,
      ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`,
  );
  return Number(result.getRows()[0]?.[0] ?? 0);
}

/** Turns what the disk or DuckDB's limits did into one clear line; anything else comes back as it is. */
export function lakeError(error: unknown, lake: string): unknown {
  if (codeOf(error) !== undefined) return ioError(error, lake, 'write');
  if (!(error instanceof Error) || error instanceof UserError) return error;
  if (/No space left on device|ENOSPC/i.test(error.message)) {
    return ioError(Object.assign(new Error(error.message), { code: 'ENOSPC' }), lake, 'write');
  }
  if (error.message.startsWith('Out of Memory Error')) {
    return new UserError(`the lake writer ran out of the memory it may use: ${firstLine(error.message)}`, {
      hint: 'Give it more with --memory-limit, or flush smaller portions with --flush-records.',
      cause: error,
    });
  }
  if (error.message.startsWith('IO Error')) {
    return new UserError(`the lake ${lake}: ${firstLine(error.message)}`, {
      hint: 'Check the disk and the permissions; what was committed stays valid.',
      cause: error,
    });
  }
  return error;
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!;
