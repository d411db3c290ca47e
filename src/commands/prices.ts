// What a click costs: a price list in a file, or the ads table, where a price stands beside its campaign.
import { type PriceList, priceListOf } from '../batch/billing.js';
import { readPrices } from '../batch/read-prices.js';
import { UserError } from '../errors.js';
import { openAdsTable } from '../stores/open-ads.js';

/** `--prices` of this name is the ads table; a file of it is `./ads`. */
const ADS_TABLE = 'ads';

interface PriceOptions {
  prices: string | undefined;
  price: string | undefined;
  currency: string;
  ads: string;
  dataDir: string;
}

/** UserError: the list or the table can't be read, or holds something that is no price. */
export async function pricesOf(options: PriceOptions): Promise<PriceList> {
  if (options.prices !== ADS_TABLE) return await readPrices(options);
  const { price, currency } = options;
  const { standard } = priceListOf({ price, currency, file: undefined });
  const table = await openAdsTable(options);
  try {
    const prices = await table.prices();
    if (prices.length === 0 && standard === undefined) {
      throw new UserError(`no campaign in ${table.description} has a price`, {
        hint: 'Import prices with the ads (click-agg ads import), or check --ads.',
      });
    }
    const campaigns = new Map(
      prices.map((one) => [one.campaignId, { price: one.pricePerClick, currency: one.currency }]),
    );
    return { standard, campaigns };
  } finally {
    await table.close();
  }
}
