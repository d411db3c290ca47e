// A reconciliation as one self-contained HTML page: no script, no file beside it, light and dark by the reader's
// own setting. Every text that comes from a click is escaped.
import type { AdjustmentJson, BillingJson, Report } from '../batch/report.js';
import { scopeOf } from '../batch/report.js';
import { visible } from './escape.js';

const LEDGER_ROWS = [
  ['records', 'records'],
  ['invalid', '− invalid'],
  ['too_late', '− too late'],
  ['duplicate', '− duplicates'],
  ['invalid_traffic', '− invalid traffic'],
  ['double_click', '− double clicks'],
  ['bot', '− bot clicks'],
  ['billable', '= billable'],
] as const;

/** Rows of one table at most; a page with a million lines helps nobody, the JSON and CSV reports have all. */
const ROWS_MAX = 5_000;

const STYLE = `
  :root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --soft: #8882; }
  @media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; } }
  * { box-sizing: border-box; }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
  h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
  .verdict { font-size: 1.25rem; font-weight: 600; padding: .75rem 1rem; border-radius: .5rem; margin: 1.25rem 0;
    border: 2px solid; }
  .good { color: var(--good); } .bad { color: var(--bad); }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
  th { font-weight: 600; background: var(--soft); } .n { text-align: right; white-space: nowrap; }
  td.ids { font-family: ui-monospace, monospace; font-size: .85em; word-break: break-all; }
  tr.sum td { font-weight: 600; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 0; }
  dt { opacity: .7; } dd { margin: 0; font-family: ui-monospace, monospace; font-size: .9em; }
  @media print { body { max-width: none; padding: 0; } }
`;

