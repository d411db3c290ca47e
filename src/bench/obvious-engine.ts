// The engine that one writes first: JSON.parse, an object a click, Maps with string keys. The baseline that the
// real one is measured against. It judges in order of arrival, so its verdicts are only nearly right; what it
// costs to look everything up in Maps is what it is here to show.
import { BUCKET_MS, DEFAULT_METHOD } from '../core/method.js';
import { linesOf } from './lines.js';

interface Click {
  click_id: string;
  event_time: string | number;
  ad_id: string;
  campaign_id: string;
  user_id: string;
  ip_address: string;
  country: string;
  device_type: string;
}

const method = DEFAULT_METHOD;
const horizonMs = method.watermarkDelayMs + method.allowedLatenessMs + BUCKET_MS;
const REQUIRED = [
  'click_id',
  'event_time',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
] as const;

/** Clicks of the horizon by (click id, event time). */
const seen = new Map<string, Click>();
/** When the open period of a user and ad began, epoch ms. */
const opened = new Map<string, number>();
/** Event times of an address's clicks, epoch ms. */
const byAddress = new Map<string, number[]>();
const totals = new Map<string, number>();
const ledger = { invalid: 0, too_late: 0, duplicate: 0, double_click: 0, bot: 0, billable: 0 };
let maxEventTimeMs = -Infinity;
/** Records between two walks through the Maps. */
const CLEAN_EVERY = 200_000;
let sinceCleaning = 0;

function parse(line: string): Click | undefined {
  try {
    const click = JSON.parse(line) as Click;
    return REQUIRED.every((field) => click[field] !== undefined && click[field] !== '') ? click : undefined;
  } catch {
    return undefined;
  }
}

function verdictOf(click: Click | undefined): keyof typeof ledger {
  if (!click) return 'invalid';
  const timeMs = typeof click.event_time === 'number' ? click.event_time : Date.parse(click.event_time);
  if (Number.isNaN(timeMs)) return 'invalid';
  const minute = Math.floor(timeMs / BUCKET_MS);
  if (maxEventTimeMs - method.watermarkDelayMs > (minute + 1) * BUCKET_MS + method.allowedLatenessMs)
    return 'too_late';
  maxEventTimeMs = Math.max(maxEventTimeMs, timeMs);
  const id = `${click.click_id}|${timeMs}`;
  if (seen.has(id)) return 'duplicate';
  seen.set(id, click);
  const times = byAddress.get(click.ip_address) ?? [];
  times.push(timeMs);
  byAddress.set(click.ip_address, times);
  while (times[0]! <= timeMs - method.botWindowMs) times.shift();
  const pair = `${click.user_id}|${click.ad_id}`;
  const openedMs = opened.get(pair);
  if (openedMs !== undefined && timeMs - openedMs < method.doubleClickMs) return 'double_click';
  opened.set(pair, timeMs);
  if (times.length > method.botThreshold) return 'bot';
  const cell = `${minute}|${click.ad_id}|${click.campaign_id}|${click.country}|${click.device_type}`;
  totals.set(cell, (totals.get(cell) ?? 0) + 1);
  return 'billable';
}

function clean(): void {
  const floorMs = maxEventTimeMs - horizonMs;
  for (const [id] of seen) if (Number(id.slice(id.lastIndexOf('|') + 1)) < floorMs) seen.delete(id);
  for (const [pair, timeMs] of opened) if (timeMs < floorMs) opened.delete(pair);
  for (const [address, times] of byAddress) if (times.at(-1)! < floorMs) byAddress.delete(address);
}

for await (const lines of linesOf(process.argv[2]!)) {
  for (const line of lines) ledger[verdictOf(parse(line))]++;
  sinceCleaning += lines.length;
  if (sinceCleaning >= CLEAN_EVERY) {
    sinceCleaning = 0;
    clean();
  }
}
const clicks = Object.values(ledger).reduce((sum, count) => sum + count, 0);
console.log(JSON.stringify({ clicks, cells: totals.size, ledger }));
