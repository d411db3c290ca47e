// Money: clicks times the price of a click, in exact decimals. An amount is the exact product, so it has as many
// decimal places as its price; nothing is ever rounded, and no float is near.
import { Decimal } from 'decimal.js';
import type { AdjustmentLine, BillingLine, ClosedPeriod, Revision } from '../core/ports/books.js';
import { UsageError } from '../errors.js';

/** Enough digits for 2^53 clicks times any price that is allowed, exactly. */
const Exact = Decimal.clone({ precision: 60, toExpNeg: -40, toExpPos: 60 });
const PRICE = /^\d{1,12}(\.\d{1,12})?$/;
const CURRENCY = /^[A-Z]{3}$/;

export interface Price {
  /** Decimal as it was written: `0.10`. */
  price: string;
  currency: string;
}

export interface PriceList {
  /** What a campaign without a price of its own pays; undefined: it must have one. */
  standard: Price | undefined;
  campaigns: ReadonlyMap<string, Price>;
}

/** A price as a person writes it; UsageError if it is none. */
export function parsePrice(text: string, where: string): string {
  const trimmed = text.trim();
  if (!PRICE.test(trimmed)) {
    throw new UsageError(`${where}: ${JSON.stringify(text)} is no price`, {
      hint: 'A price is a decimal such as 0.10, with at most 12 digits on each side of the point.',
    });
  }
  return trimmed;
}

function parseCurrency(text: string, where: string): string {
  if (!CURRENCY.test(text)) {
    throw new UsageError(`${where}: ${JSON.stringify(text)} is no currency`, {
      hint: 'A currency has three capital letters, such as EUR.',
    });
  }
  return text;
}

/** The price list of `--price`, `--currency` and the text of the `--prices` file (CSV or JSON by its name). */
export function priceListOf(options: {
  price: string | undefined;
  currency: string;
  file: { name: string; text: string } | undefined;
}): PriceList {
  const currency = parseCurrency(options.currency, '--currency');
  const standard =
    options.price === undefined ? undefined : { price: parsePrice(options.price, '--price'), currency };
  const campaigns = new Map<string, Price>();
  for (const [where, campaignId, price, ownCurrency] of options.file ? rowsOfPrices(options.file) : []) {
    if (campaigns.has(campaignId))
      throw new UsageError(`${where}: campaign ${campaignId} has a price already`);
    campaigns.set(campaignId, {
      price: parsePrice(price, where),
      currency: ownCurrency ? parseCurrency(ownCurrency, where) : currency,
    });
  }
  return { standard, campaigns };
}

type PriceRow = readonly [where: string, campaignId: string, price: string, currency: string];

function rowsOfPrices({ name, text }: { name: string; text: string }): PriceRow[] {
  return name.toLowerCase().endsWith('.json') ? rowsOfJson(name, text) : rowsOfCsv(name, text);
}

/** `campaign_id,price[,currency]` lines; a header line is passed over. */
function rowsOfCsv(name: string, text: string): PriceRow[] {
  const rows: PriceRow[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const fields = fieldsOfCsv(line);
    const where = `${name}, line ${index + 1}`;
    if (rows.length === 0 && fields[0] === 'campaign_id' && fields[1] === 'price') continue;
    if (fields.length < 2 || fields.length > 3 || fields[0] === '') {
      throw new UsageError(`${where}: not campaign_id,price[,currency]`);
    }
    rows.push([where, fields[0]!, fields[1]!, fields[2] ?? '']);
  }
  return rows;
}

/** Fields of one CSV line (RFC 4180, no line breaks inside quotes). */
function fieldsOfCsv(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '').trim() : quoted.replaceAll('""', '"'),
  );
}

