// What a person sees of a reconciliation: what agrees and what doesn't, side by side, and the money.
import type { AdjustmentJson, Report } from '../batch/report.js';
import { scopeOf } from '../batch/report.js';
import type { Terminal } from './terminal.js';

/** Campaigns that a person is shown; files and JSON have all. */
const BILLING_LINES_MAX = 20;

const LEDGER_LINES = [
  ['records', 'records'],
  ['invalid', 'invalid'],
  ['too late', 'too_late'],
  ['duplicate', 'duplicate'],
  ['invalid traffic', 'invalid_traffic'],
  ['double click', 'double_click'],
  ['bot', 'bot'],
  ['billable', 'billable'],
] as const;

/** The whole report. */
export async function printReport(
  terminal: Terminal,
  report: Report,
  done: { report: string | undefined; closed: boolean },
): Promise<void> {
  const { style } = terminal;
  const { ledger, ledger_stream: stream } = report;
  await terminal.print(`Reconciliation of ${scopeOf(report)}, method ${report.method.hash}\n\n`);
  await terminal.table(
    ['ledger', 'stream', 'batch', 'difference'],
    LEDGER_LINES.map(([name, kind]) => [name, stream[kind], ledger[kind], ledger[kind] - stream[kind]]),
  );
  await printDifferences(terminal, report);
  await printCopies(terminal, report);
  await printMoney(terminal, report);
  for (const { revision, from, to, too_late_admitted } of report.revisions) {
    await terminal.print(
      `Backfill ${revision} of ${from} to ${to} admitted ${too_late_admitted} too-late clicks.\n`,
    );
  }
  if (report.open > 0) {
    await terminal.print(`${report.open} cells of minutes that are still open were left out.\n`);
  }
  for (const note of report.notes) terminal.warn(note);
  const { cells, clicks } = report;
  const differing = report.differing + report.ledger_differing;
  await terminal.print(
    report.agree || differing === 0
      ? `\n${style.green('✓')} ${style.bold('Stream and batch agree to the click')}: ${cells} cells, ${clicks.batch} clicks, difference 0.\n`
      : `\n${style.red('✗')} ${style.bold('Stream and batch differ')}: ${report.differing} of ${cells} cells, ${report.ledger_differing} rows of the ledger.\n`,
  );
  if (!report.agree && differing === 0)
    await terminal.print(
      `${style.red('✗')} ${style.bold("The store's own tables differ")}, as listed above.\n`,
    );
  if (done.closed)
    await terminal.print(`The period ${scopeOf(report)} is closed: its billing lines never change.\n`);
  if (done.report !== undefined) terminal.info(`The report is in ${done.report}`);
}

async function printDifferences(terminal: Terminal, report: Report): Promise<void> {
  if (report.differing > 0) {
    await terminal.print(
      `\n${report.differing} cells differ${more(report.differing, report.differences)}:\n`,
    );
    await terminal.table(
      ['minute', 'ad', 'campaign', 'country', 'device', 'stream', 'batch', 'click ids (verdict in batch)'],
      report.differences.map((cell) => [
        ...[cell.minute, cell.ad_id, cell.campaign_id, cell.country, cell.device_type],
        ...[cell.stream, cell.batch],
        cell.records.map(({ click_id, verdict }) => `${click_id} (${verdict})`).join(' '),
      ]),
    );
    await terminal.print('Ask about one of them: click-agg explain CLICK_ID\n');
  }
  if (report.ledger_differing > 0) {
    const rows = report.ledger_differences.flatMap(({ partition, minute, stream, batch }) =>
      LEDGER_LINES.filter(([, kind]) => stream[kind] !== batch[kind]).map(([name, kind]) => [
        ...[partition, minute ?? '-', name],
        ...[stream[kind], batch[kind]],
      ]),
    );
    const shown = more(report.ledger_differing, report.ledger_differences);
    await terminal.print(`\n${report.ledger_differing} rows of the ledger differ${shown}:\n`);
    await terminal.table(['partition', 'minute', 'verdict', 'stream', 'batch'], rows);
  }
}

async function printCopies(terminal: Terminal, { copies }: Report): Promise<void> {
  if (!copies) return;
  if (copies.differing === 0) {
    await terminal.print(`\nThe store's ${copies.tables} other tables say what its totals sum up to.\n`);
    return;
  }
  const shown = more(copies.differing, copies.differences);
  await terminal.print(
    `\n${copies.differing} rows of the store's other tables differ from its totals${shown}:\n`,
  );
  await terminal.table(
    ['table', 'time', 'ad', 'campaign', 'country', 'device', 'clicks', 'should be'],
    copies.differences.map((row) => [
      ...[row.table, row.time, row.ad_id, row.campaign_id, row.country, row.device_type],
      ...[row.clicks, row.expected],
    ]),
  );
}

function more(all: number, listed: readonly unknown[]): string {
  return all > listed.length ? `, the first ${listed.length} (--sample)` : '';
}

async function printMoney(terminal: Terminal, report: Report): Promise<void> {
  if (report.billing.length > 0) {
    const byAmount = [...report.billing].sort((a, b) => b.clicks - a.clicks).slice(0, BILLING_LINES_MAX);
    const left = report.billing.length - byAmount.length;
    await terminal.print('\nBilling\n');
    await terminal.table(
      ['campaign', 'clicks', 'price per click', 'amount', 'currency'],
      [
        ...byAmount.map((line) => [
          ...[line.campaign_id, line.clicks],
          ...[line.price_per_click, line.amount, line.currency],
        ]),
        ...report.billing_totals.map(({ clicks, amount, currency }) => [
          'total',
          clicks,
          '',
          amount,
          currency,
        ]),
      ],
    );
    if (left > 0) await terminal.print(`and ${left} smaller campaigns: --report FILE and --json list all\n`);
  }
  if (report.adjustments.length > 0) {
    await terminal.print('\nAdjustments to closed periods\n');
    await printAdjustments(terminal, report.adjustments);
  }
}

/** Credits and debits for closed periods, as a table. */
export async function printAdjustments(terminal: Terminal, lines: readonly AdjustmentJson[]): Promise<void> {
  await terminal.table(
    ['period', 'campaign', 'clicks', 'price per click', 'amount', 'currency', 'cause'],
    lines.map((line) => [
      ...[line.period, line.campaign_id, line.clicks],
      ...[line.price_per_click, line.amount, line.currency, line.cause],
    ]),
  );
}
