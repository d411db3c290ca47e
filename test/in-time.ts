// Waits no longer than it should take: a test that hangs tells then what it hung on.
import { setTimeout as sleep } from 'node:timers/promises';

/** What `awaited` gives; throws, naming `what`, if it does not come within `ms`. */
export async function inTime<T>(ms: number, what: string, awaited: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(ms, undefined, { signal: over.signal }).then(() => {
    throw new Error(`waited ${ms / 1000} s for ${what}`);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    over.abort();
    late.catch(() => {}); // ended by ourselves
  }
}