/** Text as HTML that shows it and does nothing else. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return visible(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

type Column = readonly [head: string, kind: 'text' | 'number' | 'ids'];

function table(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const cssClass = { text: '', number: ' class="n"', ids: ' class="ids"' };
  const head = columns.map(([name, kind]) => `<th${cssClass[kind]}>${escapeHtml(name)}</th>`).join('');
  const body = rows.slice(0, ROWS_MAX).map((row) => {
    const cells = row.map((cell, index) => {
      const text = typeof cell === 'number' ? cell.toLocaleString('en') : escapeHtml(cell);
      return `<td${cssClass[columns[index]![1]]}>${text}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  const cut =
    rows.length > ROWS_MAX ? `<p>The first ${ROWS_MAX} of ${rows.length}. The JSON report has all.</p>` : '';
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>${cut}`;
}

function section(title: string, body: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>\n${body}\n</section>`;
}

const MONEY: readonly Column[] = [
  ['campaign', 'text'],
  ['clicks', 'number'],
  ['price per click', 'number'],
  ['amount', 'number'],
  ['currency', 'text'],
];

function moneyRow(line: BillingJson): (string | number)[] {
  return [line.campaign_id, line.clicks, line.price_per_click, line.amount, line.currency];
}

function totalsText(totals: Report['billing_totals']): string {
  const sums = totals.map(
    ({ clicks, amount, currency }) => `${clicks.toLocaleString('en')} clicks, ${amount} ${currency}`,
  );
  return totals.length === 0 ? '' : `<p>Together ${escapeHtml(sums.join('; '))}.</p>`;
}

function ledgerSection({ ledger, ledger_stream }: Report): string {
  const rows = LEDGER_ROWS.map(([kind, name]) => [
    name,
    ledger_stream[kind],
    ledger[kind],
    ledger[kind] - ledger_stream[kind],
  ]);
  const columns: Column[] = [
    ['', 'text'],
    ['stream', 'number'],
    ['batch', 'number'],
    ['difference', 'number'],
  ];
  return section('The ledger', table(columns, rows));
}

function differencesSection(report: Report): string {
  if (report.differing === 0) return '';
  const columns: Column[] = [
    ['minute', 'text'],
    ['ad', 'text'],
    ['campaign', 'text'],
    ['country', 'text'],
    ['device', 'text'],
    ['stream', 'number'],
    ['batch', 'number'],
    ['click ids (a sample)', 'ids'],
  ];
  const rows = report.differences.map((cell) => [
    ...[cell.minute, cell.ad_id, cell.campaign_id, cell.country, cell.device_type],
    ...[cell.stream, cell.batch],
    cell.records.map(({ click_id, verdict }) => `${click_id} (${verdict})`).join(', '),
  ]);
  return section(`${report.differing} cells differ`, table(columns, rows));
}

function ledgerDifferencesSection({ ledger_differing, ledger_differences }: Report): string {
  if (ledger_differing === 0) return '';
  const rows = ledger_differences.flatMap(({ partition, minute, stream, batch }) =>
    LEDGER_ROWS.filter(([kind]) => stream[kind] !== batch[kind]).map(([kind]) => [
      String(partition),
      minute ?? 'no event time',
      kind,
      stream[kind],
      batch[kind],
    ]),
  );
  const columns: Column[] = [
    ['partition', 'text'],
    ['minute', 'text'],
    ['verdict', 'text'],
    ['stream', 'number'],
    ['batch', 'number'],
  ];
  return section(`${ledger_differing} rows of the ledger differ`, table(columns, rows));
}

function copiesSection({ copies }: Report): string {
  if (!copies || copies.differing === 0) return '';
  const columns: Column[] = [
    ...(['table', 'time', 'ad', 'campaign', 'country', 'device'] as const).map(
      (name) => [name, 'text'] as const,
    ),
    ['clicks', 'number'],
    ['should be', 'number'],
  ];
  const rows = copies.differences.map((row) => [
    ...[row.table, row.time, row.ad_id, row.campaign_id, row.country, row.device_type],
    ...[row.clicks, row.expected],
  ]);
  const title = `${copies.differing} rows of the store's other tables differ from its totals`;
  return section(title, table(columns, rows));
}

function adjustmentRow(line: AdjustmentJson): (string | number)[] {
  return [line.period, ...moneyRow(line), line.cause, line.recorded_at];
}

function moneySections(report: Report): string {
  const sections: string[] = [];
  if (report.billing.length > 0) {
    const body = table(MONEY, report.billing.map(moneyRow)) + totalsText(report.billing_totals);
    sections.push(section(`Billing, ${scopeOf(report)}`, body));
  }
  for (const { period, closed_at, billing, billing_totals } of report.closed_periods) {
    const body = table(MONEY, billing.map(moneyRow)) + totalsText(billing_totals);
    sections.push(section(`Invoice of ${period}, closed at ${closed_at}`, body));
  }
  if (report.adjustments.length > 0) {
    const columns: Column[] = [['period', 'text'], ...MONEY, ['cause', 'text'], ['recorded at', 'text']];
    sections.push(
      section('Adjustments to closed periods', table(columns, report.adjustments.map(adjustmentRow))),
    );
  }
  return sections.join('\n');
}

function methodSection({ method, positions, revisions }: Report): string {
  const { hash, ...parameters } = method;
  const entries = Object.entries({ hash, ...parameters }).map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`,
  );
  const upTo = table(
    [
      ['partition', 'text'],
      ['next offset', 'number'],
      ['watermark', 'text'],
    ],
    positions.map(({ partition, position, watermark }) => [String(partition), position, watermark ?? 'none']),
  );
  const backfills = table(
    [
      ['revision', 'text'],
      ['from', 'text'],
      ['to', 'text'],
      ['too-late clicks admitted', 'number'],
      ['recorded at', 'text'],
    ],
    revisions.map((one) => [
      ...[String(one.revision), one.from, one.to],
      ...[one.too_late_admitted, one.recorded_at],
    ]),
  );
  return [
    section('The counting method', `<dl>${entries.join('')}</dl>`),
    section('Counted up to', upTo),
    revisions.length > 0 ? section('Backfills', backfills) : '',
  ].join('\n');
}

/** The page. */
export function htmlReport(report: Report): string {
  const count = (n: number): string => n.toLocaleString('en');
  const verdict = report.agree
    ? `Stream and batch agree on all ${count(report.cells)} cells: ${count(report.clicks.batch)} clicks.`
    : `Stream and batch differ in ${count(report.differing)} of ${count(report.cells)} cells and ` +
      `${count(report.ledger_differing)} rows of the ledger.`;
  const notes = report.notes.map((note) => `<p class="bad">${escapeHtml(note)}</p>`).join('\n');
  const open =
    report.open > 0 ? `<p>${count(report.open)} cells of minutes that are still open were left out.</p>` : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Reconciliation: ${report.agree ? 'all agree' : 'differences'}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Reconciliation</h1>
<p>${escapeHtml(scopeOf(report))}; made at ${escapeHtml(report.generated_at)} by click-agg.</p>
<p class="verdict ${report.agree ? 'good' : 'bad'}">${report.agree ? '✓' : '✗'} ${escapeHtml(verdict)}</p>
${notes}${open}
${ledgerSection(report)}
${differencesSection(report)}
${copiesSection(report)}
${ledgerDifferencesSection(report)}
${moneySections(report)}
${methodSection(report)}
</body>
</html>
`;
}
