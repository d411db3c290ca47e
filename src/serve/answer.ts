// Answers to questions about totals, from the store. Whoever may see only some campaigns is asked for by those alone:
// the store never gives a number of others to this code.
import type { TotalsQuery, TotalsRow } from '../core/ports/store.js';
import type { LedgerAnswer, Series, SeriesAnswer, SeriesColumn, TotalsAnswer } from './api.js';
import { LIMITS } from './api.js';
import {
  BadQuestion,
  type FilterLists,
  type LedgerMeant,
  type PeriodMeant,
  type SeriesMeant,
  STEP_MS,
  type TotalsMeant,
} from './question.js';
import type { TotalsReader } from './store-source.js';
import { asOf, isoOrNull, type Tide } from './tide.js';

/** The campaigns that may be seen; undefined: all. */
export type Scope = readonly string[] | undefined;

const CELL_COLUMNS = ['minute', 'ad_id', 'campaign_id', 'country', 'device_type'];

const FILTER_OF = {
  ad_id: 'adIds',
  campaign_id: 'campaignIds',
  country: 'countries',
  device_type: 'deviceTypes',
} as const satisfies Record<SeriesColumn, keyof FilterLists>;

/**
 * The filters within the scope; undefined: they leave nothing. An empty list of the result means all, so a scope
 * that leaves no campaign must never become one.
 */
export function withinScope(filters: FilterLists, scope: Scope): FilterLists | undefined {
  const { adIds, campaignIds, countries, deviceTypes } = filters;
  const lists = { adIds, campaignIds, countries, deviceTypes };
  if (scope === undefined) return lists;
  const allowed = new Set(scope);
  const left = campaignIds.length > 0 ? campaignIds.filter((id) => allowed.has(id)) : scope;
  return left.length > 0 ? { ...lists, campaignIds: left } : undefined;
}

/** The period with `last` worked out. */
export function periodOf(
  { fromMs, toMs, lastMs }: PeriodMeant,
  tide: Tide,
): { fromMs?: number; toMs?: number } {
  const end = lastMs === undefined ? toMs : tide.newestMs;
  const start = lastMs === undefined ? fromMs : end === undefined ? undefined : end - lastMs;
  return { ...(start === undefined ? {} : { fromMs: start }), ...(end === undefined ? {} : { toMs: end }) };
}

/** GET /v1/totals */
export async function totalsAnswer(
  reader: TotalsReader,
  meant: TotalsMeant,
  { scope, tide }: { scope: Scope; tide: Tide },
): Promise<TotalsAnswer> {
  const period = periodOf(meant, tide);
  const filters = withinScope(meant, scope);
  const { groupBy, limit, top } = meant;
  const rows = filters
    ? await reader.query({ ...queryOf(filters, period), groupBy, top, limit: limit + 1 })
    : [];
  return {
    as_of: asOf(tide),
    from: isoOrNull(period.fromMs),
    to: isoOrNull(period.toMs),
    columns: [...(groupBy.length > 0 ? groupBy : CELL_COLUMNS), 'clicks'],
    rows: rows.slice(0, limit),
    truncated: !top && rows.length > limit,
  };
}

function queryOf(filters: FilterLists, period: { fromMs?: number; toMs?: number }): TotalsQuery {
  const { fromMs, toMs } = period;
  return { ...filters, fromMs, toMs, groupBy: [], limit: undefined, top: false };
}

