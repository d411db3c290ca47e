// What `click-agg top` shows at one moment, read from a living run or from a store: the same for the
// dashboard, the plain tables and JSON.
import type { LiveStatus } from '../../core/live-status.js';
import { BUCKET_MS } from '../../core/method.js';
import type { Standing } from '../../core/ports/commit.js';
import {
  EVERYTHING,
  type GroupColumn,
  type LedgerCounts,
  type StoreReader,
  type TotalsQuery,
} from '../../core/ports/store.js';

export const VIEWS = ['ads', 'campaigns', 'countries', 'devices'] as const;
export type View = (typeof VIEWS)[number];

export const VIEW_COLUMN = {
  ads: 'ad_id',
  campaigns: 'campaign_id',
  countries: 'country',
  devices: 'device_type',
} as const satisfies Record<View, GroupColumn>;

/** Minutes of event time that the lists count and the sparklines draw. */
export const WINDOW_MINUTES = 30;

/** With a filter, so many names are looked through. */
const FILTERED_NAMES_MAX = 5_000;

export interface TopRow {
  name: string;
  /** Billable clicks of the window. */
  clicks: number;
  /** Billable clicks by minute, oldest first, one for each minute of the window. */
  minutes: number[];
}

export interface PartitionRow {
  partition: number;
  position: number;
  /** Records that are in the log and not counted yet; undefined if unknown. */
  lag: number | undefined;
  /** Epoch ms; undefined before the first sound record. */
  watermarkMs: number | undefined;
}

export interface Snapshot {
  /** Absent when no run lives and the store itself was read. */
  live: LiveStatus | undefined;
  methodHash: string | undefined;
  /** Greatest watermark, epoch ms: up to here minutes are closed somewhere. */
  asOfMs: number | undefined;
  /** The window of the lists, epoch ms, `[from, to)`; undefined when nothing was counted. */
  window: { fromMs: number; toMs: number } | undefined;
  ledger: LedgerCounts;
  partitions: PartitionRow[];
  lists: Partial<Record<View, TopRow[]>>;
}

/** What answers for totals: a run or a store. */
export type TotalsReader = Pick<StoreReader, 'query'>;

/** A run that can be asked how it is. */
export interface LiveReader extends TotalsReader {
  status(): Promise<LiveStatus>;
}

export interface ListRequest {
  views: readonly View[];
  /** Only names that contain this, whatever their case. */
  filter: string;
  /** Rows a list. */
  limit: number;
}

/**
 * The window of the lists: it ends with the newest minute that the store holds, which is the last one closed, or,
 * after a clean stop, the last one that was open. Undefined when the store holds none since `asOfMs` less the window.
 */
export async function readWindow(
  reader: TotalsReader,
  asOfMs: number | undefined,
): Promise<Snapshot['window']> {
  if (asOfMs === undefined) return undefined;
  const minutes = await reader.query({
    ...EVERYTHING,
    fromMs: Math.floor(asOfMs / BUCKET_MS) * BUCKET_MS - WINDOW_MINUTES * BUCKET_MS,
    groupBy: ['minute'],
  });
  const newest = minutes.at(-1);
  if (!newest) return undefined;
  const toMs = Date.parse(String(newest.minute)) + BUCKET_MS;
  return { fromMs: toMs - WINDOW_MINUTES * BUCKET_MS, toMs };
}

/** The greatest watermark of the partitions, epoch ms. */
export function greatestWatermark(partitions: readonly PartitionRow[]): number | undefined {
  const known = partitions.flatMap(({ watermarkMs }) => watermarkMs ?? []).filter(Number.isFinite);
  return known.length > 0 ? known.reduce((a, b) => Math.max(a, b)) : undefined;
}

/** What a living run is at now, with the asked lists. */
export async function readLive(reader: LiveReader, request: ListRequest): Promise<Snapshot> {
  const live = await reader.status();
  const partitions = live.partitions.map(({ partition, position, end, watermarkMs }) => ({
    partition,
    position,
    lag: end === undefined ? undefined : Math.max(0, end - position),
    watermarkMs: watermarkMs !== undefined && Number.isFinite(watermarkMs) ? watermarkMs : undefined,
  }));
  return snapshotOf(reader, request, { live, methodHash: live.methodHash, ledger: live.ledger, partitions });
}

/** What a store holds that no run writes to at the moment, with the asked lists. */
export async function readAtRest(
  reader: Pick<StoreReader, 'ledger' | 'query'> & {
    standing(): Promise<Pick<Standing, 'positions' | 'method' | 'methodHash'>>;
  },
  request: ListRequest,
): Promise<Snapshot> {
  const { positions, method, methodHash } = await reader.standing();
  const delayMs = method?.watermarkDelayMs ?? 0;
  const partitions = positions.map(({ partition, position, maxEventTimeMs }) => ({
    partition,
    position,
    lag: undefined,
    watermarkMs: Number.isFinite(maxEventTimeMs) ? maxEventTimeMs - delayMs : undefined,
  }));
  const ledger = await reader.ledger();
  return snapshotOf(reader, request, { live: undefined, methodHash, ledger, partitions });
}

async function snapshotOf(
  reader: TotalsReader,
  request: ListRequest,
  state: Pick<Snapshot, 'live' | 'methodHash' | 'ledger' | 'partitions'>,
): Promise<Snapshot> {
  const asOfMs = greatestWatermark(state.partitions);
  const window = await readWindow(reader, asOfMs);
  return { ...state, asOfMs, window, lists: await readLists(reader, window, request) };
}

/** The asked lists over the window: two queries a list, the second only for the names that are shown. */
export async function readLists(
  reader: TotalsReader,
  window: Snapshot['window'],
  { views, filter, limit }: ListRequest,
): Promise<Snapshot['lists']> {
  const lists: Snapshot['lists'] = {};
  for (const view of views)
    lists[view] = window ? await readList(reader, window, { view, filter, limit }) : [];
  return lists;
}

async function readList(
  reader: TotalsReader,
  window: { fromMs: number; toMs: number },
  { view, filter, limit }: { view: View; filter: string; limit: number },
): Promise<TopRow[]> {
  const column = VIEW_COLUMN[view];
  const period = { ...EVERYTHING, ...window };
  const wanted = filter.toLowerCase();
  const ranked = await reader.query({
    ...period,
    groupBy: [column],
    top: true,
    limit: wanted ? FILTERED_NAMES_MAX : limit,
  });
  const names = ranked
    .map((row) => ({ name: String(row[column]), clicks: Number(row.clicks) }))
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .slice(0, limit);
  if (names.length === 0) return [];
  const byMinute = await reader.query({
    ...period,
    [FILTER_OF[view]]: names.map(({ name }) => name),
    groupBy: ['minute', column],
  });
  const rows = new Map(
    names.map((row) => [row.name, { ...row, minutes: new Array<number>(WINDOW_MINUTES).fill(0) }]),
  );
  for (const row of byMinute) {
    const minute = Math.floor((Date.parse(String(row.minute)) - window.fromMs) / BUCKET_MS);
    const minutes = rows.get(String(row[column]))?.minutes;
    if (minutes && minute >= 0 && minute < minutes.length) minutes[minute] = Number(row.clicks);
  }
  return [...rows.values()];
}

const FILTER_OF = {
  ads: 'adIds',
  campaigns: 'campaignIds',
  countries: 'countries',
  devices: 'deviceTypes',
} as const satisfies Record<View, keyof TotalsQuery>;
