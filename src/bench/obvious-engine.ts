// The engine that one writes first: JSON.parse, an object a click, Maps with string keys. The baseline that the
// real one is measured against: it applies the whole counting method and writes the same store, each step in the
// plainest way. It takes a few garbled records for clicks that the real decoder refuses, since it reads strings.
import { mkdtemp, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../adapters/duckdb/store.js';
import {
  BUCKET_MS,
  DEFAULT_METHOD,
  DEVICE_TYPES,
  EVENT_TIME_END_MS,
  EVENT_TIME_MIN_MS,
  VERDICTS,
  type Verdict,
} from '../core/method.js';
import { murmur2, partitionOf } from '../core/murmur2.js';
import type { Commit } from '../core/ports/commit.js';
import { linesOf } from './lines.js';

interface Click {
  id: string;
  timeMs: number;
  partition: number;
  offset: number;
  pair: string;
  address: string;
  cell: string;
  verdict: Verdict;
  isDouble: boolean;
  isBot: boolean;
  /** Its mark of invalid traffic; '' without one. */
  mark: string;
}

const PARTITIONS = 6;
const CLEAN_EVERY = 200_000;
const COMMIT_EVERY = 300_000;
const method = DEFAULT_METHOD;
const lengthMax = 128;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const FRACTION = /"event_time": ?\d+[.eE]/;

/** Clicks of the horizon by (click id, event time, partition), by (user, ad), and by address, the oldest first. */
const seen = new Map<string, Click>();
const byPair = new Map<string, Click[]>();
const byAddress = new Map<string, Click[]>();
const totals = new Map<string, number>();
const written = new Set<string>();
const changed = new Set<string>();
const ledger: Record<Verdict, number> = {
  ...{ invalid: 0, too_late: 0, duplicate: 0, invalid_traffic: 0, double_click: 0, bot: 0, billable: 0 },
};
const greatestMs = new Array<number>(PARTITIONS).fill(-Infinity);

function parseTime(text: string): number {
  if (!ISO.test(text)) return Number.NaN;
  // Date.parse takes the 30th of February for the 2nd of March.
  const day = new Date(Date.parse(`${text.slice(0, 10)}T00:00:00Z`)).getUTCDate();
  return day === Number(text.slice(8, 10)) ? Date.parse(text) : Number.NaN;
}

function parse(line: string, offset: number): Click | undefined {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (record === null || typeof record !== 'object') return undefined;
  const { click_id: id, ad_id: ad, campaign_id: campaign, user_id: user, ip_address: ip } = record;
  const { country, device_type: device, event_time: time } = record;
  const mark = record.invalid_traffic ?? '';
  if (typeof mark !== 'string' || Buffer.byteLength(mark) > lengthMax) return undefined;
  for (const text of [id, ad, campaign, user]) {
    if (typeof text !== 'string' || text.length === 0 || text.length > lengthMax) return undefined;
  }
  if (typeof ip !== 'string' || isIP(ip) === 0) return undefined;
  if (typeof country !== 'string' || !/^[A-Z]{2}$/.test(country)) return undefined;
  if (!DEVICE_TYPES.some((type) => type === device)) return undefined;
  const timeMs = typeof time === 'string' ? parseTime(time) : time;
  if (typeof timeMs !== 'number' || FRACTION.test(line)) return undefined;
  if (!(timeMs >= EVENT_TIME_MIN_MS && timeMs < EVENT_TIME_END_MS)) return undefined;
  const key = Buffer.from(ad as string);
  const minute = Math.floor(timeMs / BUCKET_MS);
  return {
    id: id as string,
    timeMs,
    partition: partitionOf(murmur2(key, 0, key.length), PARTITIONS),
    offset,
    pair: `${user}\n${ad}`,
    address: ip.toLowerCase(),
    cell: `${minute}\n${ad}\n${campaign}\n${country}\n${device}`,
    verdict: 'billable',
    isDouble: false,
    isBot: false,
    mark,
  };
}

function compare(a: Click, b: Click): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs;
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.partition - b.partition || a.offset - b.offset;
}

/** Puts a click in its place among those of its key. */
function insert(lists: Map<string, Click[]>, key: string, click: Click): Click[] {
  const list = lists.get(key);
  if (!list) {
    const single = [click];
    lists.set(key, single);
    return single;
  }
  let at = list.length;
  while (at > 0 && compare(list[at - 1]!, click) > 0) at--;
  list.splice(at, 0, click);
  return list;
}

function count(cell: string, by: number): void {
  totals.set(cell, (totals.get(cell) ?? 0) + by);
  changed.add(cell);
}

