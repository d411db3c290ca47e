// Hours and days are summed up by the commit that changes their minutes: their rows hold absolute clicks as well, the old
// ones and the difference. What is read of old values is bounded by what is remembered of them.
import type { Cell } from '../../core/ports/commit.js';
import type { RowDatabase, TotalsTable } from './database.js';
import type { TotalsPart } from './journal.js';
import { type Dimension, GRAIN_MS, keptDimension, rowOf } from './places.js';
import type { RememberedClicks } from './remembered-clicks.js';

/** Cells of one part: what is made of it in all tables has to fit into memory. */
export const PART_CELLS = 10_000;

/** Changed cells: absolute clicks, and what they were before. */
export interface ChangedCells {
  dimensions: readonly Dimension[];
  count: number;
  dimension: ArrayLike<number>;
  minuteMs: ArrayLike<number>;
  clicks: ArrayLike<number>;
  /** `clicks` less what they were. */
  gain: ArrayLike<number>;
}

/** The parts that write changed cells. Those of a campaign and an ad follow each other: a partition is then in few parts. */
export function* cellParts(cells: ChangedCells): Generator<TotalsPart> {
  const order = byOwner(cells);
  for (let from = 0; from < cells.count; from += PART_CELLS) {
    const some = order.subarray(from, from + PART_CELLS);
    yield partOf('by_ad', cells.dimensions, {
      dimension: Array.from(some, (index) => cells.dimension[index]!),
      atMs: Array.from(some, (index) => cells.minuteMs[index]!),
      clicks: Array.from(some, (index) => cells.clicks[index]!),
    });
  }
}

/** Indices of cells, those of a campaign together, and among them those of an ad. */
function byOwner({ dimensions, dimension, count }: ChangedCells): Uint32Array {
  const places = new Map<string, Map<string, number[]>>();
  const cellsOf = dimensions.map(([adId, campaignId]) => {
    const ads = places.get(campaignId) ?? new Map<string, number[]>();
    places.set(campaignId, ads);
    const cells = ads.get(adId) ?? [];
    ads.set(adId, cells);
    return cells;
  });
  for (let index = 0; index < count; index++) cellsOf[dimension[index]!]!.push(index);
  const order = new Uint32Array(count);
  let next = 0;
  for (const ads of places.values())
    for (const cells of ads.values()) for (const index of cells) order[next++] = index;
  return order;
}

/** A part with only the dimensions that its cells have. */
function partOf(
  totals: TotalsPart['totals'],
  dimensions: readonly Dimension[],
  { dimension, atMs, clicks }: Pick<TotalsPart, 'dimension' | 'atMs' | 'clicks'>,
): TotalsPart {
  const numbers = new Map<number, number>();
  const kept: Dimension[] = [];
  const renumbered = dimension.map((one) => {
    const known = numbers.get(one) ?? kept.push(dimensions[one]!) - 1;
    numbers.set(one, known);
    return known;
  });
  return { totals, dimensions: kept, dimension: renumbered, atMs, clicks };
}

/** The parts that write the hours and days of changed cells. */
export async function rollupParts(
  database: RowDatabase,
  cells: ChangedCells,
  { remembered, shards }: { remembered: RememberedClicks; shards: number },
): Promise<TotalsPart[]> {
  const parts: TotalsPart[] = [];
  for (const table of database.tables) {
    if (table.grain === 'minute') continue;
    const changes = changesOf(table, cells);
    for (let from = 0; from < changes.length; from += PART_CELLS) {
      const some = changes.slice(from, from + PART_CELLS);
      const rows = some.map(({ dimension, atMs }) => rowOf(table, dimension, { atMs, clicks: 0, shards }));
      const before = await remembered.clicksOf(table, rows);
      const after = some.map(({ gain }, index) => before[index]! + gain);
      for (const [index, row] of rows.entries()) remembered.put(table, row, after[index]!);
      parts.push(
        partOf(
          table.name,
          some.map(({ dimension }) => dimension),
          { dimension: some.map((_, index) => index), atMs: some.map(({ atMs }) => atMs), clicks: after },
        ),
      );
    }
  }
  return parts;
}

/** Differences of a table's rows that are not 0. */
function changesOf(
  table: TotalsTable,
  cells: ChangedCells,
): { dimension: Dimension; atMs: number; gain: number }[] {
  const grainMs = GRAIN_MS[table.grain];
  const { numbers, kept } = numbered(table, cells.dimensions);
  const gains = new Map<number, number>();
  for (let index = 0; index < cells.count; index++) {
    if (cells.gain[index] === 0) continue;
    const grain = Math.floor(cells.minuteMs[index]! / grainMs);
    const key = grain * kept.length + numbers[cells.dimension[index]!]!;
    gains.set(key, (gains.get(key) ?? 0) + cells.gain[index]!);
  }
  // Those of a partition follow each other.
  const owner = OWNER_AT[table.owner];
  const changes = new Map<string, { dimension: Dimension; atMs: number; gain: number }[]>();
  for (const [key, gain] of gains) {
    if (gain === 0) continue;
    const number = key % kept.length;
    const dimension = kept[number]!;
    const change = { dimension, atMs: ((key - number) / kept.length) * grainMs, gain };
    const others = changes.get(dimension[owner]);
    if (others) others.push(change);
    else changes.set(dimension[owner], [change]);
  }
  return [...changes.values()].flat();
}

/** Where a dimension has the column by which a table is found. */
const OWNER_AT = { adId: 0, campaignId: 1, country: 2 } as const;

/** The dimensions as the table keeps them, each once, and which of them each one is. */
function numbered(
  table: TotalsTable,
  dimensions: readonly Dimension[],
): { numbers: number[]; kept: Dimension[] } {
  const known = new Map<string, number>();
  const kept: Dimension[] = [];
  const numbers = dimensions.map((dimension) => {
    const one = keptDimension(table, dimension);
    const text = JSON.stringify(one);
    const number = known.get(text) ?? kept.push(one) - 1;
    known.set(text, number);
    return number;
  });
  return { numbers, kept };
}

/** Cells as columns with what each of them gains: for those who have them as rows. */
export function changedCells(rows: readonly { cell: Cell; before: number }[]): ChangedCells {
  const known = new Map<string, number>();
  const dimensions: Dimension[] = [];
  const dimension = rows.map(({ cell: { adId, campaignId, country, deviceType } }) => {
    const one: Dimension = [adId, campaignId, country, deviceType];
    const text = JSON.stringify(one);
    const number = known.get(text) ?? dimensions.push(one) - 1;
    known.set(text, number);
    return number;
  });
  return {
    ...{ dimensions, dimension, count: rows.length },
    minuteMs: rows.map(({ cell }) => cell.minuteMs),
    clicks: rows.map(({ cell }) => cell.clicks),
    gain: rows.map(({ cell, before }) => cell.clicks - before),
  };
}
