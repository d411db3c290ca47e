// The days for which a store has rows, as a short list: questions without a beginning or an end are asked of these days
// alone. It may name a few days too many, and so it never grows beyond what the head can hold.

const DAY_MS = 86_400_000;
/** Beyond so many runs of days the two that are nearest become one. */
const RUNS_MAX = 50;

/** Runs of days since 1970, first and last of each, in order and apart. */
export type Days = readonly (readonly [first: number, last: number])[];

/** The day of a time. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/** Start of a day, epoch ms. */
export function dayStart(day: number): number {
  return day * DAY_MS;
}

/** The days with some more. */
export function withDays(days: Days, more: Iterable<number>): Days {
  const fresh = [...new Set(more)].filter(
    (day) => !days.some(([first, last]) => first <= day && day <= last),
  );
  if (fresh.length === 0) return days;
  const sorted = [...days.map(([first, last]) => [first, last] as [number, number])];
  for (const day of fresh) sorted.push([day, day]);
  sorted.sort(([a], [b]) => a - b);
  const runs: [number, number][] = [];
  for (const run of sorted) {
    const before = runs.at(-1);
    if (before && run[0] <= before[1] + 1) before[1] = Math.max(before[1], run[1]);
    else runs.push(run);
  }
  while (runs.length > RUNS_MAX) joinNearest(runs);
  return runs;
}

function joinNearest(runs: [number, number][]): void {
  const gaps = runs.slice(1).map(([first], index) => first - runs[index]![1]);
  const nearest = gaps.indexOf(gaps.reduce((a, b) => Math.min(a, b)));
  const [, last] = runs[nearest + 1]!;
  runs.splice(nearest, 2, [runs[nearest]![0], last]);
}

/** Those of the days that hold a part of `[fromMs, toMs)`, as runs. */
export function daysWithin(days: Days, { fromMs, toMs }: { fromMs: number; toMs: number }): Days {
  const [from, to] = [dayOf(fromMs), Math.ceil(toMs / DAY_MS) - 1];
  return days.flatMap(([first, last]) => {
    const run = [Math.max(first, from), Math.min(last, to)] as const;
    return run[0] <= run[1] ? [run] : [];
  });
}
