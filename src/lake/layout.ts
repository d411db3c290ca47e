// Where things are in a lake folder. Names that begin with `_` are passed over by Spark, Trino and pyarrow, and
// never match `dt=*/hour=*/*.parquet`, so a reader that only globs sees finished files and nothing else.
import { join } from 'node:path';

const HOUR_MS = 3_600_000;

/** Manifest entries, one a commit. */
export const commitsDir = (lakeDir: string): string => join(lakeDir, '_commits');
/** Files being written; whatever is in it at a start belongs to no commit, or to one that is to be finished. */
export const stagingDir = (lakeDir: string): string => join(lakeDir, '_staging');
/** Who reads right now: compaction waits for them. */
export const readersDir = (lakeDir: string): string => join(lakeDir, '_readers');
export const writerLockPath = (lakeDir: string): string => join(lakeDir, '_writer.lock');
/** There while a reader waits for what the writer has read but not written. */
export const flushAskedPath = (lakeDir: string): string => join(lakeDir, '_flush-asked');

/** `dt=2026-02-22/hour=10` for hours since 1970. */
export function hourFolder(hour: number): string {
  const iso = new Date(hour * HOUR_MS).toISOString();
  return `dt=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}`;
}

export interface FileIdentity {
  hour: number;
  partition: number;
  firstOffset: number;
  lastOffset: number;
  commit: number;
}

/**
 * Path of a file inside the lake, with `/` on every system: hour folder, partition, first and last offset, and
 * the commit that wrote it, so that a compacted file is never written over one of those it is made of.
 */
export function filePath({ hour, partition, firstOffset, lastOffset, commit }: FileIdentity): string {
  const p = String(partition).padStart(5, '0');
  const first = String(firstOffset).padStart(15, '0');
  const last = String(lastOffset).padStart(15, '0');
  return `${hourFolder(hour)}/p${p}-o${first}-${last}-c${commitName(commit)}.parquet`;
}

/** What a path inside the lake says, or undefined if it is none of `filePath`'s. */
export function parseFilePath(path: string): FileIdentity | undefined {
  const match =
    /^dt=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\/p(\d{5})-o(\d{15,16})-(\d{15,16})-c(\d{12})\.parquet$/.exec(path);
  if (!match) return undefined;
  const [, day, hour, partition, first, last, commit] = match;
  return {
    hour: Date.parse(`${day}T${hour}:00:00Z`) / HOUR_MS,
    partition: Number(partition),
    firstOffset: Number(first),
    lastOffset: Number(last),
    commit: Number(commit),
  };
}

/** `000000000123` */
export function commitName(commit: number): string {
  return String(commit).padStart(12, '0');
}

/** Where a file waits between being written and its commit. */
export function stagedPath(lakeDir: string, commit: number, path: string): string {
  return join(stagingDir(lakeDir), commitName(commit), path.replaceAll('/', '__'));
}
