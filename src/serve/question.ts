// From what was asked, in a URL or in a message of the socket, to one plain value: checked, in one order, so that
// two browsers that look at the same thing ask the same question.
import { DEVICE_TYPES } from '../core/method.js';
import { GROUP_COLUMNS, type GroupColumn } from '../core/ports/store.js';
import { parseDurationMs, parseTimeMs } from '../options/option.js';
import { LIMITS, type SeriesColumn, type Step, type WatchKind } from './api.js';

/** The question can't be answered as it is: status 400. */
export class BadQuestion extends Error {}

/** Lists that are sorted and name nothing twice; empty: all. */
export interface FilterLists {
  adIds: readonly string[];
  campaignIds: readonly string[];
  countries: readonly string[];
  deviceTypes: readonly string[];
}

/** `[fromMs, toMs)`, or the last `lastMs` before the newest minute. */
export interface PeriodMeant {
  fromMs: number | undefined;
  toMs: number | undefined;
  lastMs: number | undefined;
}

export interface TotalsMeant extends FilterLists, PeriodMeant {
  kind: 'totals';
  groupBy: readonly GroupColumn[];
  limit: number;
  /** By clicks, greatest first. */
  top: boolean;
}

export interface SeriesMeant extends FilterLists, PeriodMeant {
  kind: 'series';
  step: Step;
  by: SeriesColumn | undefined;
  top: number;
}

export interface LedgerMeant extends PeriodMeant {
  kind: 'ledger';
}

export type Meant = TotalsMeant | SeriesMeant | LedgerMeant | { kind: 'status' } | { kind: 'reconciliation' };

export const STEP_MS: Readonly<Record<Step, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const STEPS = Object.keys(STEP_MS) as Step[];
export const SERIES_COLUMNS = ['ad_id', 'campaign_id', 'country', 'device_type'] as const;

const FILTER_FIELDS = ['ad', 'campaign', 'country', 'device'] as const;
const PERIOD_FIELDS = ['from', 'to', 'last'] as const;

/** The fields of each question; what is not among them is refused, so that no filter is left out by a slip. */
export const QUESTION_FIELDS: Readonly<Record<WatchKind, readonly string[]>> = {
  totals: [...FILTER_FIELDS, ...PERIOD_FIELDS, 'group_by', 'top', 'limit'],
  series: [...FILTER_FIELDS, ...PERIOD_FIELDS, 'step', 'by', 'top'],
  ledger: PERIOD_FIELDS,
  status: [],
  reconciliation: [],
};

/** Texts as they stand in a URL, where lists are repeated or separated by commas; or values of a message. */
export type Form = 'url' | 'message';

/** What is meant. BadQuestion: it can't be. */
export function meantBy(kind: WatchKind, question: unknown, form: Form): Meant {
  if (typeof question !== 'object' || question === null || Array.isArray(question))
    throw new BadQuestion('a question is an object');
  const asked = new Asked(question as Record<string, unknown>, form);
  asked.checkNames(kind);
  if (kind === 'status' || kind === 'reconciliation') return { kind };
  const period = periodOf(asked);
  if (kind === 'ledger') return { kind, ...period };
  const filters = filtersOf(asked);
  if (kind === 'totals') return { kind, ...filters, ...period, ...rowsOf(asked) };
  const step = asked.oneOf('step', STEPS) ?? 'minute';
  const by = asked.oneOf('by', SERIES_COLUMNS);
  const top = asked.integer('top', LIMITS.seriesTop) ?? LIMITS.seriesTopUnlessTold;
  return { kind, ...filters, ...period, step, by, top: by === undefined ? 0 : top };
}

function periodOf(asked: Asked): PeriodMeant {
  const fromMs = asked.time('from');
  const toMs = asked.time('to');
  const last = asked.text('last');
  const lastMs = last === undefined ? undefined : parseDurationMs(last);
  if (last !== undefined && !(lastMs! > 0))
    throw new BadQuestion(`last=${last}: must be a duration such as 60m, 24h or 7d`);
  if (lastMs !== undefined && (fromMs ?? toMs) !== undefined)
    throw new BadQuestion('last and from or to exclude each other');
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw new BadQuestion('from must be before to');
  return { fromMs, toMs, lastMs };
}

