// run.json: how others find a living `run`. It holds a secret, so only its owner may read it.
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';

export interface RunFile {
  pid: number;
  port: number;
  /** Whoever calls must show it. */
  token: string;
}

const FILE_NAME = 'run.json';

/** A secret that can't be guessed. */
export function newToken(): string {
  return randomBytes(32).toString('hex');
}

/** Writes run.json whole, readable by its owner alone. UserError: the disk won't have it. */
export function writeRunFile(dataDir: string, content: RunFile): void {
  const path = join(dataDir, FILE_NAME);
  const proposal = `${path}.${process.pid}.new`;
  try {
    writeFileSync(proposal, `${JSON.stringify(content)}\n`, { mode: 0o600 });
    renameSync(proposal, path);
  } catch (error) {
    rmSync(proposal, { force: true });
    throw new UserError(`can't write ${path}: ${codeOf(error)}`, {
      hint: 'Check the disk and the permissions of --data-dir.',
      cause: error,
    });
  }
}

/** Removes run.json if it is still the one with this token. */
export function removeRunFile(dataDir: string, token: string): void {
  if (readRunFile(dataDir)?.token === token) rmSync(join(dataDir, FILE_NAME), { force: true });
}

/** The run that says it lives in this directory, or undefined. */
export function readRunFile(dataDir: string): RunFile | undefined {
  const path = join(dataDir, FILE_NAME);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new UserError(`can't read ${path}: ${code}`, {
      hint: 'A run of another user lives there: ask as that user.',
      cause: error,
    });
  }
  const match = /^\{"pid":(\d+),"port":(\d+),"token":"([0-9a-f]+)"\}\s*$/.exec(text);
  if (!match) return undefined;
  return { pid: Number(match[1]), port: Number(match[2]), token: match[3] };
}

/** Whether a process with this pid lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
