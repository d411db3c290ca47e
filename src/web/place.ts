// Where the user is, which is what the address says: the page, the filters, the period, how the chart is split. The
// address is the whole state of the view, so that a link shows somebody else the same.
import type { Filters, SeriesColumn } from '../serve/api.js';

export const DIMENSIONS = ['campaign', 'ad', 'country', 'device'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** The column of the totals that holds a dimension. */
export const COLUMN_OF: Readonly<Record<Dimension, SeriesColumn>> = {
  campaign: 'campaign_id',
  ad: 'ad_id',
  country: 'country',
  device: 'device_type',
};

export const PERIODS = ['15m', '60m', '6h', '24h', '7d'] as const;
export type Period = (typeof PERIODS)[number];
const PERIOD_UNLESS_TOLD: Period = '60m';

/** Pages about one value of a dimension. */
const PAGE_PATHS = { campaign: 'campaigns', ad: 'ads', country: 'countries' } as const;
export type PageDimension = keyof typeof PAGE_PATHS;

export interface Place {
  /** Undefined: the overview. */
  readonly page: { readonly dimension: PageDimension; readonly value: string } | undefined;
  /** Chosen beside the page's own value; empty: all. */
  readonly filters: Readonly<Record<Dimension, readonly string[]>>;
  readonly period: Period;
  /** A part of the chart for each value of this; undefined: one chart of everything. */
  readonly splitBy: Dimension | undefined;
  /** The chart's numbers as a table. */
  readonly asTable: boolean;
}

/** The place that an address names; what it does not understand it leaves out. */
export function placeOf(url: URL): Place {
  const { pathname, searchParams } = url;
  const values = (dimension: Dimension): string[] => [
    ...new Set(searchParams.getAll(dimension).filter((value) => value !== '')),
  ];
  const page = pageOf(pathname);
  const splitBy = DIMENSIONS.find((each) => each === searchParams.get('split'));
  return {
    page,
    filters: {
      campaign: values('campaign'),
      ad: values('ad'),
      country: values('country').map((code) => code.toUpperCase()),
      device: values('device'),
    },
    period: PERIODS.find((each) => each === searchParams.get('last')) ?? PERIOD_UNLESS_TOLD,
    splitBy: splitBy === page?.dimension ? undefined : splitBy,
    asTable: searchParams.get('show') === 'table',
  };
}

function pageOf(pathname: string): Place['page'] {
  const [, folder, ...rest] = pathname.split('/');
  const dimension = (Object.keys(PAGE_PATHS) as PageDimension[]).find((each) => PAGE_PATHS[each] === folder);
  if (!dimension || rest.length !== 1 || rest[0] === '') return undefined;
  try {
    const value = decodeURIComponent(rest[0]!);
    return { dimension, value: dimension === 'country' ? value.toUpperCase() : value };
  } catch (error) {
    // A half-written escape, as from a link that was cut.
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** The address of a place, from the root. */
export function addressOf(place: Place): string {
  const search = new URLSearchParams();
  for (const dimension of DIMENSIONS) {
    for (const value of place.filters[dimension]) search.append(dimension, value);
  }
  if (place.period !== PERIOD_UNLESS_TOLD) search.set('last', place.period);
  if (place.splitBy) search.set('split', place.splitBy);
  if (place.asTable) search.set('show', 'table');
  const { page } = place;
  const path = page ? `/${PAGE_PATHS[page.dimension]}/${encodeURIComponent(page.value)}` : '/';
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** The page about one value; undefined where there is none. Filters on that dimension make no sense there. */
export function placeAbout(place: Place, dimension: Dimension, value: string): Place | undefined {
  if (dimension === 'device') return undefined;
  return {
    ...place,
    page: { dimension, value },
    filters: { ...place.filters, [dimension]: [] },
    splitBy: place.splitBy === dimension ? undefined : place.splitBy,
  };
}

/** The overview with the same filters. */
export function overviewOf(place: Place): Place {
  return { ...place, page: undefined };
}

/** The same with a value chosen that was not, or the other way round. */
export function toggled(place: Place, dimension: Dimension, value: string): Place {
  const chosen = place.filters[dimension];
  const values = chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value];
  return { ...place, filters: { ...place.filters, [dimension]: values } };
}

/** The same with another choice for one dimension. */
export function withValues(place: Place, dimension: Dimension, values: readonly string[]): Place {
  return { ...place, filters: { ...place.filters, [dimension]: values } };
}

/** The same without any filter. */
export function unfiltered(place: Place): Place {
  return { ...place, filters: { campaign: [], ad: [], country: [], device: [] } };
}

/** Whether something was chosen. */
export function isFiltered(place: Place): boolean {
  return DIMENSIONS.some((dimension) => place.filters[dimension].length > 0);
}

/** The filters of the questions: what was chosen, and the page's value; `without` leaves one dimension open. */
export function filtersOf(place: Place, without?: Dimension): Filters {
  const filters: Filters = {};
  for (const dimension of DIMENSIONS) {
    const { page } = place;
    const values = page?.dimension === dimension ? [page.value] : place.filters[dimension];
    if (dimension !== without && values.length > 0) filters[dimension] = [...values];
  }
  return filters;
}
