// Answers from the totals: filters, grouping, and three formats. Answers of millions of rows are printed page by
// page; only a table, which is for people, is made at once and has a limit.
import { DEVICE_TYPES, VERDICTS } from '../core/method.js';
import {
  GROUP_COLUMNS,
  type GroupColumn,
  type LedgerCounts,
  type StoreReader,
  type TotalsQuery,
  type TotalsRow,
} from '../core/ports/store.js';
import { UsageError } from '../errors.js';
import { command } from '../options/command.js';
import { type OptionValues, oneOf, onOff, optionalInteger, texts } from '../options/option.js';
import { dataDirOption, periodOptions } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { openReader } from '../stores/open-store.js';
import { csvLine } from '../ui/csv.js';
import { jsonLine } from '../ui/json-line.js';
import type { Terminal } from '../ui/terminal.js';

const CELL_COLUMNS: readonly GroupColumn[] = ['minute', 'ad_id', 'campaign_id', 'country', 'device_type'];
const ROWS_MAX = 1_000_000_000;
/** A longer table is cut, and says so. */
const TABLE_ROWS_MAX = 1000;

const FILTER_GROUP = 'Filters (repeat one, or separate values by commas)';

const queryOptions = {
  ...dataDirOption,
  ...storeOption,
  ad: texts({ flag: 'ad', group: FILTER_GROUP, value: 'ID', about: 'only these ads' }),
  campaign: texts({ flag: 'campaign', group: FILTER_GROUP, value: 'ID', about: 'only these campaigns' }),
  country: texts({
    flag: 'country',
    group: FILTER_GROUP,
    value: 'CODE',
    about: 'only these countries (ISO 3166-1 alpha-2, such as DE)',
  }),
  device: texts({
    flag: 'device',
    group: FILTER_GROUP,
    value: 'TYPE',
    about: 'only these device types (mobile, desktop, tablet, tv, other)',
  }),
  ...periodOptions,
  groupBy: texts({
    flag: 'group-by',
    value: 'COLUMNS',
    about: `sum by these, in this order: ${GROUP_COLUMNS.join(', ')}`,
  }),
  top: optionalInteger({ flag: 'top', min: 1, max: ROWS_MAX, about: 'the N rows with most clicks' }),
  limit: optionalInteger({ flag: 'limit', min: 1, max: ROWS_MAX, about: 'the first N rows' }),
  ledger: onOff({ flag: 'ledger', about: 'show how many records got which verdict, instead of totals' }),
  allowScan: onOff({
    flag: 'allow-scan',
    flagOnly: true,
    about: 'read everything where the store has no table for the question (Cassandra, DynamoDB)',
  }),
  format: oneOf({
    flag: 'format',
    choices: ['table', 'json', 'csv'],
    default: 'table',
    about: 'how the answer is printed',
  }),
};

type QueryOptions = OptionValues<typeof queryOptions>;

export const queryCommand = command({
  name: 'query',
  summary: 'answer from the totals: by ad, campaign, country, device and time',
  description:
    'Without --group-by every cell is shown as it is. Works while `run` is running: then the answer is of its ' +
    'last commit. Times are UTC; a period holds the minutes that start in it.',
  options: queryOptions,
  examples: [
    ['click-agg query --group-by campaign_id --top 10', 'the ten campaigns with most clicks'],
    [
      'click-agg query --group-by hour,country --from 2026-02-22 --to 2026-02-23',
      'a day by hour and country',
    ],
    ['click-agg query --ad ad-7,ad-8 --format csv > ads.csv', 'every cell of two ads, for a spreadsheet'],
    ['click-agg query --format json | jq length', 'how many cells there are'],
    ['click-agg query --ledger', 'records and their verdicts'],
  ],
  async run({ options, terminal }) {
    const query = queryOf(options);
    const format = terminal.wantsJson ? 'json' : options.format;
    if (options.ledger) refuseWithLedger(options);
    const reader = await openReader(options, { allowScan: options.allowScan });
    try {
      const { fromMs, toMs } = query;
      if (options.ledger) await printLedger(await reader.ledger({ fromMs, toMs }), format, terminal);
      else await printTotals(reader, query, format, terminal);
    } finally {
      await reader.close();
    }
  },
});

