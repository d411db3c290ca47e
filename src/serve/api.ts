// What the read API says and is asked, over HTTP and over the WebSocket: the one description that server, browser
// and `top --url` share. Nothing is imported but types, so that a browser's bundle may take it. Names are those of
// `--json` everywhere: snake case, times as `2026-02-22T10:00:00Z`, null where something is not known.
import type { GroupColumn, LedgerCounts, TotalsRow } from '../core/ports/store.js';

// ------------------------------------------------------------------------------------------- questions

/**
 * Which clicks: an absent or empty list means all. In a URL a list is repeated or separated by commas (`\,` is a
 * comma of the value itself); in a message of the socket it is an array, taken as it is.
 */
export interface Filters {
  ad?: string[];
  campaign?: string[];
  /** `DE`; whatever the case. */
  country?: string[];
  device?: string[];
}

/**
 * Which minutes, `[from, to)`; absent: all. `last` (`60m`, `24h`, `7d`) ends with the newest minute that the store
 * holds, so that it moves on by itself; it excludes `from` and `to`.
 */
export interface PeriodAsked {
  from?: string;
  to?: string;
  last?: string;
}

/** GET /v1/totals: the same question as `click-agg query`. */
export interface TotalsQuestion extends Filters, PeriodAsked {
  /** Columns to sum by, in order; absent: every cell as it is. */
  group_by?: GroupColumn[];
  /** The N rows with most clicks. */
  top?: number;
  /** The first N rows; 10,000 unless told, 100,000 at most. */
  limit?: number;
}

/** Columns that a chart may have a line for each value of. */
export type SeriesColumn = 'ad_id' | 'campaign_id' | 'country' | 'device_type';
export type Step = 'minute' | 'hour' | 'day';

/** GET /v1/series: clicks over time, a number for each step, ready to be drawn. */
export interface SeriesQuestion extends Filters, PeriodAsked {
  /** `minute` unless told. At most 10,080 steps (a week of minutes); the last 60 where no period is given. */
  step?: Step;
  /** A line for each value of this column; absent: one line of everything. */
  by?: SeriesColumn;
  /** With `by`: so many lines, those with most clicks (8 unless told, 50 at most); the rest is `other`. */
  top?: number;
}

/** GET /v1/ledger: records and their verdicts. Without a period also those without an event time. */
export type LedgerQuestion = PeriodAsked;

// --------------------------------------------------------------------------------------------- answers

/** How far what is shown has come. */
export interface AsOf {
  /** Greatest watermark of the partitions: minutes that end after it are open everywhere. */
  watermark: string | null;
  /**
   * Least watermark of the partitions that have records: minutes that end at or before it are closed in all of them,
   * and change only by late clicks. Those after it are open: show them as provisional.
   */
  complete_to: string | null;
  /** End of the newest minute that the store holds clicks of. `last` ends here. */
  newest: string | null;
  /** Hash of the counting method; null: nothing was counted yet. */
  method_hash: string | null;
}

export interface TotalsAnswer {
  as_of: AsOf;
  /** The period that was meant, with `last` worked out. */
  from: string | null;
  to: string | null;
  /** Names of the rows' fields, in order; the last one is `clicks`. */
  columns: string[];
  rows: TotalsRow[];
  /** There are more rows than `limit`. */
  truncated: boolean;
}

export interface Series {
  /** Value of the column `by`; null: all, or the rest. */
  name: string | null;
  /** Sum of `clicks`. */
  total: number;
  /** Clicks by step from `from` on, each step once, 0 where there were none. */
  clicks: number[];
}

export interface SeriesAnswer {
  as_of: AsOf;
  /** Start of the first step; null: there is nothing to show yet, and `series` is empty. */
  from: string | null;
  /** End of the last step. */
  to: string | null;
  step: Step;
  step_ms: number;
  by: SeriesColumn | null;
  /** Most clicks first; without `by` one of everything. */
  series: Series[];
  /** What is in none of `series`; null where that is nothing. */
  other: Series | null;
  /** Clicks of all series and the rest. */
  total: number;
}

export interface LedgerAnswer {
  as_of: AsOf;
  from: string | null;
  to: string | null;
  /** records = sum of all verdicts. */
  ledger: LedgerCounts;
}

/** Where the status comes from: the run on this machine, what a run publishes through Redis, or the store alone. */
export type StatusSource = 'run' | 'redis' | 'store';

export interface PartitionStatus {
  partition: number;
  position: number;
  /** Records in the log that are not counted yet; null: unknown. */
  lag: number | null;
  watermark: string | null;
}

/** What a living run says of itself. */
export interface RunStatus {
  started_at: string;
  /** `topic clicks of k1:9092` */
  log: string;
  /** Records read since it was started. */
  records: number;
  records_per_second: number;
  memory_bytes: number;
  /** Clicks whose verdict may still change, and the bytes that they take. */
  clicks_in_memory: number;
  clicks_in_memory_bytes: number;
  last_commit_at: string | null;
  last_commit_ms: number | null;
}

