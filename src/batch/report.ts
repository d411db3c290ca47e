// The report of a reconciliation as one plain value: what `--json` prints and the report files hold. Times are
// ISO 8601 in UTC, money is decimal strings.
import type { Method } from '../core/method.js';
import type { AdjustmentLine, BillingLine, ClosedPeriod } from '../core/ports/books.js';
import type { LedgerCounts } from '../core/ports/store.js';
import { periodIdOf, totalsByCurrency } from './billing.js';
import type { Reconciliation } from './reconcile.js';

export interface Report {
  agree: boolean;
  cells: number;
  clicks: { stream: number; batch: number };
  /** How many cells differ; `differences` lists the first of them. */
  differing: number;
  differences: {
    minute: string;
    ad_id: string;
    campaign_id: string;
    country: string;
    device_type: string;
    stream: number;
    batch: number;
    click_ids: string[];
    records: { click_id: string; verdict: string; partition: number; offset: number }[];
  }[];
  ledger: LedgerCounts;
  ledger_stream: LedgerCounts;
  ledger_differing: number;
  ledger_differences: {
    partition: number;
    minute: string | null;
    stream: LedgerCounts;
    batch: LedgerCounts;
  }[];
  /** Rows of the store's other tables that are not what its totals sum up to; absent: it has one table. */
  copies?: {
    tables: number;
    differing: number;
    differences: {
      table: string;
      time: string;
      ad_id: string;
      campaign_id: string;
      country: string;
      device_type: string;
      clicks: number;
      expected: number;
    }[];
  };
  /** Cells left out because their minute is still open. */
  open: number;
  period: { from: string; to: string } | null;
  method: Method & { hash: string };
  positions: { partition: number; position: number; watermark: string | null }[];
  revisions: { revision: number; from: string; to: string; too_late_admitted: number; recorded_at: string }[];
  billing: BillingJson[];
  billing_totals: { currency: string; clicks: number; amount: string }[];
  closed_periods: {
    period: string;
    closed_at: string;
    method_hash: string;
    billing: BillingJson[];
    billing_totals: { currency: string; clicks: number; amount: string }[];
  }[];
  adjustments: AdjustmentJson[];
  notes: string[];
  generated_at: string;
}

export interface BillingJson {
  campaign_id: string;
  clicks: number;
  price_per_click: string;
  amount: string;
  currency: string;
}

export interface AdjustmentJson extends BillingJson {
  period: string;
  cause: string;
  recorded_at: string;
}

/** `2026-02-22T10:00:00Z` */
export function isoSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** ISO 8601 with ms, or null where there is no time. */
export function isoOrNull(ms: number): string | null {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
}

/** A bill's line as JSON has it. */
export function billingJson(line: BillingLine): BillingJson {
  return {
    campaign_id: line.campaignId,
    clicks: line.clicks,
    price_per_click: line.pricePerClick,
    amount: line.amount,
    currency: line.currency,
  };
}

/** A credit or debit as JSON has it. */
export function adjustmentJson(line: AdjustmentLine): AdjustmentJson {
  return {
    period: line.periodId,
    ...billingJson(line),
    cause: line.cause,
    recorded_at: isoSecond(line.recordedAtMs),
  };
}

export interface Books {
  billing: readonly BillingLine[];
  closedPeriods: readonly ClosedPeriod[];
  adjustments: readonly AdjustmentLine[];
}

/** Puts a report together. Closed periods and adjustments are those that touch the period. */
export function reportOf(found: Reconciliation, books: Books, generatedAtMs: number): Report {
  const { period } = found;
  const closed = books.closedPeriods.filter(
    ({ fromMs, toMs }) => !period || (fromMs < period.toMs && toMs > period.fromMs),
  );
  const closedIds = new Set(closed.map(({ periodId }) => periodId));
  return {
    agree: found.agree,
    cells: found.cells,
    clicks: found.clicks,
    differing: found.differing,
    differences: found.differences.map((cell) => ({
      minute: isoSecond(cell.minuteMs),
      ad_id: cell.adId,
      campaign_id: cell.campaignId,
      country: cell.country,
      device_type: cell.deviceType,
      stream: cell.stream,
      batch: cell.batch,
      click_ids: cell.records.map(({ clickId }) => clickId),
      records: cell.records.map(({ clickId, verdict, partition, offset }) => ({
        click_id: clickId,
        verdict,
        partition,
        offset,
      })),
    })),
    ledger: found.ledger,
    ledger_stream: found.ledgerStream,
    ledger_differing: found.ledgerDiffering,
    ledger_differences: found.ledgerDifferences.map(({ partition, minuteMs, stream, batch }) => ({
      partition,
      minute: minuteMs === undefined ? null : isoSecond(minuteMs),
      stream,
      batch,
    })),
    ...copiesOf(found),
    open: found.open,
    period: period ? { from: isoSecond(period.fromMs), to: isoSecond(period.toMs) } : null,
    method: { ...found.method, hash: found.methodHash },
    positions: found.positions.map(({ partition, position, watermarkMs }) => ({
      partition,
      position,
      watermark: isoOrNull(watermarkMs),
    })),
    revisions: found.revisions.map((revision) => ({
      revision: revision.revision,
      from: isoSecond(revision.fromMs),
      to: isoSecond(revision.toMs),
      too_late_admitted: revision.tooLateAdmitted,
      recorded_at: isoSecond(revision.recordedAtMs),
    })),
    billing: books.billing.map(billingJson),
    billing_totals: totalsByCurrency(books.billing),
    closed_periods: closed.map((one) => ({
      period: one.periodId,
      closed_at: isoSecond(one.closedAtMs),
      method_hash: one.methodHash,
      billing: one.lines.map(billingJson),
      billing_totals: totalsByCurrency(one.lines),
    })),
    adjustments: books.adjustments.filter(({ periodId }) => closedIds.has(periodId)).map(adjustmentJson),
    notes: found.notes,
    generated_at: new Date(generatedAtMs).toISOString(),
  };
}

