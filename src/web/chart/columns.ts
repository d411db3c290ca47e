// The answer to a chart's question as columns to draw and rows to read: parts stacked on each other, the greatest at the
// bottom, so that the top edge is always the sum.
import type { SeriesAnswer } from '../../serve/api.js';
import { nameOf, ms as timeOf } from '../format.js';
import type { Dimension } from '../place.js';

export interface ChartPart {
  readonly name: string;
  /** Index of its colour; undefined: what has no colour of its own, the rest. */
  readonly colour: number | undefined;
  readonly total: number;
  /** Clicks by step. */
  readonly clicks: readonly number[];
}

export interface ChartColumns {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  /** Start of each step, epoch ms. */
  readonly times: readonly number[];
  /** Of everything. */
  readonly clicks: readonly number[];
  readonly total: number;
  /** One where the chart isn't split. */
  readonly parts: readonly ChartPart[];
  /** Steps that end after this are open: their numbers still grow. Undefined: none is. */
  readonly openFromMs: number | undefined;
}

/** Undefined: there is nothing to draw. */
export function columnsOf(answer: SeriesAnswer, splitBy: Dimension | undefined): ChartColumns | undefined {
  const { step_ms: stepMs, total } = answer;
  const [fromMs, toMs] = [timeOf(answer.from), timeOf(answer.to)];
  if (fromMs === undefined || toMs === undefined) return undefined;
  const steps = Math.round((toMs - fromMs) / stepMs);
  const times = Array.from({ length: steps }, (_, index) => fromMs + index * stepMs);
  const parts = partsOf(answer, splitBy);
  const clicks = times.map((_, index) => parts.reduce((sum, part) => sum + (part.clicks[index] ?? 0), 0));
  return { fromMs, toMs, stepMs, times, clicks, total, parts, openFromMs: openFrom(answer, toMs) };
}

function partsOf({ series, other }: SeriesAnswer, splitBy: Dimension | undefined): ChartPart[] {
  const parts: ChartPart[] = series.map(({ name, total, clicks }, index) => ({
    name: splitBy && name !== null ? nameOf(splitBy, name) : 'Clicks',
    colour: index,
    total,
    clicks,
  }));
  if (other && other.total > 0)
    parts.push({ name: 'All others', colour: undefined, total: other.total, clicks: other.clicks });
  return parts;
}

/** Start of the first step that is not over in every partition. */
function openFrom({ as_of, step_ms: stepMs }: SeriesAnswer, toMs: number): number | undefined {
  const completeMs = timeOf(as_of.complete_to);
  // Nothing is known of it: nothing is claimed to be complete.
  if (completeMs === undefined) return as_of.newest === null ? undefined : 0;
  const firstOpen = Math.floor(completeMs / stepMs) * stepMs;
  return firstOpen < toMs ? firstOpen : undefined;
}

/** Upper edge of each part, part by part. */
export function stackOf({ parts, times }: ChartColumns): number[][] {
  let below: readonly number[] = times.map(() => 0);
  return parts.map(({ clicks }) => {
    const edge = below.map((height, index) => height + (clicks[index] ?? 0));
    below = edge;
    return edge;
  });
}

/** Clicks of the newest step that is closed. */
export function newestClosed(columns: ChartColumns): { startMs: number; clicks: number } | undefined {
  const { times, stepMs, openFromMs } = columns;
  for (let index = times.length - 1; index >= 0; index--) {
    const startMs = times[index]!;
    if (openFromMs === undefined || startMs + stepMs <= openFromMs)
      return { startMs, clicks: columns.clicks[index]! };
  }
  return undefined;
}

/** Mean clicks of the closed steps. */
export function meanClosed(columns: ChartColumns): number | undefined {
  const { times, stepMs, openFromMs, clicks } = columns;
  const closed = clicks.filter(
    (_, index) => openFromMs === undefined || times[index]! + stepMs <= openFromMs,
  );
  return closed.length === 0 ? undefined : closed.reduce((sum, one) => sum + one, 0) / closed.length;
}