/** GET /v1/status. An advertiser sees `as_of` and whether a run lives, and null for the rest. */
export interface StatusAnswer {
  as_of: AsOf;
  source: StatusSource;
  /** Whether a run lives. */
  live: boolean;
  run: RunStatus | null;
  /** Verdicts over the store's whole life, up to now while a run lives. */
  ledger: LedgerCounts | null;
  partitions: PartitionStatus[] | null;
  /** Records in the log that are not counted yet, of all partitions; null: unknown. */
  lag: number | null;
  /** How long the last commit has been ago, ms, by the server's clock; null: unknown. */
  since_commit_ms: number | null;
}

export interface BillingLineJson {
  campaign_id: string;
  clicks: number;
  price_per_click: string;
  /** A decimal, never a float. */
  amount: string;
  currency: string;
}

export interface BillingTotal {
  currency: string;
  clicks: number;
  amount: string;
}

/** The last reconciliation. An advertiser sees the lines of its own campaigns, and null where all clicks are counted. */
export interface ReconciliationSummary {
  agree: boolean;
  generated_at: string;
  /** Null: everything that was counted. */
  period: { from: string; to: string } | null;
  method_hash: string;
  /** Compared cells; how many of them differ. */
  cells: number | null;
  differing: number | null;
  ledger_differing: number | null;
  /** Cells that were left out because their minute was still open. */
  open: number | null;
  clicks: { stream: number; batch: number } | null;
  /** By the recomputation, and by the stream. */
  ledger: LedgerCounts | null;
  ledger_stream: LedgerCounts | null;
  billing: BillingLineJson[];
  billing_totals: BillingTotal[];
  closed_periods: {
    period: string;
    closed_at: string;
    billing: BillingLineJson[];
    billing_totals: BillingTotal[];
  }[];
  adjustments: (BillingLineJson & { period: string; cause: string; recorded_at: string })[];
}

/** GET /v1/reconciliation */
export interface ReconciliationAnswer {
  /** Null: none was made yet, or this server doesn't see its report. */
  report: ReconciliationSummary | null;
}

/** GET and POST /v1/session: who asks. `open`: this server asks nobody for a token. */
export interface SessionAnswer {
  role: 'open' | 'admin' | 'advertiser';
  advertiser_id: string | null;
  /** When the token ends; null: never. */
  expires_at: string | null;
}

/** POST /v1/session: signs in with a token; the answer sets a cookie. DELETE signs out. */
export interface SessionRequest {
  token: string;
}

/** Every answer that is no success (status 4xx, 5xx), and an error on the socket. */
export interface ErrorAnswer {
  error: {
    /** For programs. */
    code:
      | 'bad_request'
      | 'unauthorized'
      | 'forbidden'
      | 'not_found'
      | 'too_many_requests'
      | 'refused'
      | 'unavailable'
      | 'internal';
    /** For people. */
    message: string;
  };
}

// -------------------------------------------------------------------------------------- socket /v1/live

/** The questions that can be watched, and what each is answered with. */
export interface Watchable {
  totals: { question: TotalsQuestion; answer: TotalsAnswer };
  series: { question: SeriesQuestion; answer: SeriesAnswer };
  ledger: { question: LedgerQuestion; answer: LedgerAnswer };
  status: { question: Record<string, never>; answer: StatusAnswer };
  reconciliation: { question: Record<string, never>; answer: ReconciliationAnswer };
}
export type WatchKind = keyof Watchable;

/** From the browser. `id` is the browser's own name for the view; the same id again replaces it. */
export type ClientMessage =
  | {
      [K in WatchKind]: { type: 'subscribe'; id: string; kind: K; question: Watchable[K]['question'] };
    }[WatchKind]
  | { type: 'unsubscribe'; id: string };

/**
 * From the server. `state` is always whole and the newest: one that a slow browser did not get is left out, never
 * queued. It is sent at once after `subscribe`, then when it has changed, once a second at most.
 */
export type ServerMessage =
  | { type: 'hello'; session: SessionAnswer }
  | { [K in WatchKind]: { type: 'state'; id: string; kind: K; answer: Watchable[K]['answer'] } }[WatchKind]
  | ({ type: 'error'; id: string | null } & ErrorAnswer);

/** Codes with which the server closes the socket. */
export const CLOSE_CODE = {
  /** The server ends: come again. */
  goingAway: 1001,
  /** A message that it does not understand. */
  badMessage: 1003,
  /** No token, or it has expired: sign in. */
  unauthorized: 4401,
  /** Too many sockets: poll. */
  busy: 4429,
} as const;

// -------------------------------------------------------------------------------------------- limits

/** What one answer or socket may hold. */
export const LIMITS = {
  rows: 100_000,
  rowsUnlessTold: 10_000,
  steps: 10_080,
  stepsUnlessTold: 60,
  seriesTop: 50,
  seriesTopUnlessTold: 8,
  /** Values of one filter. */
  filterValues: 1_000,
  /** Views of one socket. */
  watches: 32,
  /** Longest message from a browser, bytes. */
  messageBytes: 65_536,
} as const;

/** How often a browser without a socket should ask, ms. */
export const POLL_EVERY_MS = 10_000;
