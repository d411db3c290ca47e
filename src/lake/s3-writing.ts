// How a lake on S3 is written. There is no lock that a process could hold without doing anything: whoever starts
// to write makes a commit of its own, behind which a former writer's next one fails.
import { rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bucket } from '../adapters/s3/bucket.js';
import { UserError } from '../errors.js';
import { fetchFile } from './file-cache.js';
import { commitName } from './layout.js';
import type { LakeCommit } from './manifest.js';
import type { S3Layout } from './s3-layout.js';
import type { LakeWriting } from './storage.js';
import { eachOf, workFolder } from './work-folder.js';

/** How long a replaced file can still be read by whoever opened the lake before. No recomputation takes so long. */
export const REMOVED_KEPT_MS = 86_400_000;
/** Parts of an upload that nobody finished. */
const UPLOAD_ABANDONED_MS = 86_400_000;
const PURGE_EVERY_MS = 3_600_000;
const ASKED_EVERY_MS = 2_000;
const MARK = `${JSON.stringify({ lake: 'click-agg', version: 1 })}\n`;

export interface S3Writing {
  bucket: Bucket;
  layout: S3Layout;
  cacheDir: string;
  name: string;
}

/** Becomes the writer, in so far as it may try to commit. UserError: the service can't keep two from doing so. */
export async function writeToS3(of: S3Writing): Promise<LakeWriting> {
  const { bucket, layout } = of;
  await requireConditionalPut(of);
  const folder = await workFolder(of.cacheDir);
  const mergeDir = join(folder, 'merge');
  const stagedDir = join(folder, 'staged');
  const stagedPath = (commit: number, path: string): string =>
    join(stagedDir, `${commitName(commit)}__${path.replaceAll('/', '__')}`);
  let purgeAtMs = 0;
  let askAtMs = 0;
  return {
    spillDir: join(folder, 'spill'),
    fencesByCommit: true,
    stagedPath,
    prepare: async () => void (await mkdir(stagedDir, { recursive: true })),
    async stage(commit, { path, sha256 }) {
      const made = stagedPath(commit, path);
      await bucket.upload(made, layout.staged(commit, sha256));
      await rm(made);
    },
    settle: async () => {}, // an object that was put is durable
    writeEntry: (entry, text) => writeEntry(of, entry, text),
    removeEntry: (entry) => bucket.remove([`${layout.commits}${entry}`]),
    place: (commit) => place(of, commit),
    async clear(commit) {
      await clearStaging(of, commit);
      await bucket.abandonUploads(layout.staging, Date.now() - UPLOAD_ABANDONED_MS);
    },
    async fetch(files) {
      await rm(mergeDir, { recursive: true, force: true });
      await mkdir(mergeDir, { recursive: true });
      const paths = files.map(({ sha256 }) => join(mergeDir, `${sha256}.parquet`));
      await eachOf([...files.entries()], ([i, file]) => fetchFile(of, file, paths[i]!));
      return paths;
    },
    async swapWhenUnread(swap) {
      await swap(); // readers find replaced files among the removed ones
      await rm(mergeDir, { recursive: true, force: true });
      if (Date.now() >= purgeAtMs) {
        await purgeRemoved(of);
        purgeAtMs = Date.now() + PURGE_EVERY_MS;
      }
      return true;
    },
    async flushAsked() {
      if (Date.now() < askAtMs) return false;
      askAtMs = Date.now() + ASKED_EVERY_MS;
      if (!(await bucket.exists(layout.flushAsked))) return false;
      await bucket.remove([layout.flushAsked]);
      return true;
    },
    tidy: async () => {},
    release: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Shows that the service puts an object only where there is none: on one that doesn't, two could make one commit. */
async function requireConditionalPut({ bucket, layout, name }: S3Writing): Promise<void> {
  await bucket.putIfAbsent(layout.mark, MARK);
  if (await bucket.putIfAbsent(layout.mark, `${MARK} `)) {
    throw new UserError(
      `${name} can't be a lake: its service puts objects over others in spite of If-None-Match`,
      {
        hint: 'Use a service with conditional writes: Amazon S3, MinIO, Cloudflare R2 and others.',
      },
    );
  }
}

async function writeEntry({ bucket, layout }: S3Writing, entry: string, text: string): Promise<boolean> {
  const key = `${layout.commits}${entry}`;
  if (entry.endsWith('.checkpoint.json')) {
    // Whoever writes the sum of the same commits writes the same.
    await bucket.put(key, text);
    return true;
  }
  if (!(await bucket.putIfAbsent(key, text))) return false;
  // There is none of that number, too, where later ones were summed up: then this writer has slept through them.
  const number = entry.slice(0, commitName(0).length);
  for await (const later of bucket.list(layout.commits, `${layout.commits}${number}`)) {
    if (later.key === key) continue;
    await bucket.remove([key]);
    return false;
  }
  return true;
}

/**
 * Replaced files are copied to where readers by the manifest still find them, then the new ones come in and the old
 * ones go. Who lists the folders sees both for the moment between the last copy and the removal.
 */
async function place({ bucket, layout }: S3Writing, commit: LakeCommit): Promise<void> {
  await eachOf(commit.remove, async (path) => {
    await bucket.copy(layout.key(path), layout.removedFile(path));
  });
  const staged = commit.add.map(({ sha256 }) => layout.staged(commit.commit, sha256));
  await eachOf(commit.add, async ({ path, sha256 }) => {
    await bucket.copy(layout.staged(commit.commit, sha256), layout.key(path)); // or it was done before
  });
  await bucket.remove(commit.remove.map((path) => layout.key(path)));
  await bucket.remove(staged);
}

/** Nobody can commit under a number up to `commit` any more; above it, another writer may be at work. */
async function clearStaging({ bucket, layout }: S3Writing, commit: number): Promise<void> {
  const left: string[] = [];
  const end = `${layout.staging}${commitName(commit + 1)}`;
  for await (const { key } of bucket.list(layout.staging)) if (key < end) left.push(key);
  await bucket.remove(left);
}

async function purgeRemoved({ bucket, layout }: S3Writing): Promise<void> {
  const old: string[] = [];
  for await (const { key, modifiedMs } of bucket.list(layout.removed)) {
    if (Date.now() - modifiedMs >= REMOVED_KEPT_MS) old.push(key);
  }
  await bucket.remove(old);
}
