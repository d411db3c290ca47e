// The log as ingestion sees it: a place that takes clicks one by one and says when each is safe. Behind it is the
// embedded log of a data directory, or Kafka with a spool in front.
import { UserError } from '../errors.js';

/** A click on its way into the log. */
export interface LoggedClick {
  /** Decides the partition, as Kafka's default partitioner would: the ad_id. */
  key: string;
  /** The record: a JSON object of at most RECORD_BYTES_MAX bytes in UTF-8. */
  value: string | Uint8Array;
}

/** What is on its way, for metrics and readiness. */
export interface ClickLogStatus {
  /** Clicks that are safe here and not yet in the log that others read; with their bytes, about. */
  waitingRecords: number;
  waitingBytes: number;
  /** How long the oldest of them has waited. */
  oldestWaitingMs: number | undefined;
  /** Waiting clicks are being sent. False: nothing waits, or Kafka does not take them now. */
  sending: boolean;
  /** What keeps clicks from being sent, or from being taken, in a few words; undefined: nothing does. */
  trouble: string | undefined;
  /** Since the start: clicks taken, refused, and sent on (those of the embedded log are there when they are taken). */
  taken: number;
  refused: number;
  sent: number;
}

export interface ClickLog {
  /** Names it, for logs: `embedded log ./click-agg-data/log`, `topic clicks on Kafka at … by way of …/click-spool`. */
  readonly description: string;
  /**
   * Resolves when the click survives a kill -9 of this process and, with the sync mode `always`, a power cut. Rejects
   * with a SpoolFullError when the log can't take it now; nothing of the click remains then, or else it is as good as
   * taken: whoever sends it again keeps its click id.
   */
  append(click: LoggedClick): Promise<void>;
  status(): ClickLogStatus;
  /** Rejects when it can't go on for a reason that waiting won't mend (a damaged spool, a bug); never resolves. */
  readonly failed: Promise<never>;
  /** Writes what was taken, sends what it can within a limit, and lets the next process in. What was not sent stays. */
  close(): Promise<void>;
}

/** The log can't take a click now: too many wait already, or the disk won't have more. To be tried again later. */
export class SpoolFullError extends UserError {
  constructor(
    message: string,
    /** When it makes sense to try again: for `Retry-After`. */
    readonly retryAfterS: number,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(message, options);
    this.name = 'SpoolFullError';
  }
}

/** When what was taken is made durable: before it is acknowledged, or so many ms later at most. */
export type SyncMode = 'always' | 'interval';
export const SYNC_MODES = ['always', 'interval'] as const;
export const SYNC_INTERVAL_MS = 200;