function queryOf(options: QueryOptions): TotalsQuery {
  const { from, to, top, limit } = options;
  if (from !== undefined && to !== undefined && from >= to)
    throw new UsageError('--from must be before --to');
  if (top !== undefined && limit !== undefined) throw new UsageError('give --top or --limit, not both');
  return {
    fromMs: from,
    toMs: to,
    adIds: options.ad.flatMap(listed),
    campaignIds: options.campaign.flatMap(listed),
    countries: options.country.flatMap(listed).map((code) => checkedCountry(code.toUpperCase())),
    deviceTypes: options.device.flatMap(listed).map(checkedDevice),
    groupBy: groupColumns(options.groupBy.flatMap(listed)),
    limit: top ?? limit,
    top: top !== undefined,
  };
}

/** Values separated by commas; `\,` is a comma of the value itself, and so is every space. */
function listed(text: string): string[] {
  return text.split(/(?<!\\),/).map((value) => value.replaceAll('\\,', ','));
}

function checkedCountry(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) {
    throw new UsageError(`--country ${code}: must be two letters such as DE (ISO 3166-1 alpha-2)`);
  }
  return code;
}

function checkedDevice(type: string): string {
  if (!DEVICE_TYPES.some((known) => known === type))
    throw new UsageError(`--device ${type}: must be one of ${DEVICE_TYPES.join(', ')}`);
  return type;
}

function groupColumns(names: readonly string[]): GroupColumn[] {
  const columns = names.map((name) => {
    const column = GROUP_COLUMNS.find((known) => known === name);
    if (!column) throw new UsageError(`--group-by ${name}: must be one of ${GROUP_COLUMNS.join(', ')}`);
    return column;
  });
  if (new Set(columns).size < columns.length) throw new UsageError('--group-by names a column twice');
  return columns;
}

/** The ledger counts records, which know neither ad nor country when they are invalid. */
function refuseWithLedger(options: QueryOptions): void {
  const { ad, campaign, country, device, groupBy, top, limit } = options;
  const filtered = [ad, campaign, country, device, groupBy].some(({ length }) => length > 0);
  if (filtered || top !== undefined || limit !== undefined)
    throw new UsageError('--ledger goes with --from and --to only');
}

async function printTotals(
  reader: StoreReader,
  query: TotalsQuery,
  format: QueryOptions['format'],
  terminal: Terminal,
): Promise<void> {
  const columns = [...(query.groupBy.length > 0 ? query.groupBy : CELL_COLUMNS), 'clicks'];
  if (format === 'json') await printJson(reader.pages(query), terminal);
  else if (format === 'csv') await printCsv(columns, reader.pages(query), terminal);
  else await printTable(columns, reader, query, terminal);
}

/** One JSON array, a row a line. */
async function printJson(pages: AsyncIterable<TotalsRow[]>, terminal: Terminal): Promise<void> {
  // Ids may hold what a terminal obeys; into a pipe the plain form is as good, and faster.
  const line = terminal.interactive ? jsonLine : JSON.stringify;
  let before = '[';
  for await (const page of pages) {
    await terminal.print(before + page.map((row) => line(row)).join(',\n'));
    before = ',\n';
  }
  await terminal.print(before === '[' ? '[]\n' : ']\n');
}

async function printCsv(
  columns: readonly string[],
  pages: AsyncIterable<TotalsRow[]>,
  terminal: Terminal,
): Promise<void> {
  await terminal.print(csvLine(columns));
  for await (const page of pages)
    await terminal.print(page.map((row) => csvLine(columns.map((column) => row[column]))).join(''));
}

async function printTable(
  columns: readonly string[],
  reader: StoreReader,
  query: TotalsQuery,
  terminal: Terminal,
): Promise<void> {
  const rows = await reader.query({ ...query, limit: Math.min(query.limit ?? Infinity, TABLE_ROWS_MAX + 1) });
  const shown = rows.slice(0, TABLE_ROWS_MAX);
  await terminal.table(
    columns,
    shown.map((row) => columns.map((column) => row[column])),
  );
  if (rows.length > shown.length)
    terminal.warn(`only the first ${TABLE_ROWS_MAX} rows are shown: --format csv or json prints all`);
}

async function printLedger(
  ledger: LedgerCounts,
  format: QueryOptions['format'],
  terminal: Terminal,
): Promise<void> {
  const rows = (['records', ...VERDICTS] as const).map((name) => [name, ledger[name]] as const);
  if (format === 'json') await terminal.json(Object.fromEntries(rows));
  else if (format === 'csv') await terminal.print([['verdict', 'records'], ...rows].map(csvLine).join(''));
  else await terminal.table(['verdict', 'records'], rows);
}
