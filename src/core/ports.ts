// The interfaces around the engine, with what each guarantees. An adapter is a file that returns one of
// these; all adapters of a kind pass one contract test.
import type { RawBatch } from './batches.js';
import type { Method, Verdict } from './method.js';

// ---------------------------------------------------------------------------------------------- sources

/** Next offset to read by partition. A partition that is missing starts at its first record. */
export type Positions = ReadonlyMap<number, number>;

export interface SourceOptions {
  /** Where to start in each partition. */
  positions: Positions;
  /** Return at the log's present end (as it is when the source is opened) instead of following it. */
  untilEnd: boolean;
  signal: AbortSignal;
}

/** A log that several processes may want to read, of which one is active at a time (a consumer group); the others stand by. */
export interface Membership {
  /** Waits until this process is the active one. False: the signal came first. */
  active(signal: AbortSignal): Promise<boolean>;
  /** Tells the group how far the store has counted, for lag tools. Positions come from the store, never from here. */
  report(positions: Positions): Promise<void>;
}

/**
 * Where records come from: the embedded log, a file, Kafka.
 *
 * Guarantee: within a partition records come in ascending offset order, each once, none left out, beginning
 * at the asked position. Partitions come interleaved so that none runs ahead of the others by more than a
 * few batches in event time where the source can choose.
 */
