// A server that is away is asked again, with waits that grow, until it answers or was waited for long enough. What is
// asked must be such that doing it twice is doing it once.
import { setTimeout as sleep } from 'node:timers/promises';

/** So long a writer waits for a server that restarts or fails over. */
export const GONE_WAIT_MS = 120_000;
const STEP_MS_FIRST = 50;
const STEP_MS_MAX = 2_000;
/** Attempts that even somebody in a hurry makes. */
const ATTEMPTS_MIN = 3;

/** Whether somebody was told that a server is waited for, and it has not answered since: one for all who ask it. */
export interface Notice {
  given: boolean;
}

export interface Insistence {
  /** How long this error is waited out, ms; undefined: it does not pass. */
  patienceMs(error: unknown): number | undefined;
  /** The error for people. */
  explained(error: unknown): unknown;
  notice: Notice;
  /** Told in one line when the server is waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** Aborted: whoever waits has waited long enough. */
  signal?: AbortSignal | undefined;
  /** Aborted: nobody waits any more. */
  closing?: AbortSignal | undefined;
}

/** Does `work`, again and again while what stops it may pass. Throws the last error, explained. */
export async function insistently<T>(
  { patienceMs, explained, notice, onWait, signal, closing }: Insistence,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  const startedMs = Date.now();
  for (let attempt = 0; ; attempt++) {
    try {
      const result = await work(attempt);
      notice.given = false;
      return result;
    } catch (error) {
      const longestMs = patienceMs(error);
      const told = explained(error);
      const inHurry = signal?.aborted === true && attempt + 1 >= ATTEMPTS_MIN;
      if (longestMs === undefined || Date.now() - startedMs >= longestMs || closing?.aborted || inHurry) {
        throw told;
      }
      if (attempt === 1) {
        const line = told instanceof Error ? told.message : String(told);
        if (!notice.given) onWait?.(`${line}: waiting up to ${Math.round(longestMs / 1000)} s`);
        notice.given = true;
      }
      await sleep(Math.min(STEP_MS_MAX, STEP_MS_FIRST * 2 ** attempt));
    }
  }
}
