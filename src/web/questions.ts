// What a view asks the server, and how a question looks as the address of a request.
import type { Filters, SeriesQuestion, Step, TotalsQuestion, Watchable, WatchKind } from '../serve/api.js';
import { COLUMN_OF, type Dimension, filtersOf, type Period, type Place } from './place.js';

/** So many parts of the chart have a colour of their own. */
export const SPLIT_MAX = 5;
/** Rows of a list before it is opened. */
export const ROWS_SHORT = 6;
/** Rows of an opened list. */
export const ROWS_LONG = 50;
/** Values that a filter's menu offers. */
const CHOICES_MAX = 500;

/** Minutes for a day; for a week hours, which is as fine as a screen shows. */
const CHART_STEP: Readonly<Record<Period, Step>> = {
  '15m': 'minute',
  '60m': 'minute',
  '6h': 'minute',
  '24h': 'minute',
  '7d': 'hour',
};

/** The chart. */
export function chartQuestion(place: Place): SeriesQuestion {
  const { period, splitBy } = place;
  const split = splitBy ? { by: COLUMN_OF[splitBy], top: SPLIT_MAX } : {};
  return { ...filtersOf(place), last: period, step: CHART_STEP[period], ...split };
}

/** A list of the values of a dimension, each with its course. */
export function listQuestion(place: Place, dimension: Dimension, rows: number): SeriesQuestion {
  const { period } = place;
  // A course is as wide as a word: a day of minutes would be drawn on fifty pixels.
  const step: Step = period === '24h' || period === '7d' ? 'hour' : 'minute';
  return { ...filtersOf(place), last: period, step, by: COLUMN_OF[dimension], top: rows };
}

/** What a filter's menu offers: all values, whatever was chosen of them. */
export function choicesQuestion(place: Place, dimension: Dimension): TotalsQuestion {
  return {
    ...filtersOf(place, dimension),
    last: place.period,
    group_by: [COLUMN_OF[dimension]],
    top: CHOICES_MAX,
  };
}

const FILTER_NAMES = ['ad', 'campaign', 'country', 'device'] as const satisfies readonly (keyof Filters)[];

/** Path and query of the request that asks the same as a message on the socket. */
export function requestPath<Kind extends WatchKind>(
  kind: Kind,
  question: Watchable[Kind]['question'],
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(question as Record<string, unknown>)) {
    if (value === undefined) continue;
    if (!Array.isArray(value)) search.set(name, String(value));
    else if ((FILTER_NAMES as readonly string[]).includes(name)) {
      // A comma separates values there.
      for (const each of value as string[]) search.append(name, each.replaceAll(',', '\\,'));
    } else search.set(name, value.join(','));
  }
  const text = search.toString();
  return text === '' ? `/v1/${kind}` : `/v1/${kind}?${text}`;
}
