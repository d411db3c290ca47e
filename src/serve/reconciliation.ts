// The last reconciliation for who asks: everything for an administrator, its own lines for an advertiser.
import { totalsByCurrency } from '../batch/billing.js';
import { readReport } from '../batch/last-report.js';
import type { Report } from '../batch/report.js';
import type { Scope } from './answer.js';
import type { ReconciliationAnswer, ReconciliationSummary } from './api.js';

/** GET /v1/reconciliation. UserError: the report can't be read. */
export async function reconciliationAnswer(file: string, scope: Scope): Promise<ReconciliationAnswer> {
  const report = await readReport(file);
  return { report: report ? summaryOf(report, scope) : null };
}

function summaryOf(report: Report, scope: Scope): ReconciliationSummary {
  const owned = scope && new Set(scope);
  const own = <T extends { campaign_id: string }>(lines: readonly T[]): T[] =>
    lines.filter(({ campaign_id }) => !owned || owned.has(campaign_id));
  const billing = own(report.billing);
  const all = <T>(value: T): T | null => (owned ? null : value);
  return {
    agree: report.agree,
    generated_at: report.generated_at,
    period: report.period,
    method_hash: report.method.hash,
    cells: all(report.cells),
    differing: all(report.differing),
    ledger_differing: all(report.ledger_differing),
    open: all(report.open),
    clicks: all(report.clicks),
    ledger: all(report.ledger),
    ledger_stream: all(report.ledger_stream),
    billing,
    billing_totals: totalsByCurrency(billing),
    closed_periods: report.closed_periods.map(({ period, closed_at, billing: lines }) => ({
      ...{ period, closed_at, billing: own(lines), billing_totals: totalsByCurrency(own(lines)) },
    })),
    adjustments: own(report.adjustments),
  };
}
