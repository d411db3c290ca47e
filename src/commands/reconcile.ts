// Proves that the stream counted right: recomputes everything from the lake in SQL and compares, cell by cell.
// What agrees can be billed, and a billed period can be closed.
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { billingLines } from '../batch/billing.js';
import { hasBooksToWrite, refuseEarlyClose, writeBooks } from '../batch/closing.js';
import { keepReport } from '../batch/last-report.js';
import { type Reconciliation, reconcile } from '../batch/reconcile.js';
import { type Report, reportCsv, reportOf } from '../batch/report.js';
import { EXIT, UsageError, UserError } from '../errors.js';
import { adsOption } from '../options/ads.js';
import { priceOptions, wholeMinutes } from '../options/batch.js';
import { command } from '../options/command.js';
import { lakeOptions, lakePlaceOf } from '../options/lake.js';
import { integer, onOff, optionalText } from '../options/option.js';
import { dataDirOption, periodOptions } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { requireStoreMethod, storeMethodOptions } from '../options/store-method.js';
import { openBooks, openReader, type StorePlace } from '../stores/open-store.js';
import { htmlReport } from '../ui/html-report.js';
import { printReport } from '../ui/reconcile-output.js';
import { pricesOf } from './prices.js';

const reconcileOptions = {
  ...dataDirOption,
  ...storeOption,
  ...lakeOptions,
  ...periodOptions,
  report: optionalText({
    flag: 'report',
    value: 'FILE',
    about: 'write the report too; the name says how: .json, .csv or .html',
  }),
  sample: integer({
    flag: 'sample',
    default: '20',
    min: 1,
    max: 10_000,
    about: 'list so many of the differences, each with so many click ids',
  }),
  ...priceOptions,
  ...adsOption,
  close: onOff({
    flag: 'close',
    group: 'Billing',
    flagOnly: true,
    about: 'close the period: its billing lines never change again, later changes become adjustments',
  }),
  ...storeMethodOptions,
};

/** From the snapshot to the comparison. Periods that were backfilled take a few more. */
const STEPS = 7;

export const reconcileCommand = command({
  name: 'reconcile',
  summary: 'prove that the stream counted right, to the click, and bill what agrees',
  description:
    'Recomputes every verdict and total from the lake in SQL, up to where the store has counted, and compares ' +
    'cell by cell, with the ledger. Works while `run` is running. Exits 0 when all agree, 1 when not, 2 when misused.',
  options: reconcileOptions,
  examples: [
    ['click-agg reconcile', 'everything that was counted'],
    ['click-agg reconcile --from 2026-02-22 --to 2026-02-23 --report day.html', 'one day, as a page'],
    ['click-agg reconcile --price 0.10 --prices prices.csv', 'with a billing line for each campaign'],
    [
      'click-agg reconcile --from 2026-02-01 --to 2026-03-01 --prices prices.csv --close',
      'issue the invoice',
    ],
    ['click-agg reconcile --prices ads', 'priced by the ads table'],
    ['click-agg reconcile --json | jq .agree', 'for a script'],
  ],
  async run({ options, terminal, signal }) {
    const period = wholeMinutes(options);
    const format = reportFormat(options.report);
    const prices = await pricesOf(options);
    const billed = options.price !== undefined || options.prices !== undefined;
    if (options.close) requireClosable(options, billed);

    const progress = terminal.progress('reconcile', STEPS);
    let steps = 0;
    let found: Reconciliation;
    try {
      found = await reconcile({
        openStore: () => openReader(options),
        lake: lakePlaceOf(options),
        period,
        sample: options.sample,
        signal,
        check: (snapshot, closedPeriods) => {
          requireStoreMethod(options, snapshot.method);
          if (options.close && period) refuseEarlyClose(period, snapshot, closedPeriods);
        },
        onStep: (step) => progress.update(Math.min(steps++, STEPS), step),
        onWait: (line) => terminal.info(line),
      });
    } finally {
      progress.stop();
    }
    const billing = billed ? billingLines(found.campaigns, prices) : [];
    const toWrite = { prices, billing, close: options.close ? period : undefined, nowMs: Date.now() };
    const books = await withBooks(options, hasBooksToWrite(found, toWrite.close), async (store) => {
      if (store.writable) await writeBooks(store.writable, found, toWrite);
      return { closedPeriods: await store.closedPeriods(), adjustments: await store.adjustments() };
    });
    const report = reportOf(found, { billing, ...books }, Date.now());
    await keepForOthers(options.dataDir, report, (line) => terminal.warn(line));
    if (options.report !== undefined) {
      await writeReport(options.report, format === 'html' ? htmlReport(report) : reportText(report, format));
    }
    if (terminal.wantsJson) await terminal.json(report);
    else
      await printReport(terminal, report, { report: options.report, closed: options.close && found.agree });
    if (options.close && !found.agree) {
      throw new UserError('the period was not closed: stream and batch do not agree');
    }
    return found.agree ? EXIT.ok : EXIT.failure;
  },
});

/** For the dashboard. A reconciliation that could not be kept was made all the same. */
async function keepForOthers(dataDir: string, report: Report, warn: (line: string) => void): Promise<void> {
  const [kept] = await Promise.allSettled([keepReport(dataDir, report)]);
  if (kept.status === 'rejected') warn(`the report is not kept in ${dataDir}: ${codeOf(kept.reason)}`);
}

function codeOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}

type ReportFormat = 'json' | 'csv' | 'html';

function reportFormat(path: string | undefined): ReportFormat {
  const extension = path === undefined ? 'json' : extname(path).slice(1).toLowerCase();
  if (extension === 'json' || extension === 'csv' || extension === 'html') return extension;
  throw new UsageError(`--report ${path}: its name must end with .json, .csv or .html`);
}

function reportText(report: Report, format: ReportFormat): string {
  return format === 'csv' ? reportCsv(report) : `${JSON.stringify(report, null, 2)}\n`;
}

async function writeReport(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (error) {
    throw new UserError(`can't write the report ${path}: ${codeOf(error)}`, {
      hint: 'Check the folder and the disk.',
      cause: error,
    });
  }
}

function requireClosable(
  { from, to }: { from: number | undefined; to: number | undefined },
  billed: boolean,
): void {
  if (from === undefined || to === undefined) throw new UsageError('--close needs --from and --to');
  if (!billed) throw new UsageError('--close needs --price or --prices: an invoice has amounts');
}

type Readable = Awaited<ReturnType<typeof openReader>>;
type Writable = Awaited<ReturnType<typeof openBooks>>;

/** Runs `work` with the books, to write only where there is something to write. */
async function withBooks<T>(
  place: StorePlace,
  write: boolean,
  work: (store: Readable & { writable: Writable | undefined }) => Promise<T>,
): Promise<T> {
  const writable = write ? await openBooks(place) : undefined;
  const store = writable ?? (await openReader(place));
  try {
    return await work({ ...store, writable });
  } finally {
    await store.close();
  }
}
