// The read API as OpenAPI tells it: the fields of each question and answer. What is asked is checked in question.ts,
// which gives better words; tests hold both, and the answers, to what stands here.
import { DEVICE_TYPES, VERDICTS } from '../core/method.js';
import { GROUP_COLUMNS } from '../core/ports/store.js';
import { LIMITS } from './api.js';
import { SERIES_COLUMNS, STEP_MS } from './question.js';

export type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' } as const;
const count = { type: 'integer' } as const;
const number = { type: 'number' } as const;
const flag = { type: 'boolean' } as const;
const time = { type: 'string', format: 'date-time' } as const;
const maybe = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: Schema): Schema => ({ type: 'array', items });
const ref = (name: string): Schema => ({ $ref: `${name}#` });
/** An object that has all of these fields and no others. */
const whole = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

const named = (about: string, schema: Schema): Schema => ({ ...schema, description: about });

const filterFields = {
  ad: named('Only these ads. Repeat it, or separate ids by commas (`\\,` is a comma of an id).', list(text)),
  campaign: named('Only these campaigns.', list(text)),
  country: named('Only these countries: two letters such as DE.', list(text)),
  device: named('Only these device types.', list({ ...text, enum: DEVICE_TYPES })),
};

const periodFields = {
  from: named('Start of the period, inclusive: 2026-02-22T10:00Z. UTC unless an offset is given.', text),
  to: named('End of the period, exclusive.', text),
  last: named('Instead of from and to: so long before the newest minute (60m, 24h, 7d).', text),
};

/** The fields of a question in a URL, by route. */
export const QUERY_SCHEMAS = {
  totals: {
    type: 'object',
    properties: {
      ...filterFields,
      ...periodFields,
      group_by: named(
        'Sum by these columns, in this order; absent: every cell as it is.',
        list({ ...text, enum: GROUP_COLUMNS }),
      ),
      top: named('The N rows with most clicks.', { ...count, minimum: 1, maximum: LIMITS.rows }),
      limit: named('The first N rows.', {
        ...count,
        minimum: 1,
        maximum: LIMITS.rows,
        default: LIMITS.rowsUnlessTold,
      }),
      format: named('How the answer is written; `Accept: text/csv` does the same.', {
        ...text,
        enum: ['json', 'csv'],
        default: 'json',
      }),
    },
  },
  series: {
    type: 'object',
    properties: {
      ...filterFields,
      ...periodFields,
      step: named('Length of a step.', { ...text, enum: Object.keys(STEP_MS), default: 'minute' }),
      by: named('A line for each value of this column.', { ...text, enum: SERIES_COLUMNS }),
      top: named('With `by`: so many lines, the others are summed.', {
        ...count,
        minimum: 1,
        maximum: LIMITS.seriesTop,
        default: LIMITS.seriesTopUnlessTold,
      }),
    },
  },
  ledger: { type: 'object', properties: periodFields },
} as const;

const ledger = whole(Object.fromEntries(['records', ...VERDICTS].map((name) => [name, count])));
const series = whole({ name: maybe(text), total: count, clicks: list(count) });
const billingFields = {
  campaign_id: text,
  clicks: count,
  price_per_click: text,
  amount: named('A decimal, never a float.', text),
  currency: text,
};
const period = { from: maybe(time), to: maybe(time) };

const report = whole({
  agree: flag,
  generated_at: time,
  period: maybe(whole({ from: time, to: time })),
  method_hash: text,
  cells: maybe(count),
  differing: maybe(count),
  ledger_differing: maybe(count),
  open: maybe(count),
  clicks: maybe(whole({ stream: count, batch: count })),
  ledger: maybe(ref('Ledger')),
  ledger_stream: maybe(ref('Ledger')),
  billing: list(ref('BillingLine')),
  billing_totals: list(ref('BillingTotal')),
  closed_periods: list(
    whole({
      period: text,
      closed_at: time,
      billing: list(ref('BillingLine')),
      billing_totals: list(ref('BillingTotal')),
    }),
  ),
  adjustments: list(whole({ period: text, ...billingFields, cause: text, recorded_at: time })),
});

const run = whole({
  started_at: time,
  log: text,
  records: count,
  records_per_second: number,
  memory_bytes: count,
  clicks_in_memory: count,
  clicks_in_memory_bytes: count,
  last_commit_at: maybe(time),
  last_commit_ms: maybe(number),
});

/** The answers by name, as src/serve/api.ts has them. */
export const ANSWER_SCHEMAS: Readonly<Record<string, Schema>> = {
  AsOf: whole({
    watermark: named('Minutes that end after it are open in every partition.', maybe(time)),
    complete_to: named('Minutes that end at or before it are closed in every partition.', maybe(time)),
    newest: named('End of the newest minute with clicks; `last` ends here.', maybe(time)),
    method_hash: maybe(text),
  }),
  Ledger: ledger,
  BillingLine: whole(billingFields),
  BillingTotal: whole({ currency: text, clicks: count, amount: text }),
  Totals: whole({
    as_of: ref('AsOf'),
    ...period,
    columns: list(text),
    rows: list({ type: 'object', additionalProperties: { anyOf: [text, count] } }),
    truncated: named('There are more rows than limit.', flag),
  }),
  Series: whole({
    as_of: ref('AsOf'),
    ...period,
    step: text,
    step_ms: count,
    by: maybe(text),
    series: list(series),
    other: maybe(series),
    total: count,
  }),
  LedgerAnswer: whole({ as_of: ref('AsOf'), ...period, ledger: ref('Ledger') }),
  Status: whole({
    as_of: ref('AsOf'),
    source: { ...text, enum: ['run', 'redis', 'store'] },
    live: flag,
    run: maybe(run),
    ledger: maybe(ref('Ledger')),
    partitions: maybe(
      list(whole({ partition: count, position: count, lag: maybe(count), watermark: maybe(time) })),
    ),
    lag: maybe(count),
    since_commit_ms: maybe(number),
  }),
  Reconciliation: whole({ report: maybe(report) }),
  Session: whole({
    role: { ...text, enum: ['open', 'admin', 'advertiser'] },
    advertiser_id: maybe(text),
    expires_at: maybe(time),
  }),
  Error: whole({ error: whole({ code: text, message: text }) }),
};
