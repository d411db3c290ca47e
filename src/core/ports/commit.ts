// What one commit of the engine holds, and what a store knows afterwards.
import type { Method, Verdict } from '../method.js';

/** A cell of the totals. `clicks` is absolute: writing a cell again changes nothing. */
export interface Cell {
  /** Start of the minute, epoch ms. */
  minuteMs: number;
  adId: string;
  campaignId: string;
  country: string;
  deviceType: string;
  clicks: number;
}

/**
 * Changed cells as columns (a commit may hold a million). `dimension[i]` points into the `dimensions` list of
 * the same commit: (ad_id, campaign_id, country, device_type), each combination once.
 */
export interface CellColumns {
  count: number;
  minuteMs: Float64Array;
  dimension: Int32Array;
  /** Absolute clicks; 0 deletes the cell. */
  clicks: Int32Array;
  /** 1: the store may hold an older value of this cell (overwrite it); 0: it was never written. */
  rewrite: Uint8Array;
  dimensions: readonly (readonly [adId: string, campaignId: string, country: string, deviceType: string])[];
}

/** How many records of one partition and one minute of event time got which verdict: a difference to be added. */
export interface LedgerChange {
  partition: number;
  /** Start of the minute of event time, epoch ms; NO_EVENT_TIME for invalid records. */
  minuteMs: number;
  counts: Readonly<Record<Verdict, number>>;
}

/** The ledger's minute for records without a usable event time (all invalid ones). */
export const NO_EVENT_TIME = -1;

/** A record that is not billed and is kept for people to look at. */
export interface DeadLetter {
  partition: number;
  offset: number;
  verdict: 'invalid' | 'too_late' | 'invalid_traffic' | 'bot';
  /** For `invalid` one of INVALID_REASONS, for `invalid_traffic` the click's mark; else a sentence. */
  reason: string;
  /** Epoch ms, or undefined where unknown. */
  eventTimeMs: number | undefined;
  appendTimeMs: number | undefined;
  clickId: string | undefined;
  adId: string | undefined;
  campaignId: string | undefined;
  ipAddress: string | undefined;
  key: Uint8Array | undefined;
  /** The bytes as they came (cut to RECORD_BYTES_MAX); undefined for a bot click and a marked one: the log and the lake have them. */
  value: Uint8Array | undefined;
  /** True length of the value in bytes. */
  valueBytes: number | undefined;
  /** When it was sent again (`dead-letters redrive`), epoch ms; the engine leaves it out. */
  redrivenAtMs?: number | undefined;
}

/** Where a partition stands. */
export interface PartitionPosition {
  partition: number;
  /** Next offset to count. */
  position: number;
  /** Greatest event time among countable records below `position`, epoch ms, or -Infinity. */
  maxEventTimeMs: number;
  /** Older offset from which memory is rebuilt: every record that memory still needs is at it or above. */
  rewindOffset: number;
  /** Greatest event time below `rewindOffset`, epoch ms, or -Infinity. */
  rewindMaxEventTimeMs: number;
}

/** What memory can't rebuild from the records at and above the rewind offsets. */
export interface Checkpoint {
  /** Memory holds records of event time at or after this, epoch ms (-Infinity: all). */
  floorMs: number;
  /** Double-click periods that opened before the floor and reach past it: 4 words of the user:ad hash, opening time in ms. */
  openPeriods: readonly { hash: readonly [number, number, number, number]; openedMs: number }[];
}

/** Everything of one commit. A store writes it in one transaction: all or nothing. */
export interface Commit {
  cells: CellColumns;
  ledger: readonly LedgerChange[];
  deadLetters: readonly DeadLetter[];
  /** Bot clicks that a late click turned into double clicks: their dead letters are withdrawn. */
  withdrawn: readonly { partition: number; offset: number }[];
  positions: readonly PartitionPosition[];
  /** Absent when it did not change since the last commit. */
  checkpoint: Checkpoint | undefined;
  /** All cells are written, those of minutes still open too (provisional). Else open minutes are only in memory. */
  complete: boolean;
  /**
   * The store's `commits` when it is made; absent: one more than before. A store that has made as many or more already
   * leaves it alone, so that whoever repeats commits to a store that follows another one need not know how far it came.
   */
  number?: number | undefined;
}

/** What the store knows when a run starts. */
export interface StoredState {
  positions: readonly PartitionPosition[];
  checkpoint: Checkpoint | undefined;
  /** Hash of the method that counted (`methodHash`); undefined in a new store. */
  methodHash: string | undefined;
  method: Method | undefined;
  /** What was counted: a name and fingerprint of the log or file, as the source gave it. */
  sourceIdentity: string | undefined;
  /** Number of the last commit; 0 in a new store. */
  commits: number;
}

/** What of it is small. */
export type Standing = Omit<StoredState, 'checkpoint'>;
