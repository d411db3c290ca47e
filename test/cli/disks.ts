// Disks that are full or read-only, for real: a small file system in memory, mounted where only the test's own
// processes see it. Where mounting is not allowed, a limit on the size of files and permissions take its place.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BIN, type Outcome } from './click-agg.js';

const IS_ROOT = process.getuid?.() === 0;
const NAMESPACE = ['unshare', ...(IS_ROOT ? ['-m'] : ['-r', '-m'])];

/** Whether a disk of its own can be had; else its size and its being read-only are imitated. */
export const CAN_MOUNT =
  spawnSync(NAMESPACE[0]!, [...NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/** What happens on a disk: a command line of click-agg, or a change of the disk itself. */
export type DiskStep =
  | { run: readonly string[] }
  /** How large it is, or, imitated, how large a file can be. */
  | { megabytes: number }
  | { readOnly: boolean };

/**
 * Takes the steps one after the other on a disk mounted at `folder/disk`, and gives the outcome of each command
 * line; `DISK` in one stands for its path.
 */
export async function onDisk(folder: string, steps: readonly DiskStep[]): Promise<Outcome[]> {
  const disk = join(folder, 'disk');
  mkdirSync(disk, { recursive: true });
  const outcomes = steps.flatMap((step, at) => ('run' in step ? [join(folder, `step-${at}`)] : []));
  const lines = steps.map((step, at) => lineOf(step, disk, join(folder, `step-${at}`)));
  const script = join(folder, 'steps.sh');
  const begin = CAN_MOUNT ? [`mount -t tmpfs none '${disk}'`] : [];
  writeFileSync(script, ['set -eu', ...begin, ...lines].join('\n'));
  const child = spawn('/usr/bin/env', [...(CAN_MOUNT ? NAMESPACE : []), 'bash', script], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((done, failed) => child.on('error', failed).on('close', done));
  if (code !== 0) throw new Error(`the steps on a disk ended with ${code}`);
  const read = (path: string): string => readFileSync(path, 'utf8');
  return outcomes.map((path) => ({
    code: Number(read(`${path}.code`)),
    stdout: read(`${path}.out`),
    stderr: read(`${path}.err`),
  }));
}

function lineOf(step: DiskStep, disk: string, outcome: string): string {
  if ('run' in step) {
    const words = [process.execPath, BIN, ...step.run.map((word) => word.replace('DISK', disk))];
    const typed = words.map((word) => `'${word}'`).join(' ');
    return `code=0; ${typed} >'${outcome}.out' 2>'${outcome}.err' || code=$?; echo $code >'${outcome}.code'`;
  }
  if ('megabytes' in step) {
    const { megabytes } = step;
    // The limit that can be raised again is the soft one; it counts in KiB.
    return CAN_MOUNT ? `mount -o remount,size=${megabytes}m '${disk}'` : `ulimit -S -f ${megabytes * 1024}`;
  }
  if (CAN_MOUNT) return `mount -o remount,${step.readOnly ? 'ro' : 'rw'} '${disk}'`;
  return `chmod -R ${step.readOnly ? 'a-w' : 'u+w'} '${disk}'`;
}
