// Which table answers a question, and how many of its partitions have to be read for it. A question that no table is made
// for is refused: what a look at everything costs today, it will cost a hundredfold next year.
import type { GroupColumn, TotalsQuery } from '../../core/ports/store.js';
import { QuestionRefused } from '../../errors.js';
import type { OwnerColumn, PartitionKey, TotalsTable } from './database.js';
import { dayStart, daysWithin } from './days.js';
import type { HeadState } from './head.js';
import { bucketsOf, END_MS, GRAIN_MS } from './places.js';

/** More partitions are not read for one question. */
export const PARTITIONS_MAX = 2_000;

export interface Plan {
  table: TotalsTable;
  period: { fromMs: number; toMs: number };
  /** undefined: the whole table is read. */
  partitions: readonly PartitionKey[] | undefined;
}

const OWNERS: readonly { owner: OwnerColumn; filter: 'adIds' | 'campaignIds' | 'countries' }[] = [
  { owner: 'adId', filter: 'adIds' },
  { owner: 'campaignId', filter: 'campaignIds' },
  { owner: 'country', filter: 'countries' },
];

const COLUMN_OF: Readonly<Partial<Record<GroupColumn, TotalsTable['columns'][number]>>> = {
  ad_id: 'adId',
  campaign_id: 'campaignId',
  country: 'country',
  device_type: 'deviceType',
};

/** How a question is answered. QuestionRefused: not by this store, unless `allowScan`. */
export function planOf(
  query: TotalsQuery,
  {
    tables,
    state,
    allowScan,
  }: {
    tables: readonly TotalsTable[];
    state: HeadState;
    allowScan: boolean;
  },
): Plan {
  const period = periodOf(query, state);
  const usable = tables.filter((table) => isExact(table, query, period) && hasColumns(table, query));
  const candidates = OWNERS.filter(({ filter }) => query[filter].length > 0).flatMap(({ owner, filter }) =>
    usable
      .filter((table) => table.owner === owner)
      .map((table) => ({ table, count: query[filter].length * partitionsOfOne(table, state, period) })),
  );
  const best = candidates.reduce<Candidate | undefined>((a, b) => (a && isBetter(a, b) ? a : b), undefined);
  if (best && best.count <= PARTITIONS_MAX) {
    const { filter } = OWNERS.find(({ owner }) => owner === best.table.owner)!;
    return {
      table: best.table,
      period,
      partitions: partitionsOf(best.table, new Set(query[filter]), state, period),
    };
  }
  if (!allowScan) throw refusal(best?.count);
  // The coarsest table has the fewest rows.
  const [table] = [...usable].sort((a, b) => GRAIN_MS[b.grain] - GRAIN_MS[a.grain] || byColumns(a, b));
  return { table: table!, period, partitions: undefined };
}

/** A partition of a table that is spread over shards holds about as many rows as so many others. */
const SHARD_WEIGHT = 50;

interface Candidate {
  table: TotalsTable;
  /** Of partitions. */
  count: number;
}

/** Fewer partitions (large ones count for more), and of as many those with fewer rows. */
function isBetter(a: Candidate, b: Candidate): boolean {
  const difference = costOf(a) - costOf(b);
  if (difference !== 0) return difference < 0;
  return GRAIN_MS[a.table.grain] > GRAIN_MS[b.table.grain];
}

function costOf({ table, count }: Candidate): number {
  return count * (table.sharded ? SHARD_WEIGHT : 1);
}

function byColumns(a: TotalsTable, b: TotalsTable): number {
  return a.columns.length - b.columns.length;
}

function refusal(partitions: number | undefined): QuestionRefused {
  const why =
    partitions === undefined
      ? 'it has to be asked for certain ads, campaigns or countries'
      : `it lies in ${partitions} partitions, of which at most ${PARTITIONS_MAX} are read: ask for fewer or a shorter period`;
  return new QuestionRefused(`the store has no table that answers this question: ${why}`, {
    hint: '--allow-scan reads everything, which takes its time; PostgreSQL, DuckDB and ClickHouse answer any question.',
  });
}

/** The question's period, wider where the store has nothing: then its edges may be those of days. */
function periodOf({ fromMs, toMs }: TotalsQuery, { cellDays, cellsEndMs }: HeadState): Plan['period'] {
  const [[first] = [0]] = cellDays;
  const from = fromMs === undefined || fromMs <= dayStart(first) ? dayStart(first) : Math.ceil(fromMs);
  const to = toMs === undefined || toMs >= cellsEndMs ? END_MS : Math.ceil(toMs);
  return { fromMs: from, toMs: Math.max(from, to) };
}

/** Whether the table's hours or days say as much as minutes would. */
function isExact(
  { grain }: TotalsTable,
  { groupBy }: TotalsQuery,
  { fromMs, toMs }: Plan['period'],
): boolean {
  if (grain === 'minute') return true;
  if (groupBy.length === 0 || groupBy.includes('minute')) return false;
  if (grain === 'day' && groupBy.includes('hour')) return false;
  return fromMs % GRAIN_MS[grain] === 0 && toMs % GRAIN_MS[grain] === 0;
}

function hasColumns(table: TotalsTable, query: TotalsQuery): boolean {
  const has = (column: TotalsTable['columns'][number]): boolean =>
    table.owner === column || table.columns.includes(column);
  const { adIds, campaignIds, countries, deviceTypes, groupBy } = query;
  if (adIds.length > 0 && !has('adId')) return false;
  if (campaignIds.length > 0 && !has('campaignId')) return false;
  if (countries.length > 0 && !has('country')) return false;
  if (deviceTypes.length > 0 && !has('deviceType')) return false;
  return groupBy.every((column) => {
    const kept = COLUMN_OF[column];
    return kept === undefined || has(kept);
  });
}

/** Partitions that an owner has in the period. */
function partitionsOfOne(table: TotalsTable, state: HeadState, period: Plan['period']): number {
  const shards = table.sharded ? state.shards : 1;
  const runs = daysWithin(state.cellDays, period);
  if (table.bucket === 'day') return shards * runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return shards * bucketsIn(table, state, period).size;
}

function partitionsOf(
  table: TotalsTable,
  owners: ReadonlySet<string>,
  state: HeadState,
  period: Plan['period'],
): PartitionKey[] {
  const buckets = [...bucketsIn(table, state, period)];
  const shards = Array.from({ length: table.sharded ? state.shards : 1 }, (_, shard) => shard);
  return [...owners].flatMap((owner) =>
    buckets.flatMap((bucket) => shards.map((shard) => ({ owner, bucket, shard }))),
  );
}

function bucketsIn(table: TotalsTable, state: HeadState, period: Plan['period']): Set<string> {
  const buckets = new Set<string>();
  for (const [first, last] of daysWithin(state.cellDays, period)) {
    const days = { fromMs: dayStart(first), toMs: dayStart(last + 1) };
    for (const bucket of bucketsOf(table, days)) buckets.add(bucket);
  }
  return buckets;
}
