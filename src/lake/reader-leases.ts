// Keeps compaction from taking files away under a reader. Each side first puts up its sign and then looks for
// the other's: a reader that finds a swap going on waits the milliseconds it takes; a compaction that finds a
// reader leaves its merge for later. Signs carry a pid, and those of the dead don't count.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, ioError } from '../adapters/embedded/layout.js';
import { isAlive } from '../adapters/embedded/lock.js';
import { readersDir } from './layout.js';

const SWAP_SIGN = 'swap';
const WAIT_MS = 10;
/** A swap is a handful of renames; one that takes longer hangs on a disk, and its reader may as well go on. */
const WAIT_MS_MAX = 10_000;
/** No reading takes so long; a pid that lives longer is another process by now. */
const LEASE_MS_MAX = 86_400_000;
let leases = 0;

export interface Lease {
  release(): void;
}

/** While it is held no file that the manifest names goes away. A lake that can't be written needs none. */
export async function leaseLake(lakeDir: string): Promise<Lease> {
  const folder = readersDir(lakeDir);
  const path = join(folder, `${process.pid}-${++leases}`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, '');
  } catch (error) {
    // On a read-only lake nobody compacts either.
    if (['EROFS', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) return { release: () => {} };
    throw ioError(error, folder, 'write');
  }
  for (let waitedMs = 0; isSwapping(folder) && waitedMs < WAIT_MS_MAX; waitedMs += WAIT_MS)
    await sleep(WAIT_MS);
  return { release: () => rmSync(path, { force: true }) };
}

/** Runs `swap` if nobody reads; false if somebody does. */
export async function swapWhenUnread(lakeDir: string, swap: () => Promise<void>): Promise<boolean> {
  const folder = readersDir(lakeDir);
  mkdirSync(folder, { recursive: true });
  const sign = join(folder, SWAP_SIGN);
  writeFileSync(sign, String(process.pid));
  try {
    if (hasReaders(folder)) return false;
    await swap();
    return true;
  } finally {
    rmSync(sign, { force: true });
  }
}

function hasReaders(folder: string): boolean {
  let found = false;
  for (const name of readdirSync(folder)) {
    const pid = /^(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined) continue;
    const path = join(folder, name);
    const bornMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (isAlive(Number(pid)) && Date.now() - bornMs < LEASE_MS_MAX) found = true;
    else rmSync(path, { force: true });
  }
  return found;
}

function isSwapping(folder: string): boolean {
  try {
    const pid = Number(readFileSync(join(folder, SWAP_SIGN), 'utf8'));
    return pid > 0 && isAlive(pid);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