function filtersOf(asked: Asked): FilterLists {
  return {
    adIds: asked.set('ad'),
    campaignIds: asked.set('campaign'),
    countries: asked.set('country', (text) => {
      if (!/^[A-Za-z]{2}$/.test(text))
        throw new BadQuestion(`country=${text}: must be two letters such as DE`);
      return text.toUpperCase();
    }),
    deviceTypes: asked.set('device', (text) => {
      if (!DEVICE_TYPES.some((known) => known === text))
        throw new BadQuestion(`device=${text}: must be one of ${DEVICE_TYPES.join(', ')}`);
      return text;
    }),
  };
}

function rowsOf(asked: Asked): Pick<TotalsMeant, 'groupBy' | 'limit' | 'top'> {
  const groupBy = asked.list('group_by').map((name) => {
    const column = GROUP_COLUMNS.find((known) => known === name);
    if (!column) throw new BadQuestion(`group_by=${name}: must be one of ${GROUP_COLUMNS.join(', ')}`);
    return column;
  });
  if (new Set(groupBy).size < groupBy.length) throw new BadQuestion('group_by names a column twice');
  const top = asked.integer('top', LIMITS.rows);
  const limit = asked.integer('limit', LIMITS.rows);
  if (top !== undefined && limit !== undefined) throw new BadQuestion('give top or limit, not both');
  return { groupBy, limit: top ?? limit ?? LIMITS.rowsUnlessTold, top: top !== undefined };
}

/** Longest text of a question. */
const TEXT_LENGTH_MAX = 65_536;

/** The fields of a question, each read as what it must be. */
class Asked {
  constructor(
    private readonly fields: Readonly<Record<string, unknown>>,
    private readonly form: Form,
  ) {}

  checkNames(kind: WatchKind): void {
    const known = QUESTION_FIELDS[kind];
    const unknown = Object.keys(this.fields).find((name) => !known.includes(name));
    if (unknown === undefined) return;
    const words = known.length > 0 ? `; there are ${known.join(', ')}` : '';
    throw new BadQuestion(`${JSON.stringify(unknown.slice(0, 80))} is no field of this question${words}`);
  }

  text(name: string): string | undefined {
    const value = this.fields[name];
    if (value === undefined || value === null) return undefined;
    if (Array.isArray(value)) throw new BadQuestion(`${name} is given twice`);
    return checkedText(name, value);
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const choice = choices.find((one) => one === text);
    if (choice === undefined) throw new BadQuestion(`${name}=${text}: must be one of ${choices.join(', ')}`);
    return choice;
  }

  time(name: string): number | undefined {
    const text = this.text(name);
    const ms = text === undefined ? undefined : parseTimeMs(text);
    if (text !== undefined && ms === undefined)
      throw new BadQuestion(`${name}=${text}: must be a time such as 2026-02-22T10:00Z`);
    return ms;
  }

  integer(name: string, max: number): number | undefined {
    const value = this.fields[name];
    if (value === undefined || value === null) return undefined;
    const number = this.form === 'url' && /^\d{1,9}$/.test(String(value)) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= max) return number;
    throw new BadQuestion(`${name} must be a whole number from 1 to ${max}`);
  }

  /** In the given order. */
  list(name: string): string[] {
    const value = this.fields[name];
    if (value === undefined || value === null) return [];
    if (this.form === 'message' && !Array.isArray(value)) throw new BadQuestion(`${name} must be an array`);
    const texts = (Array.isArray(value) ? value : [value]).map((one) => checkedText(name, one));
    const values = this.form === 'url' ? texts.flatMap(listed) : texts;
    if (values.length > LIMITS.filterValues)
      throw new BadQuestion(`${name} has more than ${LIMITS.filterValues} values`);
    return values;
  }

  set(name: string, checked: (text: string) => string = (text) => text): string[] {
    return [...new Set(this.list(name).map(checked))].sort();
  }
}

function checkedText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new BadQuestion(`${name} must be text`);
  if (value.length > TEXT_LENGTH_MAX) throw new BadQuestion(`${name} is too long`);
  return value;
}

/** Values separated by commas; `\,` is a comma of the value itself. */
function listed(text: string): string[] {
  return text.split(/(?<!\\),/).map((value) => value.replaceAll('\\,', ','));
}
