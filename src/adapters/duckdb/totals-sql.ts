// From a question about the totals to one SELECT. What a person typed is always bound as a parameter.
import { BUCKET_MS } from '../../core/method.js';
import { GROUP_COLUMNS, type GroupColumn, type TotalsQuery } from '../../core/ports/store.js';
import { invariant } from '../../errors.js';
import type { Parameter } from './sql.js';

/** Columns of an answer without grouping. */
const CELL_COLUMNS: readonly GroupColumn[] = ['minute', 'ad_id', 'campaign_id', 'country', 'device_type'];
const MINUTES: Readonly<Partial<Record<GroupColumn, number>>> = { minute: 1, hour: 60, day: 1440 };
const PLACE_COLUMNS: ReadonlySet<GroupColumn> = new Set(['country', 'device_type']);
const AD_COLUMNS: ReadonlySet<GroupColumn> = new Set(['ad_id', 'campaign_id']);

export interface TotalsStatement {
  sql: string;
  parameters: Parameter[];
  /** What was asked for, in order. Times come as DOUBLE in minutes since 1970, others as VARCHAR. */
  columns: readonly AnswerColumn[];
}

export interface AnswerColumn {
  name: GroupColumn;
  isTime: boolean;
  /** Index in the answer. Behind the asked ones stand `clicks` and the keys, all DOUBLE. */
  index: number;
  /** Index of the column that holds a number which stands for this text; undefined if the answer has none. */
  keyIndex: number | undefined;
}

/** The statement that answers `query`. */
export function totalsStatement(query: TotalsQuery): TotalsStatement {
  const asked = query.groupBy.length > 0 ? query.groupBy : CELL_COLUMNS;
  for (const column of asked) invariant(GROUP_COLUMNS.includes(column), `no column ${column}`);
  invariant(new Set(asked).size === asked.length, 'a column twice');
  const parameters: Parameter[] = [];
  const conditions = conditionsOf(query, parameters);
  const byAd = asked.some((column) => AD_COLUMNS.has(column));
  const byPlace = asked.some((column) => PLACE_COLUMNS.has(column));
  // Numbers are summed first; their texts are looked up for what is left.
  const keys = asked
    .filter((column) => column in MINUTES)
    .map((column) => `${periodOf(column)} AS ${column}`);
  if (byAd) keys.push('ad');
  if (byPlace) keys.push('place');
  const isCell = CELL_COLUMNS.every((column) => asked.includes(column));
  const where = `FROM cells WHERE ${conditions.join(' AND ')}`;
  const summed = isCell
    ? `SELECT ${keys.join(', ')}, clicks ${where}`
    : `SELECT ${[...keys, 'sum(clicks)::BIGINT AS clicks'].join(', ')} ${where} GROUP BY ALL`;
  const named = `(${summed})${byAd ? ' JOIN ads USING (ad)' : ''}${byPlace ? ' JOIN places USING (place)' : ''}`;
  const grouped = isCell
    ? `SELECT ${asked.join(', ')}, clicks::DOUBLE AS clicks, ad, place FROM ${named}`
    : `SELECT ${asked.join(', ')}, sum(clicks)::DOUBLE AS clicks FROM ${named} GROUP BY ALL`;
  const order = (query.top ? ['clicks DESC', ...asked] : asked).map((column) => `answer.${column}`);
  const limit = query.limit === undefined ? '' : ` LIMIT ${Math.max(0, Math.floor(query.limit))}`;
  const shown = asked.map((column) => (column in MINUTES ? `${column}::DOUBLE` : column));
  const numbers = isCell ? ', ad::DOUBLE, place::DOUBLE' : '';
  const sql = `SELECT ${shown.join(', ')}, clicks${numbers} FROM (${grouped}) AS answer
    ORDER BY ${order.join(', ')}${limit}`;
  return {
    sql,
    parameters,
    columns: asked.map((name, index) => answerColumn(name, index, isCell ? asked.length : undefined)),
  };
}

/** `clicksIndex` where numbers of ads and places stand behind the clicks. */
function answerColumn(name: GroupColumn, index: number, clicksIndex: number | undefined): AnswerColumn {
  const isTime = name in MINUTES;
  if (isTime) return { name, isTime, index, keyIndex: index };
  if (clicksIndex === undefined) return { name, isTime, index, keyIndex: undefined };
  return { name, isTime, index, keyIndex: clicksIndex + (AD_COLUMNS.has(name) ? 1 : 2) };
}

function periodOf(column: GroupColumn): string {
  const minutes = MINUTES[column];
  return minutes === 1 ? 'minute' : `(minute // ${minutes}) * ${minutes}`;
}

/** Conditions on the table `cells`; a minute lies in a period if its start does. */
export function conditionsOf(query: TotalsQuery, parameters: Parameter[]): string[] {
  const conditions = minuteConditions(query);
  const oneOf = (texts: readonly string[]): string =>
    texts.map((text) => `$${parameters.push(text)}`).join(', ');
  const { adIds, campaignIds, countries, deviceTypes } = query;
  const ads: string[] = [];
  if (adIds.length > 0) ads.push(`ad_id IN (${oneOf(adIds)})`);
  if (campaignIds.length > 0) ads.push(`campaign_id IN (${oneOf(campaignIds)})`);
  if (ads.length > 0) conditions.push(`ad IN (SELECT ad FROM ads WHERE ${ads.join(' AND ')})`);
  const places: string[] = [];
  if (countries.length > 0) places.push(`country IN (${oneOf(countries)})`);
  if (deviceTypes.length > 0) places.push(`device_type IN (${oneOf(deviceTypes)})`);
  if (places.length > 0) conditions.push(`place IN (SELECT place FROM places WHERE ${places.join(' AND ')})`);
  return conditions;
}

/** Greatest number that fits the column `minute`, and so a bound that excludes nothing. */
const MINUTE_MAX = 4_294_967_295;

/** Conditions on `minute` of the table `cells` for `[fromMs, toMs)`. */
export function minuteConditions(period: { fromMs: number | undefined; toMs: number | undefined }): string[] {
  const bound = (ms: number): number => Math.min(MINUTE_MAX, Math.max(0, Math.ceil(ms / BUCKET_MS)));
  const conditions = ['true'];
  if (period.fromMs !== undefined) conditions.push(`minute >= ${bound(period.fromMs)}`);
  if (period.toMs !== undefined) conditions.push(`minute < ${bound(period.toMs)}`);
  return conditions;
}
