// Reads the price list that the options name.
import { readFile } from 'node:fs/promises';
import { UserError, unreadable } from '../errors.js';
import { type PriceList, priceListOf } from './billing.js';

/** UsageError: the file can't be read or holds something that is no price. */
export async function readPrices(options: {
  prices: string | undefined;
  price: string | undefined;
  currency: string;
}): Promise<PriceList> {
  const { prices, price, currency } = options;
  if (prices === undefined) return priceListOf({ price, currency, file: undefined });
  try {
    return priceListOf({ price, currency, file: { name: prices, text: await readFile(prices, 'utf8') } });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unreadable(`--prices ${prices}`, error);
  }
}