function copiesOf({ copies }: Reconciliation): Pick<Report, 'copies'> {
  if (!copies) return {};
  const differences = copies.differences.map((one) => ({
    ...{ table: one.table, time: isoSecond(one.timeMs), ad_id: one.adId, campaign_id: one.campaignId },
    ...{ country: one.country, device_type: one.deviceType, clicks: one.clicks, expected: one.expected },
  }));
  return { copies: { tables: copies.tables, differing: copies.differing, differences } };
}

/** What stands above a report: the period it is about, or that it is about everything. */
export function scopeOf(report: Report): string {
  if (!report.period) return 'everything counted';
  return periodIdOf({ fromMs: Date.parse(report.period.from), toMs: Date.parse(report.period.to) });
}

const CSV_COLUMNS = [
  'line',
  'minute_or_period',
  'ad_id',
  'campaign_id',
  'country',
  'device_type',
  'stream_clicks',
  'batch_clicks',
  'price_per_click',
  'amount',
  'currency',
  'note',
] as const;

type CsvRow = Partial<Record<(typeof CSV_COLUMNS)[number], string | number>>;

/** The report as CSV: one table, its first column names the kind of line. */
export function reportCsv(report: Report): string {
  const rows = [
    verdictRow(report),
    ...ledgerRows(report),
    ...differenceRows(report),
    ...copyRows(report),
    ...moneyRows(report),
  ];
  const lines = rows.map((row) => CSV_COLUMNS.map((column) => csvField(row[column] ?? '')));
  return [CSV_COLUMNS, ...lines].map((fields) => `${fields.join(',')}\n`).join('');
}

function verdictRow(report: Report): CsvRow {
  const { agree, clicks, method } = report;
  return {
    line: agree ? 'agree' : 'disagree',
    minute_or_period: scopeOf(report),
    stream_clicks: clicks.stream,
    batch_clicks: clicks.batch,
    note: `method ${method.hash}`,
  };
}

function ledgerRows(report: Report): CsvRow[] {
  return (Object.keys(report.ledger) as (keyof LedgerCounts)[]).map((kind) => ({
    line: 'ledger',
    minute_or_period: scopeOf(report),
    stream_clicks: report.ledger_stream[kind],
    batch_clicks: report.ledger[kind],
    note: kind,
  }));
}

function differenceRows(report: Report): CsvRow[] {
  return report.differences.map((cell) => ({
    line: 'difference',
    minute_or_period: cell.minute,
    ad_id: cell.ad_id,
    campaign_id: cell.campaign_id,
    country: cell.country,
    device_type: cell.device_type,
    stream_clicks: cell.stream,
    batch_clicks: cell.batch,
    note: cell.click_ids.join(' '),
  }));
}

function copyRows({ copies }: Report): CsvRow[] {
  return (copies?.differences ?? []).map((row) => ({
    line: 'copy',
    minute_or_period: row.time,
    ad_id: row.ad_id,
    campaign_id: row.campaign_id,
    country: row.country,
    device_type: row.device_type,
    stream_clicks: row.clicks,
    note: `${row.table} should say ${row.expected}`,
  }));
}

function moneyRows(report: Report): CsvRow[] {
  const row = (line: string, minute_or_period: string, money: BillingJson, note = ''): CsvRow => {
    const { campaign_id, clicks, price_per_click, amount, currency } = money;
    return {
      line,
      minute_or_period,
      campaign_id,
      batch_clicks: clicks,
      price_per_click,
      amount,
      currency,
      note,
    };
  };
  return [
    ...report.billing.map((line) => row('billing', scopeOf(report), line)),
    ...report.closed_periods.flatMap(({ period, billing }) =>
      billing.map((line) => row('closed', period, line)),
    ),
    ...report.adjustments.map((line) => row('adjustment', line.period, line, line.cause)),
  ];
}

/** RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe in front. */
function csvField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
