// The lake for readers: which files it consists of, how far it has come, and the words that name it in SQL. A
// reader asks the manifest and not the folders, so it sees whole commits only, also while a writer works.
import type { Positions } from '../core/ports/log.js';
import { LAKE_COLUMNS } from './columns.js';
import { recordsIn } from './duckdb.js';
import { type LakeFile, type LakeLog, type LakeState, readState, requireLake } from './manifest.js';
import { type LakePlace, openStorage } from './storage.js';

export type { LakeFile, LakeLog } from './manifest.js';
export type { LakePlace } from './storage.js';

/** Event time `[fromMs, toMs)`; undefined: open on that side. */
export interface LakePeriod {
  fromMs: number | undefined;
  toMs: number | undefined;
}

/** A file as its place and name tell it, in the words of the batch recomputation. */
export interface RecordedLakeFile {
  /** Where it can be opened, once it was fetched. */
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
  /** As another program would name each of `files`. */
  readonly addresses: readonly string[];
  /**
   * Makes files readable at their paths, as those of a folder always are; `paths`: of the local ones only these.
   * `fresh`: not from what was fetched before. UserError: one is missing or was changed.
   */
  fetch(paths?: readonly string[], how?: { fresh: boolean }): Promise<void>;
  /** Local paths, of all files or of those that may hold sound records of the period. */
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
export async function openLake(place: LakePlace, { required = true } = {}): Promise<LakeReader> {
  const storage = await openStorage(place);
  const lease = await storage.lease();
  try {
    const state = await readState(storage);
    if (required) requireLake(state, storage.name);
    const files = [...state.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    const places = await lease.locate(state, files);
    const recorded = files.map(({ path, hour, partition, firstOffset, lastOffset }) => ({
      path: places.get(path)!.path,
      hourMs: hour * 3_600_000,
      ...{ partition, firstOffset, lastOffset },
    }));
    const byLocalPath = new Map(files.map((file) => [places.get(file.path)!.path, file]));
    const paths = (period?: LakePeriod): string[] =>
      files.filter((file) => !period || overlaps(file, period)).map((file) => places.get(file.path)!.path);
    return {
      commit: state.commit,
      positions: positionsOf(state),
      log: state.log,
      files,
      recorded,
      addresses: files.map(({ path }) => places.get(path)!.address),
      fetch: (wanted, how) => lease.fetch(wanted ? wanted.map((path) => byLocalPath.get(path)!) : files, how),
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
export async function lakePositions(place: LakePlace): Promise<Positions> {
  return positionsOf(await readState(await openStorage(place)));
}

/** The lake's files by the manifest; none where there is no lake. To read them, `openLake` holds them fast. */
export async function lakeFiles(place: LakePlace): Promise<LakeFile[]> {
  return [...(await readState(await openStorage(place))).files.values()].sort((a, b) =>
    a.path < b.path ? -1 : 1,
  );
}

/** What the lake is a copy of; undefined where there is no lake. */
export async function lakeLog(place: LakePlace): Promise<LakeLog | undefined> {
  return (await readState(await openStorage(place))).log;
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
  return recordsIn(paths);
}
