// Answers from the rows of a table: filtered, summed up by the asked columns, ordered by their bytes. All of it is made in
// memory, and so an answer has a greatest length.
import type { Cell } from '../../core/ports/commit.js';
import type { GroupColumn, TotalsQuery, TotalsRow } from '../../core/ports/store.js';
import { GROUP_COLUMNS } from '../../core/ports/store.js';
import { invariant, UserError } from '../../errors.js';
import type { RowDatabase } from './database.js';
import { GRAIN_MS } from './places.js';
import type { Plan } from './plan.js';

/** Rows of an answer before it is cut. */
const ROWS_MAX = 5_000_000;
/** Partitions that are read at a time. */
const READS_MAX = 16;

const CELL_COLUMNS: readonly GroupColumn[] = ['minute', 'ad_id', 'campaign_id', 'country', 'device_type'];

/** What a column of an answer is of a cell: a text, or a time in epoch ms. */
const VALUE_OF: Readonly<Record<GroupColumn, (cell: Cell) => string | number>> = {
  minute: ({ minuteMs }) => minuteMs,
  hour: ({ minuteMs }) => minuteMs - (minuteMs % GRAIN_MS.hour),
  day: ({ minuteMs }) => minuteMs - (minuteMs % GRAIN_MS.day),
  ad_id: ({ adId }) => adId,
  campaign_id: ({ campaignId }) => campaignId,
  country: ({ country }) => country,
  device_type: ({ deviceType }) => deviceType,
};

interface Group {
  values: (string | number)[];
  clicks: number;
}

/** The answer to a question that is planned. UserError: it is too long. */
export async function answerOf(database: RowDatabase, query: TotalsQuery, plan: Plan): Promise<TotalsRow[]> {
  const columns = query.groupBy.length > 0 ? query.groupBy : CELL_COLUMNS;
  for (const column of columns) invariant(GROUP_COLUMNS.includes(column), `no column ${column}`);
  invariant(new Set(columns).size === columns.length, 'a column twice');
  const groups = new Map<string, Group>();
  const passes = filterOf(query);
  const take = (cells: readonly Cell[]): void => {
    for (const cell of cells) {
      if (!passes(cell)) continue;
      const values = columns.map((column) => VALUE_OF[column](cell));
      const key = JSON.stringify(values);
      const group = groups.get(key);
      if (group) group.clicks += cell.clicks;
      else groups.set(key, { values, clicks: cell.clicks });
    }
    if (groups.size <= ROWS_MAX) return;
    throw new UserError(`the answer has more than ${ROWS_MAX} rows`, {
      hint: 'Ask for less: --from and --to, filters, or --group-by.',
    });
  };
  await readRows(database, plan, take);
  const ordered = [...groups.values()].sort(orderOf(query));
  const shown = query.limit === undefined ? ordered : ordered.slice(0, Math.max(0, Math.floor(query.limit)));
  return shown.map(({ values, clicks }) => {
    const row: TotalsRow = {};
    columns.forEach((column, index) => {
      row[column] = shownValue(values[index]!);
    });
    row.clicks = clicks;
    return row;
  });
}

async function readRows(
  database: RowDatabase,
  { table, partitions, period }: Plan,
  take: (cells: readonly Cell[]) => void,
): Promise<void> {
  if (!partitions) {
    for await (const page of database.scanTotals(table, period)) take(page);
    return;
  }
  const left = partitions.values();
  const readers = Array.from({ length: Math.min(READS_MAX, partitions.length) }, async () => {
    for (const partition of left)
      for await (const page of database.readTotals(table, partition, period)) take(page);
  });
  await Promise.all(readers);
}

function filterOf(query: TotalsQuery): (cell: Cell) => boolean {
  const filters = [
    [query.adIds, VALUE_OF.ad_id],
    [query.campaignIds, VALUE_OF.campaign_id],
    [query.countries, VALUE_OF.country],
    [query.deviceTypes, VALUE_OF.device_type],
  ] as const;
  const used = filters.flatMap(([wanted, textOf]) =>
    wanted.length > 0 ? [{ wanted: new Set<string | number>(wanted), textOf }] : [],
  );
  return (cell) => used.every(({ wanted, textOf }) => wanted.has(textOf(cell)));
}

function orderOf({ top }: TotalsQuery): (a: Group, b: Group) => number {
  return (a, b) => {
    if (top && a.clicks !== b.clicks) return b.clicks - a.clicks;
    for (const [index, value] of a.values.entries()) {
      const order = compareValues(value, b.values[index]!);
      if (order !== 0) return order;
    }
    return 0;
  };
}

function compareValues(a: string | number, b: string | number): number {
  if (typeof a === 'number' || typeof b === 'number') return Number(a) - Number(b);
  return compareTexts(a, b);
}

/** Orders texts by their bytes in UTF-8: as their units are, but for those beyond the first 65,536 characters. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const [x, y] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (x === y) continue;
    const [isPairX, isPairY] = [(x & 0xf800) === 0xd800, (y & 0xf800) === 0xd800];
    return isPairX === isPairY ? x - y : isPairX ? 1 : -1;
  }
  return a.length - b.length;
}

/** `2026-02-22T10:00:00Z` */
function shownValue(value: string | number): string {
  return typeof value === 'number' ? `${new Date(value).toISOString().slice(0, 19)}Z` : value;
}
