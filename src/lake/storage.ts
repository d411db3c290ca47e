// Where a lake's bytes live: in a folder, or below a prefix of an S3 bucket. What writer, readers and checker ask
// of that place is this interface; how a commit becomes visible at one instant, how files come into place after
// it, and how they stay while somebody reads them, is the business of each.
import type { LakeCommit, LakeFile, LakeState } from './manifest.js';

/** A lake below a prefix of a bucket. Plain values: it crosses to a thread. */
export interface S3Place {
  bucket: string;
  /** Without slashes at its ends; empty: the whole bucket. */
  prefix: string;
  /** URL of the service; undefined: Amazon's, of the region. */
  endpoint: string | undefined;
  region: string | undefined;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  pathStyle: boolean;
  /** Local folder for files on their way up, and for those that were fetched to be read. */
  cacheDir: string;
}

/** A folder's path, or a place on S3. */
export type LakePlace = string | S3Place;

/** Where a reader finds a file. */
export interface FilePlace {
  /** Local path; on S3 the file is there once it was fetched. */
  path: string;
  /** As another program would name it: a path or an `s3://` URL. */
  address: string;
}

/** While it is held, every file of the lake as it was opened can be read. */
export interface LakeLease {
  /** Where each of the files is, by its path inside the lake. */
  locate(state: LakeState, files: readonly LakeFile[]): Promise<Map<string, FilePlace>>;
  /** Makes the local paths of the files readable; `fresh`: not from a cache. UserError: one is missing or was changed. */
  fetch(files: readonly LakeFile[], how?: { fresh: boolean }): Promise<void>;
  release(): void;
}

/** Who writes a lake: its pid, nobody, or one that can't be seen from here. */
export type LakeWriterSign = { pid: number } | 'nobody' | 'unseen';

/** For readers. System errors come as they are; errors of S3 are UserErrors. */
export interface LakeStorage {
  /** As people know it: the folder's path, or `s3://bucket/prefix`. */
  readonly name: string;
  /** Names of the manifest's entries in no order; none where there is no lake. */
  manifestNames(): Promise<string[]>;
  /** Text of an entry; undefined when it isn't there (any more). */
  readManifest(name: string): Promise<string | undefined>;
  lease(): Promise<LakeLease>;
  /** Parquet files in the hour folders, as paths inside the lake: what a reader finds who doesn't know the manifest. */
  parquetFiles(): Promise<string[]>;
  writer(): LakeWriterSign;
  /** Asks the writer, if one lives, to write at once what it has read. */
  askFlush(): Promise<void>;
  /** Whether a writer has heard what was asked. */
  flushHeard(): Promise<boolean>;
  /** Becomes the lake's writer. UserError: another process is. */
  beginWriting(): Promise<LakeWriting>;
}

/** For the one process that writes. */
export interface LakeWriting {
  /** Local folder for what DuckDB spills. */
  readonly spillDir: string;
  /** Where to make a file of a commit: a local path in a folder that is there after `prepare`. */
  stagedPath(commit: number, path: string): string;
  prepare(commit: number): Promise<void>;
  /** Makes a finished file durable where the next start would find it. Until the commit names it, it is nothing. */
  stage(commit: number, file: LakeFile): Promise<void>;
  /** All files of the commit are staged. */
  settle(commit: number): Promise<void>;
  /** Writes an entry so that it appears whole and durable. False: another process wrote one of that name. */
  writeEntry(name: string, text: string): Promise<boolean>;
  removeEntry(name: string): Promise<void>;
  /** After the commit: its files come to their places, and files that it replaced go. May be done again. */
  place(commit: LakeCommit): Promise<void>;
  /** At the start: throws away what was made for commits up to this one, which is finished, and for none. */
  clear(commit: number): Promise<void>;
  /** Whether a start must be a commit, so that a writer before this one, if it lives, can't make one any more. */
  readonly fencesByCommit: boolean;
  /** Local paths of files that are in place, readable. */
  fetch(files: readonly LakeFile[]): Promise<string[]>;
  /** Runs `swap`, which replaces files; false if it must wait because somebody reads them. */
  swapWhenUnread(swap: () => Promise<void>): Promise<boolean>;
  /** Whether a reader asks for what was read so far; asked again and again, it tells once. */
  flushAsked(): Promise<boolean>;
  /** Only after a clean end: after an error, what is staged may belong to a commit that did happen. */
  tidy(): Promise<void>;
  release(): void;
}

/** The storage of a place. It opens no connection before it is asked something. */
export async function openStorage(place: LakePlace): Promise<LakeStorage> {
  const { folderStorage } = await import('./folder-storage.js');
  if (typeof place === 'string') return folderStorage(place);
  const { s3Storage } = await import('./s3-storage.js');
  return s3Storage(place);
}

/** As people know it. */
export function placeName(place: LakePlace): string {
  if (typeof place === 'string') return place;
  return `s3://${place.bucket}${place.prefix === '' ? '' : `/${place.prefix}`}`;
}
