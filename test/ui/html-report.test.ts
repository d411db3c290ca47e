// The report as a page: self-contained, and with hostile ids escaped.
import { describe, expect, test } from 'vitest';
import { type Report, reportCsv } from '../../src/batch/report.js';
import { htmlReport } from '../../src/ui/html-report.js';

const HOSTILE = '</td><script>alert("1")</script>\u202e&\n=HYPERLINK("x")';
const ledger = {
  ...{ records: 1, invalid: 0, too_late: 0, duplicate: 0, invalid_traffic: 0, double_click: 0, bot: 0 },
  billable: 1,
};
const money = { campaign_id: HOSTILE, clicks: 1, price_per_click: '0.10', amount: '0.10', currency: 'EUR' };

const report: Report = {
  ...{ agree: false, cells: 1, clicks: { stream: 0, batch: 1 }, differing: 1, ledger, ledger_stream: ledger },
  differences: [
    {
      ...{ minute: '2026-02-22T10:00:00Z', ad_id: HOSTILE, campaign_id: HOSTILE, country: 'DE' },
      ...{ device_type: 'tv', stream: 0, batch: 1, click_ids: [HOSTILE] },
      records: [{ click_id: HOSTILE, verdict: 'billable', partition: 0, offset: 1 }],
    },
  ],
  ledger_differing: 1,
  ledger_differences: [{ partition: 0, minute: null, stream: { ...ledger, billable: 0 }, batch: ledger }],
  open: 2,
  period: null,
  method: {
    ...{ version: 1, watermarkDelayMs: 1, allowedLatenessMs: 1, doubleClickMs: 1, botWindowMs: 1 },
    ...{ botThreshold: 1, clockSkewMs: 1, hash: '0123456789abcdef' },
  },
  positions: [{ partition: 0, position: 2, watermark: null }],
  revisions: [],
  billing: [money],
  billing_totals: [{ currency: 'EUR', clicks: 1, amount: '0.10' }],
  closed_periods: [],
  adjustments: [{ ...money, period: 'p', cause: 'late clicks', recorded_at: '2026-02-22T10:00:00Z' }],
  notes: [HOSTILE],
  generated_at: '2026-02-22T10:00:00.000Z',
};

describe('the report of a reconciliation', () => {
  test('is a page on which a hostile field is text and nothing else', () => {
    const page = htmlReport(report);
    expect(page).not.toContain('<script');
    expect(page).not.toContain('\u202e');
    expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\\u202e&amp;\\n=HYPERLINK');
    expect(page).toContain('Stream and batch differ in 1 of 1 cells');
    expect(page).toContain('2 cells of minutes that are still open were left out');
    expect(page).not.toMatch(/ (src|href|on\w+)=/);
  });

  test('lists the rows of other tables that are not what the totals sum up to', () => {
    const row = { ad_id: HOSTILE, campaign_id: '', country: 'DE', device_type: 'tv', clicks: 4, expected: 5 };
    const difference = { table: 'ad_hours', time: '2026-02-22T10:00:00Z', ...row };
    const differing = { ...report, copies: { tables: 8, differing: 1, differences: [difference] } };
    const page = htmlReport(differing);
    expect(page).toContain('1 rows of the store&#39;s other tables differ from its totals');
    expect(page).toContain('ad_hours');
    expect(page).not.toContain('<script');
    expect(reportCsv(differing)).toMatch(/^copy,2026-02-22T10:00:00Z,.*,ad_hours should say 5$/ms);
  });

  test('is CSV that a spreadsheet reads as text', () => {
    const csv = reportCsv({ ...report, billing: [{ ...money, campaign_id: '=1+1', amount: '-0.10' }] });
    expect(csv).toContain(`,'=1+1,,,,1,0.10,-0.10,EUR,`);
    expect(csv).toContain(`"${HOSTILE.replaceAll('"', '""')}"`);
  });
});
