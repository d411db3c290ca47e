// The lake for readers: which files it consists of, how far it has come, and the words that name it in SQL. A
// reader asks the manifest and not the folders, so it sees whole commits only, also while a writer works.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Positions } from '../core/ports.js';
import { LAKE_COLUMNS } from './columns.js';
import { sqlText } from './duckdb.js';
import { requireLake } from './lake-writer.js';
import { stagedPath } from './layout.js';
import { type LakeFile, type LakeLog, type LakeState, readState } from './manifest.js';
import { type Lease, leaseLake } from './reader-leases.js';

export type { LakeFile, LakeLog } from './manifest.js';

/** Event time `[fromMs, toMs)`; undefined: open on that side. */
export interface LakePeriod {
  fromMs: number | undefined;
  toMs: number | undefined;
}

/** A file as its place and name tell it, in the words of the batch recomputation. */
export interface RecordedLakeFile {
  /** Where it can be opened. */
  path: string;
  /** Start of the hour of its folder, epoch ms. */
  hourMs: number;
  partition: number;
  firstOffset: number;
  lastOffset: number;
}

export interface LakeReader {
  /** Number of the commit that this reader sees. */
  readonly commit: number;
  /** Next offset by partition: every record below is in the lake. */
  readonly positions: Positions;
  /** What was copied; undefined in a lake without a commit. */
  readonly log: LakeLog | undefined;
  readonly files: readonly LakeFile[];
  /** The same files, for the batch recomputation. */
  readonly recorded: readonly RecordedLakeFile[];
  /** Absolute paths, of all files or of those that may hold sound records of the period. */
  paths(period?: LakePeriod): string[];
  /** What stands behind FROM in DuckDB's SQL: all columns of LAKE_COLUMNS, all records of `paths(period)`. */
  relation(period?: LakePeriod): string;
  /** Must be called: until then compaction waits. */
  release(): void;
}

/**
 * Opens the lake as it is now; its files stay until `release`. `required`: UserError where there is no lake;
 * else an empty one is given.
 */
export async function openLake(lakeDir: string, { required = true } = {}): Promise<LakeReader> {
  const lease: Lease = existsSync(lakeDir) ? await leaseLake(lakeDir) : { release: () => {} };
  try {
    const state = await readState(lakeDir);
    if (required) requireLake(state, lakeDir);
    const files = [...state.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    const places = await locate(lakeDir, state, files);
    const paths = (period?: LakePeriod): string[] =>
      files.filter((file) => !period || overlaps(file, period)).map((file) => places.get(file.path)!);
    return {
      commit: state.commit,
      positions: positionsOf(state),
      log: state.log,
      files,
      recorded: files.map(({ path, hour, partition, firstOffset, lastOffset }) => ({
        path: places.get(path)!,
        hourMs: hour * 3_600_000,
        ...{ partition, firstOffset, lastOffset },
      })),
      paths,
      relation: (period) => relationOf(paths(period)),
      release: () => lease.release(),
    };
  } catch (error) {
    lease.release();
    throw error;
  }
}

/** Next offset by partition; empty where there is no lake. */
export async function lakePositions(lakeDir: string): Promise<Positions> {
  return positionsOf(await readState(lakeDir));
}

/** The lake's files by the manifest; none where there is no lake. To read them, `openLake` holds them fast. */
export async function lakeFiles(lakeDir: string): Promise<LakeFile[]> {
  return [...(await readState(lakeDir)).files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What the lake is a copy of; undefined where there is no lake. */
export async function lakeLog(lakeDir: string): Promise<LakeLog | undefined> {
  return (await readState(lakeDir)).log;
}

function positionsOf(state: LakeState): Positions {
  return new Map([...state.partitions.values()].map(({ partition, position }) => [partition, position]));
}

function overlaps(file: LakeFile, { fromMs = -Infinity, toMs = Infinity }: LakePeriod): boolean {
  return (
    file.minEventTimeMs !== null &&
    file.maxEventTimeMs !== null &&
    file.maxEventTimeMs >= fromMs &&
    file.minEventTimeMs < toMs
  );
}

function relationOf(paths: readonly string[]): string {
  if (paths.length === 0) {
    const columns = LAKE_COLUMNS.map(({ name, type }) => `NULL::${type} AS "${name}"`).join(', ');
    return `(SELECT ${columns} WHERE false)`;
  }
  return `read_parquet([${paths.map(sqlText).join(', ')}], hive_partitioning = false)`;
}

/** A commit's files come into place right after it; where the writer died in between, they are still in staging. */
const PLACING_MS_MAX = 3_000;
const PLACING_POLL_MS = 20;

async function locate(
  lakeDir: string,
  { last }: LakeState,
  files: readonly LakeFile[],
): Promise<Map<string, string>> {
  const places = new Map(files.map(({ path }) => [path, join(lakeDir, path)]));
  for (const { path } of last?.add ?? []) {
    const staged = stagedPath(lakeDir, last!.commit, path);
    for (let waitedMs = 0; !existsSync(join(lakeDir, path)) && waitedMs < PLACING_MS_MAX; ) {
      await sleep(PLACING_POLL_MS);
      waitedMs += PLACING_POLL_MS;
    }
    if (!existsSync(join(lakeDir, path)) && existsSync(staged)) places.set(path, staged);
  }
  return places;
}
