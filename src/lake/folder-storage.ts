// A lake in a folder. A writer's lock keeps others out; files are made in the lake's own staging folder, a
// rename of the manifest entry is the commit, and renames bring the files to their places after it.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, ioError, makeFolder, syncDirectory } from '../adapters/embedded/layout.js';
import { livingHolder, takeLock } from '../adapters/embedded/lock.js';
import { commitsDir, flushAskedPath, stagedPath, stagingDir, writerLockPath } from './layout.js';
import type { LakeFile, LakeState } from './manifest.js';
import { placeFiles } from './place-files.js';
import { leaseLake, swapWhenUnread } from './reader-leases.js';
import type { FilePlace, LakeLease, LakeStorage, LakeWriting } from './storage.js';

/** Of somebody who may read a lake but not write to its folder. */
const READ_ONLY = ['EROFS', 'EACCES', 'EPERM'];

/** The lake in a folder, which need not be there. */
export function folderStorage(lakeDir: string): LakeStorage {
  const asked = flushAskedPath(lakeDir);
  return {
    name: lakeDir,
    manifestNames: () => namesIn(commitsDir(lakeDir)),
    async readManifest(name) {
      const path = join(commitsDir(lakeDir), name);
      return readFile(path, 'utf8').catch((error: unknown) => unlessGone(error, path));
    },
    lease: () => leaseFolder(lakeDir),
    async parquetFiles() {
      const paths = await namesIn(lakeDir, { recursive: true });
      return paths
        .map((path) => path.replaceAll('\\', '/'))
        .filter((path) => /^dt=[^/]*\/hour=[^/]*\/[^/]*\.parquet$/.test(path));
    },
    writer() {
      const pid = livingHolder(writerLockPath(lakeDir));
      return pid === undefined ? 'nobody' : { pid };
    },
    async askFlush() {
      try {
        writeFileSync(asked, '');
      } catch (error) {
        if (!READ_ONLY.includes(codeOf(error) ?? '')) throw error; // then the writer comes to it in its own time
      }
    },
    flushHeard: async () => !existsSync(asked),
    beginWriting: () => writeFolder(lakeDir),
  };
}

async function writeFolder(lakeDir: string): Promise<LakeWriting> {
  try {
    await makeFolder(lakeDir);
  } catch (error) {
    throw ioError(error, lakeDir, 'write');
  }
  const lock = await takeLock(writerLockPath(lakeDir), `the lake ${lakeDir} is being written`);
  const asked = flushAskedPath(lakeDir);
  const folderOf = (commit: number): string => dirname(stagedPath(lakeDir, commit, 'any'));
  return {
    spillDir: join(stagingDir(lakeDir), 'spill'),
    fencesByCommit: false,
    stagedPath: (commit, path) => stagedPath(lakeDir, commit, path),
    prepare: async (commit) => void (await mkdir(folderOf(commit), { recursive: true })),
    stage: async () => {}, // it was made there and synced when its checksum was taken
    async settle(commit) {
      await syncDirectory(folderOf(commit));
      await syncDirectory(stagingDir(lakeDir));
      await syncDirectory(lakeDir);
    },
    async writeEntry(name, text) {
      await writeWhole(commitsDir(lakeDir), name, text);
      return true;
    },
    removeEntry: (name) => rm(join(commitsDir(lakeDir), name), { force: true }),
    place: (commit) => placeFiles(lakeDir, commit),
    clear: () => rm(stagingDir(lakeDir), { recursive: true, force: true }), // nobody else can be writing
    fetch: async (files) => files.map(({ path }) => join(lakeDir, path)),
    swapWhenUnread: (swap) => swapWhenUnread(lakeDir, swap),
    async flushAsked() {
      if (!existsSync(asked)) return false;
      rmSync(asked, { force: true });
      return true;
    },
    tidy: () => rm(stagingDir(lakeDir), { recursive: true, force: true }),
    release: () => lock.release(),
  };
}

async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const handle = await open(`${path}.new`, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(folder);
}

async function leaseFolder(lakeDir: string): Promise<LakeLease> {
  const lease = existsSync(lakeDir) ? await leaseLake(lakeDir) : { release: () => {} };
  return {
    locate: (state, files) => locate(lakeDir, state, files),
    fetch: async () => {},
    release: () => lease.release(),
  };
}

/** A commit's files come into place right after it; where the writer died in between, they are still in staging. */
const PLACING_MS_MAX = 3_000;
const PLACING_POLL_MS = 20;

async function locate(
  lakeDir: string,
  { last }: LakeState,
  files: readonly LakeFile[],
): Promise<Map<string, FilePlace>> {
  const placeOf = (path: string): FilePlace => ({ path, address: path });
  const places = new Map(files.map(({ path }) => [path, placeOf(join(lakeDir, path))]));
  for (const { path } of last?.add ?? []) {
    const staged = stagedPath(lakeDir, last!.commit, path);
    for (let waitedMs = 0; !existsSync(join(lakeDir, path)) && waitedMs < PLACING_MS_MAX; ) {
      await sleep(PLACING_POLL_MS);
      waitedMs += PLACING_POLL_MS;
    }
    if (!existsSync(join(lakeDir, path)) && existsSync(staged)) places.set(path, placeOf(staged));
  }
  return places;
}

/** None where the folder is missing. */
async function namesIn(folder: string, how: { recursive?: boolean } = {}): Promise<string[]> {
  return await readdir(folder, how).catch((error: unknown) => unlessGone(error, folder) ?? []);
}

function unlessGone(error: unknown, path: string): undefined {
  if (codeOf(error) !== 'ENOENT') throw ioError(error, path, 'read');
  return undefined;
}
