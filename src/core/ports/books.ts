// A store's books beside the totals: backfills, invoices and what corrects them, snapshots for the batch engine.
import type { Cell, StoredState } from './commit.js';

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
