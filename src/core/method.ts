// The counting method: the parameters that decide what a click is worth, and the version of the rules.
// Stream, lake, recomputation and reports all carry the same `Method`, so that two parties can tell
// that they count alike. The rules themselves are in docs/counting-method.md.

/** The newest version of the rules. Version 1 is version 2 without the verdict `invalid_traffic`. */
export const METHOD_VERSION = 2;

/** Every duration is in ms of event time. */
export interface Method {
  readonly version: number;
  /** How far a partition's watermark trails its greatest event time. */
  readonly watermarkDelayMs: number;
  /** How long past a bucket's end (measured by the partition's watermark) a late click still counts. */
  readonly allowedLatenessMs: number;
  /** Length of the period that the first click of a user on an ad opens. */
  readonly doubleClickMs: number;
  /** Length of the sliding window per IP address. */
  readonly botWindowMs: number;
  /** More clicks than this in one window make all of them a bot's. */
  readonly botThreshold: number;
  /** How far an event time may be ahead of the append time. */
  readonly clockSkewMs: number;
  /** Marked clicks get the verdict `invalid_traffic`. Absent in version 1, which knows no marks: its hash stays what it was. */
  readonly invalidTraffic?: true;
}

export const DEFAULT_METHOD: Method = {
  version: METHOD_VERSION,
  watermarkDelayMs: 180_000,
  allowedLatenessMs: 600_000,
  doubleClickMs: 60_000,
  botWindowMs: 60_000,
  botThreshold: 30,
  clockSkewMs: 300_000,
  invalidTraffic: true,
};

/** The same parameters in version 2, or in version 1, which takes a mark for an unknown field. */
export function withInvalidTraffic(method: Method, isOn: boolean): Method {
  const { invalidTraffic: _, ...others } = method;
  return isOn ? { ...others, version: METHOD_VERSION, invalidTraffic: true } : { ...others, version: 1 };
}

/** A bucket is one minute of event time: `[m, m + 60 s)`. Not an option: totals of different lengths can't be compared. */
export const BUCKET_MS = 60_000;

/** Longest field in UTF-8 bytes; a longer one makes the record invalid. */
export const FIELD_BYTES_MAX = {
  click_id: 128,
  ad_id: 128,
  campaign_id: 128,
  user_id: 128,
  ip_address: 45,
  user_agent: 2048,
  referrer: 4096,
  impression_id: 128,
  invalid_traffic: 128,
} as const;

/** Longest record value in bytes; a longer one is invalid, and only its first bytes up to this are kept. */
export const RECORD_BYTES_MAX = 1_048_576;

/** Deepest nesting of arrays and objects in a record; the click itself is depth 1. */
export const NESTING_MAX = 64;

/** Event times outside [1970-01-01, 10000-01-01) are malformed: ISO 8601 with four digits of year ends there. */
export const EVENT_TIME_MIN_MS = 0;
export const EVENT_TIME_END_MS = 253_402_300_800_000;

export const DEVICE_TYPES = ['mobile', 'desktop', 'tablet', 'tv', 'other'] as const;
export type DeviceType = (typeof DEVICE_TYPES)[number];

export const VERDICTS = [
  'invalid',
  'too_late',
  'duplicate',
  'invalid_traffic',
  'double_click',
  'bot',
  'billable',
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Verdicts as numbers: indexes into VERDICTS. */
export const VERDICT_CODE = {
  invalid: 0,
  tooLate: 1,
  duplicate: 2,
  invalidTraffic: 3,
  doubleClick: 4,
  bot: 5,
  billable: 6,
} as const;

/**
 * The reasons of `invalid`, in the order they are tested: the first that applies is given.
 * The index in this list is the code that decoded batches carry; 0 stands for a sound record.
 */
export const INVALID_REASONS = [
  'ok',
  'too_long', // the record exceeds RECORD_BYTES_MAX
  'not_json', // not valid UTF-8, or not one JSON object (RFC 8259), or nested deeper than NESTING_MAX
  'click_id',
  'event_time',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
  'user_agent',
  'referrer',
  'impression_id',
  'from_the_future', // event time later than append time plus the clock-skew allowance
  'invalid_traffic', // the mark is no text, too long, or given twice (from version 2 on)
] as const;
export type InvalidReason = (typeof INVALID_REASONS)[number];