function settle(click: Click): void {
  const verdict = click.isDouble ? 'double_click' : click.isBot ? 'bot' : 'billable';
  if (verdict === click.verdict) return;
  if (click.verdict === 'billable') count(click.cell, -1);
  if (verdict === 'billable') count(click.cell, 1);
  ledger[click.verdict]--;
  ledger[verdict]++;
  click.verdict = verdict;
}

function judgePair(clicks: readonly Click[]): void {
  let openedMs = -Infinity;
  for (const click of clicks) {
    click.isDouble = click.timeMs - openedMs < method.doubleClickMs;
    if (!click.isDouble) openedMs = click.timeMs;
    settle(click);
  }
}

function judgeAddress(clicks: readonly Click[]): void {
  if (clicks.length <= method.botThreshold) return;
  for (let first = 0; first + method.botThreshold < clicks.length; first++) {
    let end = first;
    while (end < clicks.length && clicks[end]!.timeMs < clicks[first]!.timeMs + method.botWindowMs) end++;
    if (end - first <= method.botThreshold) continue;
    for (const click of clicks.slice(first, end)) {
      click.isBot = true;
      settle(click);
    }
  }
}

function judge(click: Click | undefined): void {
  if (!click) {
    ledger.invalid++;
    return;
  }
  const { timeMs, partition } = click;
  const bucketEndMs = Math.floor(timeMs / BUCKET_MS) * BUCKET_MS + BUCKET_MS;
  if (greatestMs[partition]! - method.watermarkDelayMs - bucketEndMs > method.allowedLatenessMs) {
    ledger.too_late++;
    return;
  }
  greatestMs[partition] = Math.max(greatestMs[partition]!, timeMs);
  const identity = `${click.id}\n${timeMs}\n${partition}`;
  if (seen.has(identity)) {
    ledger.duplicate++;
    return;
  }
  seen.set(identity, click);
  if (click.mark !== '') {
    ledger.invalid_traffic++;
    return;
  }
  ledger.billable++;
  count(click.cell, 1);
  judgePair(insert(byPair, click.pair, click));
  judgeAddress(insert(byAddress, click.address, click));
}

/** Forgets what no late click can change any more. */
function clean(): void {
  const reachMs = method.watermarkDelayMs + method.allowedLatenessMs + 4 * BUCKET_MS;
  const floorMs = Math.min(...greatestMs) - reachMs;
  for (const [identity, click] of seen) if (click.timeMs < floorMs) seen.delete(identity);
  for (const lists of [byPair, byAddress]) {
    for (const [key, clicks] of lists) {
      const kept = clicks.filter(({ timeMs }) => timeMs >= floorMs);
      if (kept.length === 0) lists.delete(key);
      else if (kept.length < clicks.length) lists.set(key, kept);
    }
  }
  for (const cell of totals.keys()) {
    if (!changed.has(cell) && Number(cell.slice(0, cell.indexOf('\n'))) * BUCKET_MS < floorMs) {
      totals.delete(cell);
      written.delete(cell);
    }
  }
}

function commitOf(position: number): Commit {
  const cells = [...changed].map((key) => ({ key, dimension: key.slice(key.indexOf('\n') + 1) }));
  const dimensions = [...new Set(cells.map(({ dimension }) => dimension))];
  const indexes = new Map(dimensions.map((dimension, index) => [dimension, index]));
  changed.clear();
  const commit: Commit = {
    cells: {
      count: cells.length,
      minuteMs: Float64Array.from(cells, ({ key }) => Number(key.slice(0, key.indexOf('\n'))) * BUCKET_MS),
      dimension: Int32Array.from(cells, ({ dimension }) => indexes.get(dimension)!),
      clicks: Int32Array.from(cells, ({ key }) => totals.get(key)!),
      rewrite: Uint8Array.from(cells, ({ key }) => (written.has(key) ? 1 : 0)),
      dimensions: dimensions.map((text) => text.split('\n') as [string, string, string, string]),
    },
    ledger: [],
    deadLetters: [],
    withdrawn: [],
    positions: [],
    checkpoint: undefined,
    complete: position === Number.POSITIVE_INFINITY,
  };
  for (const { key } of cells) written.add(key);
  return commit;
}

const folder = await mkdtemp(join(tmpdir(), 'click-agg-obvious-'));
const store = await openStore(join(folder, 'store.duckdb'));
let offset = 0;
for await (const lines of linesOf(process.argv[2]!)) {
  for (const line of lines) {
    judge(parse(line, offset++));
    if (offset % CLEAN_EVERY === 0) clean();
    if (offset % COMMIT_EVERY === 0) await store.commit(commitOf(offset));
  }
}
await store.commit(commitOf(Number.POSITIVE_INFINITY));
await store.close();
await rm(folder, { recursive: true });
const clicks = VERDICTS.reduce((sum, verdict) => sum + ledger[verdict], 0);
console.log(JSON.stringify({ clicks, ledger }));
