// What a store needs of a database that has no transactions over many rows: one register that is compared and set,
// and rows that keep the highest version that was written. Out of that this room makes a whole store, exactly once.
import type { Cell } from '../../core/ports/commit.js';
import type { TotalsQuery, TotalsRow } from '../../core/ports/store.js';

// -------------------------------------------------------------------------------------------------- totals

/** The column that a table is asked by. */
export type OwnerColumn = 'adId' | 'campaignId' | 'country';

/** A table of totals, made for one question. */
export interface TotalsTable {
  readonly name: TotalsTableName;
  /** Its rows are found by this column and the time's bucket. */
  readonly owner: OwnerColumn;
  /** A row's `minuteMs` is the start of one of these. */
  readonly grain: 'minute' | 'hour' | 'day';
  /** What one partition holds of its owner. */
  readonly bucket: 'day' | 'month' | 'year';
  /** Its other columns in the order of the key, behind the time; a column that is missing is '' in its rows. */
  readonly columns: readonly ('adId' | 'campaignId' | 'country' | 'deviceType')[];
  /** Spread over shards by the ad, since one owner's bucket would grow too large. */
  readonly sharded: boolean;
}

export type TotalsTableName =
  | 'by_ad'
  | 'by_campaign'
  | 'by_country'
  | 'ad_hours'
  | 'ad_days'
  | 'campaign_hours'
  | 'campaign_days'
  | 'country_hours'
  | 'country_days';

const table = (
  name: TotalsTableName,
  owner: OwnerColumn,
  [grain, bucket]: [TotalsTable['grain'], TotalsTable['bucket']],
  columns: TotalsTable['columns'],
): TotalsTable => ({ name, owner, grain, bucket, columns, sharded: grain === 'minute' && owner !== 'adId' });

/** Every table of totals, the one that holds the truth first. */
export const TOTALS_TABLES: readonly TotalsTable[] = [
  table('by_ad', 'adId', ['minute', 'day'], ['campaignId', 'country', 'deviceType']),
  table('by_campaign', 'campaignId', ['minute', 'day'], ['adId', 'country', 'deviceType']),
  table('by_country', 'country', ['minute', 'day'], ['adId', 'campaignId', 'deviceType']),
  table('ad_hours', 'adId', ['hour', 'month'], ['campaignId', 'country', 'deviceType']),
  table('ad_days', 'adId', ['day', 'year'], ['campaignId', 'country', 'deviceType']),
  table('campaign_hours', 'campaignId', ['hour', 'month'], ['country', 'deviceType']),
  table('campaign_days', 'campaignId', ['day', 'year'], ['country', 'deviceType']),
  table('country_hours', 'country', ['hour', 'month'], ['deviceType']),
  table('country_days', 'country', ['day', 'year'], ['deviceType']),
];

/** One partition of a table. */
export interface PartitionKey {
  /** The owner's id. */
  owner: string;
  /** `2026-02-22`, `2026-02` or `2026`, UTC. */
  bucket: string;
  /** 0 where the table is not sharded. */
  shard: number;
}

/** A row of a table: a cell, with '' in columns that the table does not keep, and the partition it lies in. */
export interface PlacedCell extends Cell {
  bucket: string;
  shard: number;
}

// -------------------------------------------------------------------------------------------------- entries

/** Everything that is not a total: small values by kind, partition and key. */
export type EntryKind = 'journal' | 'ledger' | 'letter' | 'event' | 'book';

/** The largest value of an entry, bytes: whoever writes more cuts it. */
export const ENTRY_BYTES_MAX = 256 * 1024;

export interface Entry {
  kind: EntryKind;
  /** Any text of at most 512 bytes, not empty; entries of one partition are read together. */
  partition: string;
  /** Any text of at most 512 bytes, not empty; a partition's entries are ordered by its bytes. */
  key: string;
  /** At most ENTRY_BYTES_MAX; undefined deletes. */
  value: Uint8Array | undefined;
}

export interface EntryRange {
  /** Only keys behind this one. */
  after?: string | undefined;
  /** Only keys up to this one, itself too. */
  through?: string | undefined;
  /** The greatest keys first. */
  descending?: boolean | undefined;
  limit: number;
}

// -------------------------------------------------------------------------------------------------- database

/** The register. */
export interface Head {
  /** 1, 2, …: rises with every swap. */
  revision: number;
  /** What the store knows of itself: JSON of some kilobytes; the database does not look into it. */
  text: string;
}

/**
 * A database that keeps rows.
 *
 * Guarantee: what a method wrote is durable when it returns, and read by every `read…` that begins afterwards, in
 * this process or another. `swapHead` is linearizable. A write may be repeated, by several processes at once, and may
 * arrive late, behind newer ones: the row of the highest version stays, a deletion too. Within one call rows come in
 * any order, each row once. The methods wait for a server that is away or overloaded for a while and try again; then
 * they throw a UserError, and some of what the call was to write may have been written.
 */
export interface RowDatabase {
  /** For people, without a password: `cassandra://agg@db1,db2:9042/clicks`. */
  readonly name: string;
  /** The tables that it keeps, `by_ad` among them. */
  readonly tables: readonly TotalsTable[];

  /** undefined: there is no store yet. */
  readHead(): Promise<Head | undefined>;
  /**
   * Present where it is cheaper than `readHead`: the head for those who only read, and do not swap by it. It is no older than
   * any swap that was answered, and any head that `readHead` gave, before it began. Of a swap that is not answered yet it
   * may tell or not, and may tell one moment and not tell the next.
   */
  glanceAtHead?(): Promise<Head | undefined>;
  /**
   * Makes `next` the head if the head's revision is `expected` (0: there is none yet). False: it is another one. After
   * an answer that was lost it finds out by `next.text`, which is unlike every other head's.
   */
  swapHead(expected: number, next: Head): Promise<boolean>;

  /** Writes rows of one table with this version (an integer up to 2^53); 0 clicks delete. */
  writeTotals(table: TotalsTable, rows: readonly PlacedCell[], version: number): Promise<void>;
  /** A partition's rows with `fromMs <= minuteMs < toMs` in pages, by time; deleted ones are left out. */
  readTotals(
    table: TotalsTable,
    partition: PartitionKey,
    period: { fromMs: number; toMs: number },
  ): AsyncIterable<Cell[]>;
  /** The clicks of these rows, in their order; 0 for those that are not there. */
  clicksOf(table: TotalsTable, rows: readonly PlacedCell[]): Promise<number[]>;
  /** All rows of a table in pages, in any order. */
  scanTotals(table: TotalsTable, period: { fromMs: number; toMs: number }): AsyncIterable<Cell[]>;

  /** Writes entries with this version. */
  writeEntries(entries: readonly Entry[], version: number): Promise<void>;
  readEntries(
    kind: EntryKind,
    partition: string,
    range: EntryRange,
  ): Promise<{ key: string; value: Uint8Array }[]>;

  /**
   * Present where the database answers every question about its totals by itself: in pages, grouped and ordered as asked,
   * with the rows as they were when its first page was given.
   */
  answer?(query: TotalsQuery): AsyncIterable<TotalsRow[]>;
  close(): Promise<void>;
}