/** `{"campaign": "0.10"}` or `[{"campaign_id", "price", "currency"}]`; prices are strings, for numbers are floats. */
function rowsOfJson(name: string, text: string): PriceRow[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name} is no JSON`, { cause: error });
  }
  if (typeof content !== 'object' || content === null)
    throw new UsageError(`${name} must be a list or an object`);
  const list = Array.isArray(content)
    ? (content as unknown[])
    : Object.entries(content).map(([campaign_id, price]) => ({ campaign_id, price }));
  return list.map((item, index): PriceRow => {
    const where = `${name}, price ${index + 1}`;
    const { campaign_id, price, currency } = (item ?? {}) as Record<string, unknown>;
    if (typeof campaign_id !== 'string' || typeof price !== 'string') {
      throw new UsageError(`${where}: campaign_id and price must be strings`, {
        hint: 'Write "0.10", not 0.1: a JSON number is a float.',
      });
    }
    return [where, campaign_id, price, typeof currency === 'string' ? currency : ''];
  });
}

/** Exact product, with the decimal places of the price; negative for a credit. */
export function amountOf(clicks: number, price: string): string {
  const places = price.split('.')[1]?.length ?? 0;
  return new Exact(price).times(clicks).toFixed(places);
}

/** Exact sum of amounts, with the most decimal places among them; `0` of none. */
export function sumOf(amounts: readonly string[]): string {
  const places = amounts.reduce((most, amount) => Math.max(most, amount.split('.')[1]?.length ?? 0), 0);
  return amounts.reduce((sum, amount) => sum.plus(amount), new Exact(0)).toFixed(places);
}

/** A line for each campaign; UsageError if one has no price. */
export function billingLines(clicks: ReadonlyMap<string, number>, prices: PriceList): BillingLine[] {
  return [...clicks].map(([campaignId, count]) => {
    const price = prices.campaigns.get(campaignId) ?? prices.standard;
    if (!price) {
      throw new UsageError(`campaign ${campaignId} has no price`, {
        hint: 'Add it to the --prices file, or give a price for all others with --price.',
      });
    }
    return {
      campaignId,
      clicks: count,
      pricePerClick: price.price,
      amount: amountOf(count, price.price),
      currency: price.currency,
    };
  });
}

/** Totals by currency, in order of the currency. */
export function totalsByCurrency(
  lines: readonly { clicks: number; amount: string; currency: string }[],
): { currency: string; clicks: number; amount: string }[] {
  const currencies = [...new Set(lines.map(({ currency }) => currency))].sort();
  return currencies.map((currency) => {
    const own = lines.filter((line) => line.currency === currency);
    return {
      currency,
      clicks: own.reduce((sum, { clicks }) => sum + clicks, 0),
      amount: sumOf(own.map(({ amount }) => amount)),
    };
  });
}

/**
 * What a closed period's invoice and its adjustments so far don't say yet: a line for each campaign whose present
 * clicks differ from what was billed and adjusted. At the price of the invoice; a campaign that wasn't on it is
 * billed by `prices`.
 */
export function adjustmentsFor(
  period: ClosedPeriod,
  earlier: readonly AdjustmentLine[],
  clicksNow: ReadonlyMap<string, number>,
  prices: PriceList,
  entry: { cause: string; recordedAtMs: number },
): AdjustmentLine[] {
  const billed = new Map(period.lines.map(({ campaignId, clicks }) => [campaignId, clicks]));
  const priceOf = new Map<string, Price>();
  for (const { campaignId, pricePerClick, currency } of period.lines) {
    priceOf.set(campaignId, { price: pricePerClick, currency });
  }
  for (const { periodId, campaignId, clicks, pricePerClick, currency } of earlier) {
    if (periodId !== period.periodId) continue;
    billed.set(campaignId, (billed.get(campaignId) ?? 0) + clicks);
    if (!priceOf.has(campaignId)) priceOf.set(campaignId, { price: pricePerClick, currency });
  }
  const campaigns = [...new Set([...billed.keys(), ...clicksNow.keys()])].sort();
  return campaigns.flatMap((campaignId): AdjustmentLine[] => {
    const clicks = (clicksNow.get(campaignId) ?? 0) - (billed.get(campaignId) ?? 0);
    if (clicks === 0) return [];
    const known = priceOf.get(campaignId);
    const [line] = known
      ? [{ pricePerClick: known.price, currency: known.currency }]
      : billingLines(new Map([[campaignId, clicks]]), prices);
    const { pricePerClick, currency } = line!;
    const amount = amountOf(clicks, pricePerClick);
    return [{ periodId: period.periodId, campaignId, clicks, pricePerClick, amount, currency, ...entry }];
  });
}

/** Signed clicks by campaign as lines of a revision, with money where a price is known. */
export function revisionLines(
  change: ReadonlyMap<string, number>,
  prices: PriceList,
): Revision['adjustments'] {
  return [...change]
    .filter(([, clicks]) => clicks !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([campaignId, clicks]) => {
      const price = prices.campaigns.get(campaignId) ?? prices.standard;
      return {
        campaignId,
        clicks,
        amount: price && amountOf(clicks, price.price),
        currency: price?.currency,
      };
    });
}

/** `2026-02-01T00:00Z/2026-03-01T00:00Z` */
export function periodIdOf({ fromMs, toMs }: { fromMs: number; toMs: number }): string {
  const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  return `${minute(fromMs)}/${minute(toMs)}`;
}
