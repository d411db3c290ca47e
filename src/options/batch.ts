// Options of the commands that recompute from the lake: which period, what a click costs.
import { BUCKET_MS, EVENT_TIME_END_MS, EVENT_TIME_MIN_MS } from '../core/method.js';
import { UsageError } from '../errors.js';
import { optionalText, text } from './option.js';

/** Prices per click, for billing lines and adjustments. */
export const priceOptions = {
  prices: optionalText({
    flag: 'prices',
    group: 'Billing',
    value: 'FILE|ads',
    about: 'prices per click: CSV lines campaign_id,price[,currency], or JSON; ads: those of the table --ads',
  }),
  price: optionalText({
    flag: 'price',
    group: 'Billing',
    value: 'DECIMAL',
    about: 'price per click of campaigns that --prices does not name, such as 0.10',
  }),
  currency: text({
    flag: 'currency',
    group: 'Billing',
    value: 'CODE',
    default: 'EUR',
    about: 'currency of prices that name none',
  }),
};

/**
 * The period `[from, to)` as whole minutes; undefined if neither end is given, and open on a side that isn't.
 * UsageError if it is none.
 */
export function wholeMinutes(options: {
  from: number | undefined;
  to: number | undefined;
}): { fromMs: number; toMs: number } | undefined {
  const { from, to } = options;
  if (from === undefined && to === undefined) return undefined;
  const period = { fromMs: from ?? EVENT_TIME_MIN_MS, toMs: to ?? EVENT_TIME_END_MS };
  for (const [flag, ms] of [
    ['--from', period.fromMs],
    ['--to', period.toMs],
  ] as const) {
    if (ms % BUCKET_MS !== 0) {
      throw new UsageError(`${flag} ${new Date(ms).toISOString()} is not a whole minute`, {
        hint: 'Totals are kept by the minute.',
      });
    }
  }
  if (period.fromMs >= period.toMs) throw new UsageError('--from must be before --to');
  return period;
}
