// What the server counts of itself. Plain numbers, raised on the way of a request and read when somebody looks.
import type { LinkRefusal } from './click-url.js';
import type { MarkKind } from './invalid-traffic.js';

/** `redirect`: GET /c/:ad_id; `clicks`: POST /v1/clicks; `other`: everything else. */
export const ROUTES = ['redirect', 'clicks', 'other'] as const;
export type Route = (typeof ROUTES)[number];

export interface IngestTally {
  /** Answers by route and HTTP status. */
  readonly answers: Readonly<Record<Route, Record<number, number>>>;
  /** Clicks that are safe in the log. */
  accepted: number;
  /** Clicks of POSTs that were refused, by reason. */
  readonly rejected: Record<string, number>;
  /** Clicks with a mark. */
  readonly marked: Record<MarkKind, number>;
  /** Links that were refused. */
  readonly links: Record<LinkRefusal, number>;
  /** Links whose campaign is not that of the ads table. */
  otherCampaign: number;
  /** Answers of `--mark-seen`. */
  readonly seen: Record<'first' | 'seen' | 'unknown', number>;
}

/** A tally at nothing. */
export function newTally(): IngestTally {
  return {
    answers: { redirect: {}, clicks: {}, other: {} },
    accepted: 0,
    rejected: {},
    marked: { prefetch: 0, head: 0, crawler: 0, datacenter: 0, sender: 0 },
    links: { unsigned: 0, expired: 0, wrong: 0 },
    otherCampaign: 0,
    seen: { first: 0, seen: 0, unknown: 0 },
  };
}

/** Raises a count. */
export function raise<K extends string | number>(counts: Record<K, number>, key: K): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
