// The table that the options name, for as long as a command needs it.
import type { AdsTable } from '../ads/ad.js';
import { adsOption } from '../options/ads.js';
import type { OptionValues } from '../options/option.js';
import { dataDirOption } from '../options/shared.js';
import { openAdsTable } from '../stores/open-ads.js';

export const adsPlaceOptions = { ...dataDirOption, ...adsOption };

/** Does `work` with the table; with `write` it may change ads. */
export async function withTable<T>(
  options: OptionValues<typeof adsPlaceOptions>,
  how: { write?: boolean },
  work: (table: AdsTable) => Promise<T>,
): Promise<T> {
  const table = await openAdsTable(options, how);
  try {
    return await work(table);
  } finally {
    await table.close();
  }
}