/** GET /v1/series */
export async function seriesAnswer(
  reader: TotalsReader,
  meant: SeriesMeant,
  { scope, tide }: { scope: Scope; tide: Tide },
): Promise<SeriesAnswer> {
  const { step, by } = meant;
  const steps = stepsOf(meant, tide);
  const filters = withinScope(meant, scope);
  const empty: SeriesAnswer = {
    as_of: asOf(tide),
    from: isoOrNull(steps?.fromMs),
    to: isoOrNull(steps?.toMs),
    step,
    step_ms: STEP_MS[step],
    by: by ?? null,
    series: [],
    other: null,
    total: 0,
  };
  if (!steps) return empty;
  if (!filters) return by ? empty : { ...empty, series: [seriesOf(null, [], steps)] };
  const query = { ...queryOf(filters, steps), groupBy: [step] as const };
  const all = seriesOf(null, await reader.query(query), steps);
  if (!by) return { ...empty, series: [all], total: all.total };
  const series = await topSeries(reader, query, { ...meant, by }, steps);
  const rest = all.clicks.map((clicks, i) =>
    // The answers may be of two commits.
    Math.max(0, clicks - series.reduce((sum, one) => sum + one.clicks[i]!, 0)),
  );
  const total = rest.reduce((sum, clicks) => sum + clicks, 0);
  const other = total > 0 && series.length === meant.top ? { name: null, total, clicks: rest } : null;
  return { ...empty, series, other, total: all.total };
}

interface Steps {
  fromMs: number;
  toMs: number;
  step: SeriesMeant['step'];
}

/** The values with most clicks, a line each. */
async function topSeries(
  reader: TotalsReader,
  query: TotalsQuery,
  { by, top, step }: { by: SeriesColumn; top: number; step: SeriesMeant['step'] },
  steps: Steps,
): Promise<Series[]> {
  const ranked = await reader.query({ ...query, groupBy: [by], top: true, limit: top });
  if (ranked.length === 0) return [];
  const names = ranked.map((row) => String(row[by]));
  const rows = await reader.query({ ...query, [FILTER_OF[by]]: names, groupBy: [by, step] });
  const byName = new Map<string, TotalsRow[]>(names.map((name) => [name, []]));
  for (const row of rows) byName.get(String(row[by]))?.push(row);
  return names.map((name) => seriesOf(name, byName.get(name)!, steps));
}

function seriesOf(name: string | null, rows: readonly TotalsRow[], { fromMs, toMs, step }: Steps): Series {
  const stepMs = STEP_MS[step];
  const clicks = new Array<number>((toMs - fromMs) / stepMs).fill(0);
  let total = 0;
  for (const row of rows) {
    const index = (Date.parse(String(row[step])) - fromMs) / stepMs;
    if (!(index in clicks)) continue;
    clicks[index]! += Number(row.clicks);
    total += Number(row.clicks);
  }
  return { name, total, clicks };
}

/** Whole steps that hold the period; undefined: there is nothing yet. BadQuestion: they are too many. */
function stepsOf(meant: SeriesMeant, tide: Tide): Steps | undefined {
  const stepMs = STEP_MS[meant.step];
  const { fromMs, toMs = tide.newestMs } = periodOf(meant, tide);
  if (toMs === undefined) return undefined;
  const from = fromMs ?? toMs - LIMITS.stepsUnlessTold * stepMs;
  const steps = {
    fromMs: Math.floor(Math.max(0, from) / stepMs) * stepMs,
    toMs: Math.ceil(toMs / stepMs) * stepMs,
    step: meant.step,
  };
  const count = (steps.toMs - steps.fromMs) / stepMs;
  if (count <= 0) return undefined;
  if (count > LIMITS.steps)
    throw new BadQuestion(
      `a series has at most ${LIMITS.steps} steps, this one ${count}: ask for longer steps`,
    );
  return steps;
}

/** GET /v1/ledger */
export async function ledgerAnswer(
  reader: TotalsReader,
  meant: LedgerMeant,
  { tide }: { tide: Tide },
): Promise<LedgerAnswer> {
  const { fromMs, toMs } = periodOf(meant, tide);
  return {
    as_of: asOf(tide),
    from: isoOrNull(fromMs),
    to: isoOrNull(toMs),
    ledger: await reader.ledger(fromMs === undefined && toMs === undefined ? undefined : { fromMs, toMs }),
  };
}
