// Where a click leads. The redirect asks for nothing else, and waits for nothing else: an ad that was clicked a moment
// ago is in this process's memory, one that was clicked anywhere is in Redis, and all are in the table.
import type { Target } from './ad.js';

/** Counts since the start, for metrics: who answered, and how often. */
export interface TargetStats {
  /** From memory. */
  hits: number;
  /** From memory although its time was over, since neither Redis nor the table answered. */
  stale: number;
  /** From Redis. */
  shared: number;
  /** From the table; queries, not ads: misses of the same moment share one. */
  queries: number;
  /** Nobody answered and nothing was known: the caller says 503. */
  failures: number;
  /** Redis answered the last time it was asked; undefined: there is none. */
  redisAnswers: boolean | undefined;
  /** The table answered the last time it was asked. */
  tableAnswers: boolean;
  /** Ads in memory now. */
  cached: number;
}

/** Looks ads up for redirects. */
export interface Targets {
  /**
   * The ad, or undefined if there is none of that id. An ad in memory is given at once (no promise), which is what
   * nearly all clicks meet. TargetsUnavailableError: nobody could be asked, so it is not known: 503, never 404.
   */
  find(adId: string): Promise<Target | undefined> | Target | undefined;
  stats(): TargetStats;
  close(): Promise<void>;
}

/** Neither memory nor Redis know the ad, and the table doesn't answer. */
export class TargetsUnavailableError extends Error {
  constructor(options: { cause: unknown }) {
    super('the ads table does not answer', options);
    this.name = 'TargetsUnavailableError';
  }
}
