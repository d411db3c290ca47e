// Numbers, times and names as people read them. All times are UTC, as they are in the totals and on invoices.
import type { LedgerCounts } from '../core/ports/store.js';
import type { Dimension } from './place.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const regions = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

const clock = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', hourCycle: 'h23', ...options });
const minuteClock = clock({ hour: '2-digit', minute: '2-digit' });
const secondClock = clock({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayClock = clock({ day: 'numeric', month: 'short' });
const yearClock = clock({ day: 'numeric', month: 'short', year: 'numeric' });

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1,234,567` */
export const count = (n: number): string => whole.format(n);

/** `17,670.8250` of `17670.8250`: a decimal as it came, its thousands set apart; it is never made a float. */
export function amount(decimal: string): string {
  const [wholePart = '', ...rest] = decimal.split('.');
  return [wholePart.replace(/\B(?=(\d{3})+$)/g, ','), ...rest].join('.');
}

/** `1.2M`, for axes. */
export const shortCount = (n: number): string => short.format(n);

/** `94.5 %`; a share that is not nothing is never shown as `0.0 %`. */
export function percent(part: number, all: number): string {
  if (all === 0) return '–';
  const share = (100 * part) / all;
  if (part > 0 && share < 0.1) return '< 0.1 %';
  return part < all && share > 99.9 ? '> 99.9 %' : `${share.toFixed(1)} %`;
}

/** `10:36` */
export const timeOfDay = (ms: number): string => minuteClock.format(ms);
/** `10:36:01` */
export const timeWithSeconds = (ms: number): string => secondClock.format(ms);
/** `22 Feb` */
export const day = (ms: number): string => dayClock.format(ms);
/** `22 Feb 2026` */
export const dayWithYear = (ms: number): string => yearClock.format(ms);
/** `22 Feb 2026, 10:36 UTC` */
export const moment = (ms: number): string => `${dayWithYear(ms)}, ${timeOfDay(ms)} UTC`;

/** `22 Feb, 10:30 – 11:30`, or with both days. */
export function span(fromMs: number, toMs: number): string {
  const [first, last] = [day(fromMs), day(toMs)];
  const end = first === last ? timeOfDay(toMs) : `${last}, ${timeOfDay(toMs)}`;
  return `${first}, ${timeOfDay(fromMs)} – ${end} UTC`;
}

/** `8 s`, `3 min`, `2 h`, `5 days` */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / SECOND))} s`;
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`;
  return ms < 2 * DAY ? `${Math.round(ms / HOUR)} h` : `${Math.round(ms / DAY)} days`;
}

/** `262 MiB` */
export function bytes(n: number): string {
  const mebibytes = n / 1_048_576;
  return mebibytes < 1_024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1_024).toFixed(1)} GiB`;
}

/** A time of an answer as epoch ms. */
export const ms = (time: string | null): number | undefined => (time === null ? undefined : Date.parse(time));

/** `Germany` for `DE`; the text itself for everything that needs no other name. */
export function nameOf(dimension: Dimension, value: string): string {
  if (dimension === 'country') return value === 'ZZ' ? 'Unknown country' : regionOf(value);
  return value;
}

function regionOf(code: string): string {
  return (/^[A-Z]{2}$/.test(code) && regions.of(code)) || code;
}

export const DIMENSION_NAMES: Readonly<Record<Dimension, { one: string; many: string }>> = {
  campaign: { one: 'Campaign', many: 'Campaigns' },
  ad: { one: 'Ad', many: 'Ads' },
  country: { one: 'Country', many: 'Countries' },
  device: { one: 'Device', many: 'Devices' },
};

/** What a verdict is called; one that is newer than this page is shown by its own name. */
export function verdictName(verdict: string): string {
  return VERDICT_NAMES[verdict] ?? verdict.replaceAll('_', ' ');
}
const VERDICT_NAMES: Readonly<Record<string, string>> = {
  billable: 'Billable',
  duplicate: 'Duplicates',
  double_click: 'Double clicks',
  bot: 'Bots',
  invalid_traffic: 'Invalid traffic',
  too_late: 'Too late',
  invalid: 'Malformed',
};

/** The verdicts that are not billed and that some records got, most first. */
export function unbilledOf(ledger: LedgerCounts): { verdict: string; records: number }[] {
  return Object.entries(ledger)
    .filter(([verdict, records]) => verdict !== 'records' && verdict !== 'billable' && records > 0)
    .map(([verdict, records]) => ({ verdict, records }))
    .sort((a, b) => b.records - a.records);
}
