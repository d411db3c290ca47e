// What a load looks like: every share, size and seed that the generator is made with. The same profile
// gives the same bytes.
import type { DeviceType, Method } from '../method.js';

/** What a record is put in as. Each record is of exactly one kind. */
export const KINDS = [
  'ordinary', // a click that reaches the log within half a second
  'disordered', // sound and in time, but overtaken by clicks that happened after it
  'late', // its minute is closed already, but the allowed lateness is not over
  'too_late', // the allowed lateness is over
  'duplicate', // a redelivery: same bytes as an earlier record of the partition
  'double_click', // same user and ad again, shortly after
  'bot', // part of a burst from one IP address over many ads
  'invalid_traffic', // marked by who took the click: a crawler's, a data centre's, a prefetch
  'unusual', // sound, but written as few producers do: escapes, spaces, unknown fields, other order
  'malformed', // invalid by its bytes
  'future', // event time beyond append time plus clock skew
] as const;
export type Kind = (typeof KINDS)[number];

/** Kinds that have a share of their own; bots are bursts, and ordinary is what remains. */
export type ShareKind = Exclude<Kind, 'ordinary' | 'bot'>;

/**
 * How records are laid down: `records` for a log (key bytes apart), `clicks` for bare lines,
 * `kcat` for lines as `kcat -J` writes them.
 */
export type Form = 'records' | 'clicks' | 'kcat';

export interface LoadProfile {
  readonly seed: number;
  readonly form: Form;
  /** Arrival time of the first click, epoch ms. */
  readonly startMs: number;
  /** Mean over a day, in arrival time. */
  readonly clicksPerSecond: number;
  /** 0: the same rate at every hour; 1: the full curve of day and night. */
  readonly dayNight: number;
  readonly ads: number;
  readonly campaigns: number;
  readonly users: number;
  /** Exponent of Zipf's law of the ads' popularity. */
  readonly zipf: number;
  /** Shares of all records. Their sum with `bots` is at most 1. */
  readonly shares: Readonly<Record<ShareKind, number>>;
  /** Share of clicks that belong to bots' bursts. */
  readonly bots: number;
  /** A disordered click is at most this late. */
  readonly disorderByMs: number;
  /** Shares of clicks that have event times in epoch ms, and each optional field. */
  readonly epochTimes: number;
  readonly userAgents: number;
  readonly referrers: number;
  readonly impressions: number;
  /** Share of users with an IPv6 address. */
  readonly ipv6: number;
  /** `[name, weight]`; weights need not sum to 1. */
  readonly countries: readonly (readonly [string, number])[];
  readonly devices: readonly (readonly [DeviceType, number])[];
  /** Partitions that the records will be in: lateness is a matter of the partition. */
  readonly partitions: number;
  /** The counting method that late, double, bot and future clicks are aimed at. */
  readonly method: Method;
}
