// Where a cell lies in a table: its partition's bucket of time, its shard, and which of its columns the table keeps.
import type { Cell } from '../../core/ports/commit.js';
import type { PlacedCell, TotalsTable } from './database.js';

export const GRAIN_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** No minute is at or after it. */
export const END_MS = Date.UTC(10_000, 0, 1);

/** The four texts of a cell. */
export type Dimension = readonly [adId: string, campaignId: string, country: string, deviceType: string];

const COLUMNS = ['adId', 'campaignId', 'country', 'deviceType'] as const;

/** `2026-02-22`, `2026-02` or `2026` */
export function bucketOf({ bucket }: TotalsTable, ms: number): string {
  return dayText(Math.floor(ms / GRAIN_MS.day)).slice(0, { day: 10, month: 7, year: 4 }[bucket]);
}

/** Texts of days that are remembered: a commit's cells are of few days. */
const DAYS_MAX = 1000;
const dayTexts = new Map<number, string>();

function dayText(day: number): string {
  let text = dayTexts.get(day);
  if (text === undefined) {
    text = new Date(day * GRAIN_MS.day).toISOString();
    if (dayTexts.size >= DAYS_MAX) dayTexts.clear();
    dayTexts.set(day, text);
  }
  return text;
}

/** The buckets that hold a part of `[fromMs, toMs)`, in order. */
export function* bucketsOf(
  table: TotalsTable,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Generator<string> {
  for (let ms = fromMs; ms < toMs; ms = nextBucket(table, ms)) yield bucketOf(table, ms);
}

function nextBucket({ bucket }: TotalsTable, ms: number): number {
  const time = new Date(ms);
  if (bucket === 'day') return (Math.floor(ms / GRAIN_MS.day) + 1) * GRAIN_MS.day;
  if (bucket === 'month') return Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1);
  return Date.UTC(time.getUTCFullYear() + 1, 0);
}

/** The texts as the table keeps them: '' in columns that it has not. */
export function keptDimension({ owner, columns }: TotalsTable, dimension: Dimension): Dimension {
  const [adId, campaignId, country, deviceType] = COLUMNS.map((column, index) =>
    column === owner || columns.includes(column) ? dimension[index]! : '',
  );
  return [adId!, campaignId!, country!, deviceType!];
}

/** A cell as a row of the table. `dimension` is as the table keeps it, `atMs` the start of its minute, hour or day. */
export function rowOf(
  table: TotalsTable,
  [adId, campaignId, country, deviceType]: Dimension,
  { atMs, clicks, shards }: { atMs: number; clicks: number; shards: number },
): PlacedCell {
  return {
    minuteMs: atMs,
    ...{ adId, campaignId, country, deviceType, clicks },
    bucket: bucketOf(table, atMs),
    shard: table.sharded ? shardOf(adId, shards) : 0,
  };
}

/** The texts of a cell. */
export function dimensionOf({ adId, campaignId, country, deviceType }: Cell): Dimension {
  return [adId, campaignId, country, deviceType];
}

/** FNV-1a of the UTF-16 units: where a row lies must never change. */
export function shardOf(adId: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < adId.length; index++) {
    hash = Math.imul(hash ^ adId.charCodeAt(index), 0x01000193);
  }
  // Its low bits alone are poor for ids that differ in their last digits.
  hash ^= hash >>> 15;
  return (hash >>> 0) % shards;
}