export interface Source {
  /** How many partitions there are, as far as the source knows when it is opened (bare lines: --partitions). */
  readonly partitionCount: number;
  /** Whether it can be opened again at an older position (a pipe can't). */
  readonly seekable: boolean;
  /** Names what is read, for logs: `embedded log ./click-agg-data/log`, `clicks.ndjson`. */
  readonly description: string;
  /** Present where processes share a log. `read` then throws OwnershipLostError when another one became active. */
  readonly membership?: Membership;
  /** A batch is the consumer's until the next one is asked for; then its arrays may be used again. */
  read(options: SourceOptions): AsyncIterable<RawBatch>;
  /** Next offset to be written by partition, as far as it is known now: for lag. Partitions that were added are among them. */
  ends(): Promise<Positions>;
  /** Offset of each partition's first record that is still there, where it may be another than 0. */
  starts?(): Promise<Positions>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- commits

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

export type Standing = Pick<StoredState, 'positions' | 'methodHash' | 'method' | 'commits'>;

// ----------------------------------------------------------------------------------------------- stores

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
  /** How far it has counted and how: what of `state` is small, for those who ask every second. */
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

/** Something that happened to a dead letter: it was written, or taken back. */
export interface LetterEvent {
  /** Rises in the order of commits; numbers may be left out. */
  sequence: number;
  /** The letter is taken back: the bot's click turned out to be a double click. */
  withdrawn: boolean;
  /** As it was written. */
  letter: DeadLetter;
}

/** Where the events of a store stand. */
export interface LetterStream {
  /** Names the store: the numbers of another one mean something else. */
  id: string;
  /** The last event, or -1. */
  last: number;
  /** The last event that was marked as published, or -1. */
  published: number;
}

/**
 * The dead letters of a store in the order in which they came and went, for whoever passes them on.
 *
 * Guarantee: events are written in the commit that makes them so, and none appears later behind one that was read.
 */
export interface LetterOutbox {
  letterStream(): Promise<LetterStream>;
  /** The next events behind `after` in order, at most `limit`. */
  letterEvents(after: number, limit: number): Promise<LetterEvent[]>;
  /** A hint for the case that nobody else remembers how far they were passed on. */
  markPublished(sequence: number): Promise<void>;
}

/** A backfilled period: its totals and ledger rows are replaced as a whole. */
export interface PeriodReplacement {
  fromMs: number;
  toMs: number;
  /** Parquet files in the layout of `Snapshot`, holding all cells and ledger rows of the period as they shall be. */
  totalsFile: string;
  ledgerFile: string;
  /** The ledger of the snapshot that was recomputed; refused if the period's rows are not the same any more. */
  ledgerBeforeFile?: string | undefined;
  revision: Revision;
  /** What it changes of invoices: lines that are added in the same transaction. */
  adjustments: readonly AdjustmentLine[];
}

/** What a backfill changed. */
export interface Revision {
  /** 1, 2, … in the order they were made. */
  revision: number;
  fromMs: number;
  toMs: number;
  recordedAtMs: number;
  methodHash: string;
  /** Next offset by partition up to which the lake's too-late clicks were admitted. */
  positions: readonly { partition: number; position: number }[];
  tooLateAdmitted: number;
  /** Clicks (signed) by campaign. Money is worked out by who knows the prices. */
  adjustments: readonly {
    campaignId: string;
    clicks: number;
    amount: string | undefined;
    currency: string | undefined;
  }[];
}

/** Money is a decimal string such as `12.3400`, never a float. */
export interface BillingLine {
  campaignId: string;
  clicks: number;
  pricePerClick: string;
  amount: string;
  currency: string;
}

/** An invoice that was issued: its lines never change. */
export interface ClosedPeriod {
  /** `2026-02-01T00:00Z/2026-03-01T00:00Z` */
  periodId: string;
  fromMs: number;
  toMs: number;
  closedAtMs: number;
  methodHash: string;
  lines: readonly BillingLine[];
}

/** A credit (negative) or debit for a closed period. */
export interface AdjustmentLine {
  periodId: string;
  campaignId: string;
  clicks: number;
  pricePerClick: string;
  amount: string;
  currency: string;
  /** `backfill revision 3`, `late clicks` */
  cause: string;
  recordedAtMs: number;
}

/** The store's contents at one commit, as Parquet files for the batch engine. */
export interface Snapshot {
  state: StoredState;
  /** True: every counted click is in the totals. False: minutes still open at the positions are missing. */
  complete: boolean;
  /** Columns minute BIGINT (epoch ms), ad_id, campaign_id, country, device_type VARCHAR, clicks BIGINT. */
  totalsFile: string;
  /** Columns partition INTEGER, minute BIGINT (epoch ms or -1), invalid, too_late, duplicate, invalid_traffic, double_click, bot, billable BIGINT. */
  ledgerFile: string;
}

/** A row of a table made from the totals, with other `clicks` than they have; '' in columns that the table lacks. */
export interface CopyDifference extends Omit<Cell, 'minuteMs'> {
  table: string;
  /** Start of the row's minute, hour or day, epoch ms. */
  timeMs: number;
  /** What the totals say. */
  expected: number;
}

/** Whether all tables of a store say the same. */
export interface CopyAudit {
  /** Tables that were compared with the totals. */
  tables: number;
  differing: number;
  /** The first of them. */
  differences: CopyDifference[];
}

/** Bookkeeping and bulk access beside the totals. Each method is one transaction. */
export interface StoreBooks {
  /** Present where the store keeps totals in more than one table: compares them, of whole hours and days in the period. */
  audit?(
    period: { fromMs: number | undefined; toMs: number | undefined },
    sample: number,
  ): Promise<CopyAudit>;
  /** Writes a snapshot of the totals (of `[fromMs, toMs)`) and the ledger into `directory`. */
  snapshot(
    directory: string,
    period: { fromMs: number | undefined; toMs: number | undefined },
  ): Promise<Snapshot>;
  replacePeriod(replacement: PeriodReplacement): Promise<void>;
  revisions(): Promise<Revision[]>;
  closedPeriods(): Promise<ClosedPeriod[]>;
  /** Fails if the period overlaps one that is closed. */
  closePeriod(period: ClosedPeriod): Promise<void>;
  adjustments(): Promise<AdjustmentLine[]>;
  addAdjustments(lines: readonly AdjustmentLine[]): Promise<void>;
  /** Remembers that these dead letters were sent again. */
  markRedriven(letters: readonly { partition: number; offset: number }[], atMs: number): Promise<void>;
}

// ------------------------------------------------------------------------------------------------- live

export type { FollowerStatus, LiveStatus } from './live-status.js';
