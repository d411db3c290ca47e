// A folder of this process's own for files on their way, below the cache; those of processes that died are removed.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../adapters/embedded/lock.js';

/** Requests that are under way at a time. */
const WIDTH = 8;

/** Makes the folder and removes what dead processes left beside it. */
export async function workFolder(cacheDir: string): Promise<string> {
  const parent = join(cacheDir, 'work');
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1]);
    // With our own pid it is of a former life, or of another lake that this process writes.
    if (pid > 0 && pid !== process.pid && !isAlive(pid)) {
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
  return mkdtemp(join(parent, `${process.pid}-`));
}

/** Does the work for all items, some at a time. The first failure is thrown when none is at work any more. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const outcomes = await Promise.allSettled(
    Array.from({ length: Math.min(WIDTH, waiting.length) }, async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}
