// The data directory: what lies where in it, which version it is of, and who works in it. A directory of a newer
// version is refused before anything in it is touched.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, ioError, makeFolder } from '../adapters/embedded/layout.js';
import { type Lock, livingHolder, takeLock } from '../adapters/embedded/lock.js';
import { UserError } from '../errors.js';

/** Version of the layout. */
const VERSION = 1;
const LOCK_POLL_MS = 200;

export interface DataDir {
  readonly path: string;
  /** The embedded log. */
  readonly logDir: string;
  readonly storePath: string;
  readonly lakeDir: string;
  /** Commits that wait for the stores that follow. */
  readonly followersDir: string;
  /** Takes the lock `<name>.lock`; a UserError names the process that has it. Stale locks are taken over. */
  lock(name: LockName): Promise<Lock>;
  /** Takes it as soon as its holder is gone; `onWait` is told once that it waits. UserError: the signal came first. */
  lockWhenFree(name: LockName, wait: { signal: AbortSignal; onWait: (line: string) => void }): Promise<Lock>;
}

type LockName = 'run' | 'lake' | 'backfill' | 'followers';

const WORK = {
  run: 'is counted into',
  lake: 'has its lake written',
  backfill: 'is backfilled',
  followers: 'is followed',
} as const;

/** Where things are in a data directory, without a look at the disk. */
export function dataDirAt(path: string): DataDir {
  return {
    path,
    logDir: join(path, 'log'),
    storePath: join(path, 'store.duckdb'),
    lakeDir: join(path, 'lake'),
    followersDir: join(path, 'followers'),
    lock: (name) => takeLock(join(path, `${name}.lock`), `${path} ${WORK[name]}`),
    async lockWhenFree(name, { signal, onWait }) {
      const file = join(path, `${name}.lock`);
      for (let told = false; ; told = true) {
        const holder = livingHolder(file);
        if (holder === undefined || signal.aborted) return await takeLock(file, `${path} ${WORK[name]}`);
        if (!told) onWait(`${path} ${WORK[name]} by another process (pid ${holder}): waiting for it to end`);
        await sleep(LOCK_POLL_MS);
      }
    },
  };
}

/**
 * Makes the directory if there is none, and checks its version. UserError: it is from a newer version, can't be
 * written, or the disk is full.
 */
export async function openDataDir(path: string): Promise<DataDir> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw ioError(error, path, 'write');
  }
  if ((await versionOf(path)) === undefined) await writeVersion(path);
  return dataDirAt(path);
}

/** The directory to read from; a UserError if it is from a newer version. Nothing is made. */
export async function checkedDataDir(path: string): Promise<DataDir> {
  await versionOf(path);
  return dataDirAt(path);
}

async function versionOf(path: string): Promise<number | undefined> {
  const file = join(path, 'version.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw ioError(error, file, 'read');
  }
  const version = Number(/"version"\s*:\s*(\d+)/.exec(text)?.[1]);
  if (version > VERSION) {
    throw new UserError(`${path} was written by a newer click-agg (data directory version ${version})`, {
      hint: 'Update click-agg, or use another --data-dir.',
    });
  }
  if (version !== VERSION) {
    throw new UserError(`${file} is damaged: it has no sound version`, {
      hint: `If everything else is as it was, write {"version":${VERSION}} into it.`,
    });
  }
  return version;
}

async function writeVersion(path: string): Promise<void> {
  const file = join(path, 'version.json');
  const proposal = `${file}.${process.pid}.new`;
  try {
    await writeFile(proposal, `${JSON.stringify({ version: VERSION })}\n`, { flush: true });
    await rename(proposal, file);
  } catch (error) {
    throw ioError(error, file, 'write');
  } finally {
    await rm(proposal, { force: true });
  }
}
