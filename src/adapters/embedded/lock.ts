// A lock file that names the process which holds it. A process that was killed leaves its lock behind; the
// next one sees that nobody of that name lives and takes it over, so nobody ever has to remove a lock by hand.
import { linkSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../errors.js';
import { codeOf, ioError } from './layout.js';

/** A takeover takes microseconds; a guard older than this is left from a process that died in it. */
const GUARD_STALE_MS = 1_000;
const ATTEMPTS_MAX = 100;
const RETRY_MS = 20;

export interface Lock {
  release(): void;
}

/** Paths locked by this very process: a lock with our own pid that isn't here is a former life's (containers). */
const held = new Set<string>();

/**
 * Takes the lock at `path` or throws a UserError that names the holder's pid. `what` is the thing locked, as it
 * should stand in that message: `the log ./data/log is being written`.
 */
export async function takeLock(path: string, what: string): Promise<Lock> {
  const proposal = `${path}.${process.pid}.new`;
  try {
    writeFileSync(proposal, `${JSON.stringify({ pid: process.pid, born: birthOf(process.pid) })}\n`);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (tryLink(proposal, path)) {
        held.add(path);
        return { release: () => release(path) };
      }
      const holder = livingHolder(path);
      if (holder !== undefined) {
        throw new UserError(`${what} by another process (pid ${holder})`, {
          hint: 'Wait for it to end or stop it.',
        });
      }
      if (!removeStale(path)) await sleep(RETRY_MS);
    }
  } catch (error) {
    throw ioError(error, path, 'write');
  } finally {
    rmSync(proposal, { force: true });
  }
  throw new UserError(`${what}: its lock ${path} can't be taken`, { hint: 'Try again.' });
}

function release(path: string): void {
  if (held.delete(path)) rmSync(path, { force: true });
}

function tryLink(proposal: string, path: string): boolean {
  try {
    linkSync(proposal, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Pid of the living process that holds the lock, or undefined if there is none. */
export function livingHolder(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const match = /"pid":(\d+),"born":"([^"]*)"/.exec(text);
  if (!match) return undefined;
  const pid = Number(match[1]);
  if (pid === process.pid) return held.has(path) ? pid : undefined;
  return isAlive(pid) && match[2] === birthOf(pid) ? pid : undefined;
}

/** Whether a process with this pid lives, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    if (codeOf(error) === 'EPERM') return true;
    throw error;
  }
}

/**
 * When a process began, in the kernel's words, so that a pid used again isn't taken for its former owner.
 * Empty where the kernel doesn't tell: then the pid alone must do.
 */
function birthOf(pid: number): string {
  if (process.platform !== 'linux') return '';
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return 'dead'; // killed, and its parent hasn't looked yet
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}:${fields[19]}`;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return '';
  }
}

/** Removes a stale lock, one process at a time, looking again inside the guard. False: another is at it. */
function removeStale(path: string): boolean {
  const guard = `${path}.takeover`;
  try {
    mkdirSync(guard);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    const ageMs = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (ageMs > GUARD_STALE_MS) removeGuard(guard);
    return false;
  }
  try {
    if (livingHolder(path) === undefined) rmSync(path, { force: true });
  } finally {
    removeGuard(guard);
  }
  return true;
}

function removeGuard(guard: string): void {
  try {
    rmdirSync(guard);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
