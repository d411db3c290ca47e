// From a question about the totals to one SELECT. What a person typed is always bound as a parameter.
import { GROUP_COLUMNS, type GroupColumn, type TotalsQuery } from '../../core/ports/store.js';
import { invariant } from '../../errors.js';

/** Columns of an answer without grouping. */
const CELL_COLUMNS: readonly GroupColumn[] = ['minute', 'ad_id', 'campaign_id', 'country', 'device_type'];

/** Start of the period that a total's minute lies in. */
const TIMES: Readonly<Partial<Record<GroupColumn, string>>> = {
  minute: 'minute',
  hour: "date_trunc('hour', minute, 'UTC')",
  day: "date_trunc('day', minute, 'UTC')",
};

export interface TotalsStatement {
  sql: string;
  values: unknown[];
  /** What was asked for, in order, times in seconds since 1970; `clicks` stands behind them. */
  columns: readonly { name: GroupColumn; isTime: boolean }[];
}

/** The statement that answers `query`. */
export function totalsStatement(query: TotalsQuery): TotalsStatement {
  const asked = query.groupBy.length > 0 ? query.groupBy : CELL_COLUMNS;
  for (const column of asked) invariant(GROUP_COLUMNS.includes(column), `no column ${column}`);
  invariant(new Set(asked).size === asked.length, 'a column twice');
  const values: unknown[] = [];
  const conditions = conditionsOf(query, values);
  const isCell = CELL_COLUMNS.every((column) => asked.includes(column));
  // An hour beside a cell's own minute says nothing new, and needs no sum.
  const keys = asked.map((column) => `${TIMES[column] ?? column} AS ${column}`).join(', ');
  const answer = isCell
    ? `SELECT ${keys}, clicks FROM totals WHERE ${conditions}`
    : `SELECT ${keys}, sum(clicks) AS clicks FROM totals WHERE ${conditions}
       GROUP BY ${asked.map((_, index) => index + 1).join(', ')}`;
  const order = (query.top ? ['clicks DESC', ...asked] : asked).join(', ');
  const limit = query.limit === undefined ? '' : ` LIMIT ${Math.max(0, Math.floor(query.limit))}`;
  const shown = asked.map((column) => (column in TIMES ? `extract(epoch FROM ${column})::float8` : column));
  return {
    sql: `SELECT ${shown.join(', ')}, clicks::float8 FROM (${answer} ORDER BY ${order}${limit}) AS answer
      ORDER BY ${order}`,
    values,
    columns: asked.map((name) => ({ name, isTime: name in TIMES })),
  };
}

/** Conditions on the table `totals`; a minute lies in a period if its start does. */
export function conditionsOf(query: TotalsQuery, values: unknown[]): string {
  const conditions = [minuteConditions(query)];
  const oneOf = (column: string, texts: readonly string[]): void => {
    if (texts.length > 0) conditions.push(`${column} = ANY ($${values.push([...texts])}::text[])`);
  };
  oneOf('ad_id', query.adIds);
  oneOf('campaign_id', query.campaignIds);
  oneOf('country', query.countries);
  oneOf('device_type', query.deviceTypes);
  return conditions.join(' AND ');
}

/** No minute is after it: a bound that excludes nothing. */
const END_MS = Date.UTC(10_000, 0, 1);

/** Conditions on `minute` for `[fromMs, toMs)`, as text: the server then knows the partitions when it plans. */
export function minuteConditions(period: { fromMs: number | undefined; toMs: number | undefined }): string {
  const time = (ms: number): string => `to_timestamp(${Math.min(END_MS, Math.max(0, Math.ceil(ms))) / 1000})`;
  const conditions = ['true'];
  if (period.fromMs !== undefined) conditions.push(`minute >= ${time(period.fromMs)}`);
  if (period.toMs !== undefined) conditions.push(`minute < ${time(period.toMs)}`);
  return conditions.join(' AND ');
}
