// From a question about the totals to one SELECT: the server filters, groups, orders and cuts.
import { GROUP_COLUMNS, type GroupColumn, type TotalsQuery, type TotalsRow } from '../../core/ports/store.js';
import { invariant } from '../../errors.js';
import type { Connections } from './connections.js';
import { MERGED, MERGED_SETTINGS, minuteConditions, oneOf } from './sql.js';

/** Columns of an answer without grouping. */
const CELL_COLUMNS: readonly GroupColumn[] = ['minute', 'ad_id', 'campaign_id', 'country', 'device_type'];

/** Time texts that are remembered. */
const REMEMBERED_MAX = 50_000;

/** Start of the period that a total's minute lies in, epoch ms. By arithmetic: it holds for every year. */
const start = (periodMs: number): string =>
  `intDiv(toUnixTimestamp64Milli(minute), ${periodMs}) * ${periodMs}`;
const TIMES: Readonly<Partial<Record<GroupColumn, string>>> = {
  minute: 'toUnixTimestamp64Milli(minute)',
  hour: start(3_600_000),
  day: start(86_400_000),
};

/** The columns of an answer: as asked, or a cell's. */
function columnsOf({ groupBy }: TotalsQuery): readonly GroupColumn[] {
  const asked = groupBy.length > 0 ? groupBy : CELL_COLUMNS;
  for (const column of asked) invariant(GROUP_COLUMNS.includes(column), `no column ${column}`);
  invariant(new Set(asked).size === asked.length, 'a column twice');
  return asked;
}

/** The statement that answers `query` from a table: the asked columns, times as epoch ms, and the clicks. */
export function totalsStatement(query: TotalsQuery, table: string): string {
  const asked = columnsOf(query);
  const places = asked.map((_, index) => index + 1);
  const clicks = places.length + 1;
  const isCell = CELL_COLUMNS.every((column) => asked.includes(column));
  // A name of ours would be taken for the table's column.
  const keys = asked.map((column, index) => `${TIMES[column] ?? column} AS key_${index}`);
  const conditions = [
    ...minuteConditions(query),
    oneOf('ad_id', query.adIds),
    oneOf('campaign_id', query.campaignIds),
    oneOf('country', query.countries),
    oneOf('device_type', query.deviceTypes),
    'clicks > 0',
  ].filter((condition) => condition !== undefined);
  const order = query.top ? [`${clicks} DESC`, ...places] : places;
  return [
    `SELECT ${keys.join(', ')}, ${isCell ? 'clicks' : 'sum(clicks)'} AS answer`,
    `FROM ${table} ${MERGED} WHERE ${conditions.join(' AND ')}`,
    isCell ? '' : `GROUP BY ${places.join(', ')}`,
    `ORDER BY ${order.join(', ')}`,
    query.limit === undefined ? '' : `LIMIT ${Math.max(0, Math.floor(query.limit))}`,
    MERGED_SETTINGS,
  ].join(' ');
}

/** Answers a question in pages. */
export async function* answer(connections: Connections, query: TotalsQuery): AsyncGenerator<TotalsRow[]> {
  const columns = columnsOf(query);
  const times = new Map<number, string>();
  const statement = totalsStatement(query, `${connections.address.database}.totals`);
  for await (const rows of connections.pages(statement)) {
    yield rows.map((row) => {
      const answered: TotalsRow = {};
      for (const [index, column] of columns.entries()) {
        answered[column] = column in TIMES ? timeText(Number(row[index]), times) : String(row[index]);
      }
      answered.clicks = Number(row[columns.length]);
      return answered;
    });
  }
}

/** `2026-02-22T10:00:00Z` */
function timeText(ms: number, known: Map<number, string>): string {
  let text = known.get(ms);
  if (text === undefined) {
    text = `${new Date(ms).toISOString().slice(0, 19)}Z`;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(ms, text);
  }
  return text;
}
