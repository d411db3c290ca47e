// The report of a reconciliation as one plain value: what `--json` prints and the report files hold. Times are
// ISO 8601 in UTC, money is decimal strings.
import type { Method } from '../core/method.js';
import type { AdjustmentLine, BillingLine, ClosedPeriod, LedgerCounts } from '../core/ports.js';
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

export function billingJson(line: BillingLine): BillingJson {
  return {
    campaign_id: line.campaignId,
    clicks: line.clicks,
    price_per_click: line.pricePerClick,
    amount: line.amount,
    currency: line.currency,
  };
}

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

/** What stands above a report: the period it is about, or that it is about everything. */
export function scopeOf(report: Report): string {
  if (!report.period) return 'everything counted';
  return periodIdOf({ fromMs: Date.parse(report.period.from), toMs: Date.parse(report.period.to) });
}

/** The report as CSV: one table, its first column names the kind of line. */
export function reportCsv(report: Report): string {
  const rows: (string | number)[][] = [
    [
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
    ],
  ];
  const scope = scopeOf(report);
  const { clicks, method } = report;
  const verdict = report.agree ? 'agree' : 'disagree';
  rows.push([
    verdict,
    scope,
    '',
    '',
    '',
    '',
    clicks.stream,
    clicks.batch,
    '',
    '',
    '',
    `method ${method.hash}`,
  ]);
  for (const kind of Object.keys(report.ledger) as (keyof LedgerCounts)[]) {
    rows.push([
      'ledger',
      scope,
      '',
      '',
      '',
      '',
      report.ledger_stream[kind],
      report.ledger[kind],
      '',
      '',
      '',
      kind,
    ]);
  }
  for (const cell of report.differences) {
    const { minute, ad_id, campaign_id, country, device_type, stream, batch, click_ids } = cell;
    const ids = click_ids.join(' ');
    rows.push([
      'difference',
      minute,
      ad_id,
      campaign_id,
      country,
      device_type,
      stream,
      batch,
      '',
      '',
      '',
      ids,
    ]);
  }
  const money = (kind: string, period: string, line: BillingJson, note: string): void => {
    const { campaign_id, clicks: count, price_per_click, amount, currency } = line;
    rows.push([kind, period, '', campaign_id, '', '', '', count, price_per_click, amount, currency, note]);
  };
  for (const line of report.billing) money('billing', scope, line, '');
  for (const { period, billing } of report.closed_periods) {
    for (const line of billing) money('closed', period, line, '');
  }
  for (const line of report.adjustments) money('adjustment', line.period, line, line.cause);
  return rows.map((row) => `${row.map(csvField).join(',')}\n`).join('');
}

/** RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe in front. */
function csvField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
