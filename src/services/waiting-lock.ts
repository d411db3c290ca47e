// The lock that processes which start the same thing at the same time take one after another.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lock, livingHolder, takeLock } from '../adapters/embedded/lock.js';
import { UserError } from '../errors.js';

const POLL_MS = 100;

/** Waits for as long as a living process holds the lock, then takes it. */
export async function waitForLock(path: string, what: string): Promise<Lock> {
  for (;;) {
    try {
      return await takeLock(path, what);
    } catch (error) {
      if (!(error instanceof UserError) || livingHolder(path) === undefined) throw error;
      await sleep(POLL_MS);
    }
  }
}
