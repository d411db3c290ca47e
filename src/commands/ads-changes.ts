// Changes ads: many from a file, or one. Redis is told of what changed, so that servers see it at once there.
import { createReadStream } from 'node:fs';
import { readError } from '../adapters/file/raw-input.js';
import type { Ad, Upserted } from '../ads/ad.js';
import { checkedAd, rowOf } from '../ads/checked-ad.js';
import { readAds } from '../ads/read-ads.js';
import { UsageError } from '../errors.js';
import { command } from '../options/command.js';
import { type OptionValues, oneOf, optionalText, text } from '../options/option.js';
import { redisOption } from '../options/redis.js';
import { shareChanges } from '../stores/open-ads.js';
import type { Terminal } from '../ui/terminal.js';
import { adsPlaceOptions, withTable } from './ads-place.js';

const changeOptions = {
  ...adsPlaceOptions,
  redis: redisOption('Redis that ingest servers share: they see the change at once there'),
};
const currencyOption = {
  currency: text({
    flag: 'currency',
    value: 'CODE',
    default: 'EUR',
    about: 'currency of prices that name none',
  }),
};

const importOptions = {
  ...changeOptions,
  ...currencyOption,
  format: oneOf({
    flag: 'format',
    choices: ['auto', 'csv', 'ndjson'],
    default: 'auto',
    about: 'how the file is written; auto: .csv by its name, else NDJSON',
  }),
};

export const importCommand = command({
  name: 'import',
  summary: 'add ads, or change those that are there',
  description:
    'Reads CSV with a line of column names, or NDJSON: ad_id, campaign_id, advertiser_id, target_url, and perhaps ' +
    'price_per_click, currency and active. Either all of the file is taken or none of it. A campaign has one ' +
    'advertiser and one price; a price that is left out stays as it is. Ads that the file does not name stay too.',
  arguments: [{ name: 'file', about: 'the file, or - for standard input', required: true }],
  options: importOptions,
  examples: [
    ['click-agg ads import ads.csv', 'into ads.json of the data directory'],
    ['click-agg ads import ads.ndjson --ads postgres://db/ads --redis redis://cache', 'and tell the servers'],
    ['export-ads | click-agg ads import - --format csv', 'from another program'],
  ],
  async run({ options, args, terminal }) {
    const [file = '-'] = args;
    const csv = options.format === 'auto' ? /\.(csv|txt)$/i.test(file) : options.format === 'csv';
    const ads = await readInput(file, { format: csv ? 'csv' : 'ndjson', currency: options.currency });
    await upsert(options, ads, terminal);
  },
});

async function readInput(
  file: string,
  how: { format: 'csv' | 'ndjson'; currency: string },
): Promise<readonly Ad[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    return await readAds(input, { name: file === '-' ? 'standard input' : file, ...how });
  } catch (error) {
    throw readError(error, file);
  }
}

const setOptions = {
  ...changeOptions,
  ...currencyOption,
  campaign: optionalText({ flag: 'campaign', value: 'ID', about: 'the campaign that it belongs to' }),
  advertiser: optionalText({
    flag: 'advertiser',
    value: 'ID',
    about: 'who owns the campaign, with all of its ads',
  }),
  target: optionalText({ flag: 'target', value: 'URL', about: 'where a click leads: http or https' }),
  price: optionalText({
    flag: 'price',
    value: 'DECIMAL',
    about: 'price per click of the campaign, with all of its ads',
  }),
  active: optionalText({ flag: 'active', value: 'yes|no', about: 'whether a click leads anywhere' }),
};

export const setCommand = command({
  name: 'set',
  summary: 'change an ad, or add one',
  description: 'What is not given stays as it is. A new ad needs --campaign, --advertiser and --target.',
  arguments: [{ name: 'ad', about: 'the ad', required: true }],
  options: setOptions,
  examples: [
    ['click-agg ads set ad-1 --target https://example.com/spring', 'another page'],
    ['click-agg ads set ad-1 --active no --redis redis://cache', 'no clicks any more, at once'],
    ['click-agg ads set ad-9 --campaign c-1 --advertiser acme --target https://example.com/', 'a new ad'],
  ],
  async run({ options, args, terminal }) {
    const [adId = ''] = args;
    const { campaign } = options;
    const [known, owner] = await withTable(options, { write: true }, async (table) => [
      (await table.get([adId]))[0],
      campaign === undefined ? undefined : await table.advertiserOf(campaign),
    ]);
    await upsert(options, [changed(adId, { known, owner }, options)], terminal);
  },
});

/** `owner`: of the campaign that was given, where it is known. */
function changed(
  adId: string,
  { known, owner }: { known: Ad | undefined; owner: string | undefined },
  options: OptionValues<typeof setOptions>,
): Ad {
  const { campaign, advertiser, target, price, active, currency } = options;
  const before = known && rowOf(known);
  // Another campaign has an owner and a price of its own.
  const moved = before !== undefined && campaign !== undefined && campaign !== before.campaign_id;
  const checked = checkedAd(
    {
      ad_id: adId,
      campaign_id: campaign ?? before?.campaign_id ?? '',
      advertiser_id: advertiser ?? owner ?? before?.advertiser_id ?? '',
      target_url: target ?? before?.target_url ?? '',
      price_per_click: price ?? (moved ? '' : (before?.price_per_click ?? '')),
      currency: price === undefined && !moved ? (before?.currency ?? '') : '',
      active: active ?? before?.active ?? '',
    },
    currency,
  );
  if (checked.ok) return checked.value;
  throw new UsageError(checked.problem, {
    hint: known ? 'See click-agg ads set --help.' : 'A new ad needs --campaign, --advertiser and --target.',
  });
}

/** Writes ads to the table, tells Redis of those that changed, and the person of both. */
async function upsert(
  options: OptionValues<typeof changeOptions>,
  ads: readonly Ad[],
  terminal: Terminal,
): Promise<void> {
  const upserted = await withTable(options, { write: true }, async (table) => {
    const outcome = await table.upsert(ads);
    terminal.info(lineOf(outcome, table.description));
    return outcome;
  });
  const written = new Set(upserted.written);
  const changes = ads.filter(({ adId }) => written.has(adId));
  if (options.redis !== undefined && changes.length > 0 && !(await shareChanges(options.redis, changes))) {
    terminal.warn('Redis did not hear of it: servers may go on with old targets for ten minutes');
  }
  const { added, unchanged } = upserted;
  if (terminal.wantsJson) await terminal.json({ added, changed: written.size - added, unchanged });
}

function lineOf({ added, unchanged, written }: Upserted, table: string): string {
  return `${added} added, ${written.length - added} changed, ${unchanged} as they were: ${table}`;
}
