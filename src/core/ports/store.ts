// Where totals live: questions to a store, and its one writer's commits.
import type { Method, Verdict } from '../method.js';
import type { Commit, DeadLetter, Standing, StoredState } from './commit.js';

/** Filters and grouping of `query`. An empty filter list means all. */
export interface TotalsQuery {
  fromMs: number | undefined;
  toMs: number | undefined;
  adIds: readonly string[];
  campaignIds: readonly string[];
  countries: readonly string[];
  deviceTypes: readonly string[];
  /** Columns to group by, in order; empty: every cell as it is. */
  groupBy: readonly GroupColumn[];
  limit: number | undefined;
  /** By clicks, greatest first, instead of by the columns. */
  top: boolean;
}

/** Every cell as it is; with some of its fields replaced, any other question. */
export const EVERYTHING: TotalsQuery = {
  ...{ fromMs: undefined, toMs: undefined, adIds: [], campaignIds: [], countries: [], deviceTypes: [] },
  ...{ groupBy: [], limit: undefined, top: false },
};

export const GROUP_COLUMNS = [
  'minute',
  'hour',
  'day',
  'ad_id',
  'campaign_id',
  'country',
  'device_type',
] as const;
export type GroupColumn = (typeof GROUP_COLUMNS)[number];

/** A row of an answer: the asked columns (times as `2026-02-22T10:00:00Z`) and `clicks`. */
export type TotalsRow = Record<string, string | number>;

export type LedgerCounts = Record<'records' | Verdict, number>;

/** Reading the store; while `run` lives, through its local server. */
export interface StoreReader {
  state(): Promise<StoredState>;
  /**
   * How far it has counted, how and what: what of `state` is small, for those who ask every second. Answered at once also
   * while a commit is under way, or was left half made by a process that died: then as before that commit.
   */
  standing(): Promise<Standing>;
  query(query: TotalsQuery): Promise<TotalsRow[]>;
  /** The same answer in pages, all of one commit: for millions of rows. */
  pages(query: TotalsQuery): AsyncIterable<TotalsRow[]>;
  /** Sum of the ledger; with a period only records whose event time lies in it (then `invalid` is 0). */
  ledger(period?: { fromMs: number | undefined; toMs: number | undefined }): Promise<LedgerCounts>;
  ledgerByPartition(): Promise<Map<number, LedgerCounts>>;
  /** Newest first, or by place where `after` is given; `limit` bounds the answer. */
  deadLetters(filter: DeadLetterFilter): Promise<DeadLetter[]>;
  /** By verdict and, for invalid records and invalid traffic, reason; '' where it is a sentence, and for rare marks. */
  deadLetterCounts(): Promise<{ verdict: string; reason: string; count: number }[]>;
  close(): Promise<void>;
}

export interface DeadLetterFilter {
  verdict: string | undefined;
  reason: string | undefined;
  /** Only the letters of these records; empty: all. */
  at: readonly { partition: number; offset: number }[];
  /** Only those behind this place in the order of (partition, offset): for reading page by page. */
  after?: { partition: number; offset: number } | undefined;
  limit: number;
}

/**
 * Where totals live.
 *
 * Guarantee: `commit` is atomic and durable when it returns; after a crash at any moment the store holds a
 * whole number of commits. One writer at a time.
 */
export interface Store extends StoreReader {
  /**
   * Makes this the store's only writer and returns its epoch, 1, 2, …: whoever wrote under an older one gets a
   * FencedError from `begin` and `commit`. To be called before `state`, which can't change under the writer then.
   */
  takeOver(): Promise<number>;
  /** Records the method and the log on the first run; later checks are the caller's. */
  begin(identity: { method: Method; sourceIdentity: string }): Promise<void>;
  commit(commit: Commit): Promise<void>;
}
