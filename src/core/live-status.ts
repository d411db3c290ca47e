// What a living `run` says of itself, to those who ask it.
import type { LedgerCounts } from './ports/store.js';

/** What a living `run` says of itself, once a second. */
export interface LiveStatus {
  pid: number;
  startedAtMs: number;
  source: string;
  methodHash: string;
  /** Records read since the start, and per second over the last seconds. */
  records: number;
  recordsPerSecond: number;
  /** Verdicts over the store's whole life, up to now (not only up to the last commit). */
  ledger: LedgerCounts;
  partitions: {
    partition: number;
    position: number;
    end: number | undefined;
    watermarkMs: number | undefined;
  }[];
  rssBytes: number;
  /** Clicks that memory holds because late ones may still change their verdict, and the bytes they take. */
  horizonClicks: number;
  horizonBytes: number;
  lastCommitAtMs: number | undefined;
  lastCommitMs: number | undefined;
  /** Of a run with more than one store: those behind the first. */
  followers?: readonly FollowerStatus[] | undefined;
}

/** How a store stands that makes the same commits as the first one, some time later. */
export interface FollowerStatus {
  /** As it may be shown. */
  store: string;
  /** Its last commit; undefined while nobody could ask it. */
  commits: number | undefined;
  /** Commits that the first store has made and it has not; undefined: not known. */
  behind: number | undefined;
  /** Why it does not go on; undefined: it does. */
  trouble: string | undefined;
}
