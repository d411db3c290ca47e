// Lake files of S3 on this machine, for DuckDB to read: fetched when they are needed, checked, and kept for the next
// recomputation. A file never changes and is named by its SHA-256, so what is here can't be out of date.
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bucket } from '../adapters/s3/bucket.js';
import { UserError } from '../errors.js';
import { parseFilePath } from './layout.js';
import type { LakeFile } from './manifest.js';
import { type Lease, leaseLake, swapWhenUnread } from './reader-leases.js';
import type { S3Layout } from './s3-layout.js';
import { eachOf } from './work-folder.js';

/** Beyond it, what was not read for longest goes, once nobody reads. One recomputation may need more. */
const CACHE_BYTES_MAX = 20_000_000_000;

export interface CachedLake {
  bucket: Bucket;
  layout: S3Layout;
  name: string;
}

export class FileCache {
  readonly #lake: CachedLake;
  readonly #cacheDir: string;
  readonly #folder: string;
  readonly #bytesMax: number;

  constructor(lake: CachedLake, cacheDir: string, bytesMax = CACHE_BYTES_MAX) {
    this.#lake = lake;
    this.#cacheDir = cacheDir;
    this.#folder = join(cacheDir, 'files');
    this.#bytesMax = bytesMax;
  }

  pathOf({ sha256 }: LakeFile): string {
    return join(this.#folder, `${sha256}.parquet`);
  }

  /** Until it is released, nothing that was fetched goes away. */
  async lease(): Promise<Lease> {
    await mkdir(this.#folder, { recursive: true });
    await swapWhenUnread(this.#cacheDir, () => this.#shrink());
    return leaseLake(this.#cacheDir);
  }

  /** UserError: a file is missing or was changed. */
  async fetch(files: readonly LakeFile[], { fresh } = { fresh: false }): Promise<void> {
    await eachOf(files, async (file) => {
      const path = this.pathOf(file);
      const now = new Date();
      if (!fresh && existsSync(path)) await utimes(path, now, now);
      else await fetchFile(this.#lake, file, path);
    });
  }

  async #shrink(): Promise<void> {
    const kept: { path: string; bytes: number; usedMs: number }[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const { size, mtimeMs } = await stat(path);
      // Whoever fetched it has died: a living reader would have kept this from running.
      if (name.endsWith('.new')) await rm(path, { force: true });
      else kept.push({ path, bytes: size, usedMs: mtimeMs });
    }
    kept.sort((a, b) => b.usedMs - a.usedMs);
    let bytes = 0;
    for (const file of kept) {
      bytes += file.bytes;
      if (bytes > this.#bytesMax) await rm(file.path, { force: true });
    }
  }
}

let downloads = 0;

/** Fetches a file from wherever it is by now and checks it. UserError: it is nowhere, or was changed. */
export async function fetchFile(
  { bucket, layout, name }: CachedLake,
  file: LakeFile,
  path: string,
): Promise<void> {
  const { path: place, sha256 } = file;
  const commit = parseFilePath(place)?.commit;
  const keys = [
    layout.key(place),
    ...(commit === undefined ? [] : [layout.staged(commit, sha256)]),
    // Copied there after the first key was asked for.
    layout.key(place),
    layout.removedFile(place),
  ];
  const arriving = `${path}.${process.pid}-${++downloads}.new`;
  for (const key of keys) {
    const found = await bucket.download(key, arriving);
    if (found === undefined) continue;
    if (found !== sha256) {
      await rm(arriving, { force: true });
      throw new UserError(`${place} was changed: its checksum differs`, {
        hint: `Restore it from a backup, or write a new lake from the log. It is in ${name}.`,
      });
    }
    await rename(arriving, path);
    return;
  }
  throw new UserError(`${place} is missing in ${name}`, {
    hint: 'A reader that opened the lake more than a day ago must open it again; else restore the file.',
  });
}
