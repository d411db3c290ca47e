// Keeps the ads: brings them in, shows them, changes one, and makes the links that lead to them.
import type { Ad, AdsFilter, AdsTable } from '../ads/ad.js';
import { rowOf } from '../ads/checked-ad.js';
import { UsageError, UserError } from '../errors.js';
import { clickUrl } from '../ingest/click-url.js';
import { command } from '../options/command.js';
import { signingOption } from '../options/ingest.js';
import { duration, type OptionValues, oneOf, onOff, optionalText, text, texts } from '../options/option.js';
import { csvLine } from '../ui/csv.js';
import { visible } from '../ui/escape.js';
import { jsonLine } from '../ui/json-line.js';
import type { Terminal } from '../ui/terminal.js';
import { importCommand, setCommand } from './ads-changes.js';
import { adsPlaceOptions, withTable } from './ads-place.js';
import { adsTokenCommand } from './ads-token.js';

/** A longer table is cut, and says so. */
const TABLE_ROWS_MAX = 1000;

const listOptions = {
  ...adsPlaceOptions,
  ad: texts({ flag: 'ad', value: 'ID', about: 'only these ads' }),
  campaign: texts({ flag: 'campaign', value: 'ID', about: 'only ads of these campaigns' }),
  advertiser: texts({ flag: 'advertiser', value: 'ID', about: 'only ads of these advertisers' }),
  activeOnly: onOff({ flag: 'active', about: 'only ads that are active' }),
  format: oneOf({
    flag: 'format',
    choices: ['table', 'csv', 'ndjson'],
    default: 'table',
    about: 'how they are printed; csv and ndjson can be imported again',
  }),
};

const listCommand = command({
  name: 'list',
  summary: 'show the ads',
  options: listOptions,
  examples: [
    ['click-agg ads list --advertiser acme --active', 'the active ads of an advertiser'],
    ['click-agg ads list --format csv > ads.csv', 'all of them, to be edited and imported again'],
  ],
  async run({ options, terminal }) {
    const filter: AdsFilter = {
      adIds: options.ad,
      campaignIds: options.campaign,
      advertiserIds: options.advertiser,
      active: options.activeOnly ? true : undefined,
    };
    await withTable(options, {}, (table) => print(table, filter, options.format, terminal));
  },
});

async function print(
  table: AdsTable,
  filter: AdsFilter,
  format: OptionValues<typeof listOptions>['format'],
  terminal: Terminal,
): Promise<void> {
  if (format === 'table' && !terminal.wantsJson) {
    await printTable(table, filter, terminal);
    return;
  }
  if (terminal.wantsJson) await terminal.print('[');
  else if (format === 'csv') await terminal.print(csvLine(Object.keys(rowOf(NO_AD))));
  let separator = '';
  for await (const page of table.list(filter)) {
    const lines = page.map((ad) =>
      format === 'csv' ? csvLine(Object.values(rowOf(ad))) : jsonLine(jsonOf(ad)),
    );
    if (terminal.wantsJson) await terminal.print(`${separator}${lines.join(',\n')}`);
    else await terminal.print(format === 'csv' ? lines.join('') : `${lines.join('\n')}\n`);
    separator = ',\n';
  }
  if (terminal.wantsJson) await terminal.print(']\n');
}

const NO_AD: Ad = {
  ...{ adId: '', campaignId: '', advertiserId: '', targetUrl: '', active: false },
  ...{ pricePerClick: undefined, currency: undefined },
};

async function printTable(table: AdsTable, filter: AdsFilter, terminal: Terminal): Promise<void> {
  const ads: Ad[] = [];
  for await (const page of table.list(filter)) {
    ads.push(...page);
    if (ads.length > TABLE_ROWS_MAX) break;
  }
  await terminal.table(
    ['ad', 'campaign', 'advertiser', 'target', 'price', 'active'],
    ads
      .slice(0, TABLE_ROWS_MAX)
      .map((ad) => [
        ...[ad.adId, ad.campaignId, ad.advertiserId, ad.targetUrl].map(visible),
        ad.pricePerClick === undefined ? '' : `${ad.pricePerClick} ${ad.currency}`,
        ad.active ? 'yes' : 'no',
      ]),
  );
  if (ads.length > TABLE_ROWS_MAX) {
    terminal.warn(`there are more than ${TABLE_ROWS_MAX}: --format csv shows all`);
  }
  if (ads.length === 0) terminal.info(`no such ads in ${table.description}`);
}

/** As an import takes it. */
function jsonOf(ad: Ad): Record<string, unknown> {
  const { active: _, ...row } = rowOf(ad);
  const said = Object.entries(row).filter(([, value]) => value !== '');
  return { ...Object.fromEntries(said), active: ad.active };
}

const urlOptions = {
  ...adsPlaceOptions,
  ...signingOption,
  base: text({
    flag: 'base',
    value: 'URL',
    default: 'http://127.0.0.1:8080',
    about: 'where the ingest server is for browsers',
  }),
  impression: optionalText({ flag: 'impression', value: 'ID', about: 'the impression that was clicked' }),
  expires: duration({
    flag: 'expires',
    default: '30d',
    minMs: 1000,
    about: 'how long a signed URL leads anywhere',
  }),
};

const urlCommand = command({
  name: 'url',
  summary: 'print the click URL of an ad',
  description: 'Signed where CLICK_AGG_SIGNING_KEY is set, as the ingest server then wants it.',
  arguments: [{ name: 'ad', about: 'the ad', required: true }],
  options: urlOptions,
  examples: [
    ['click-agg ads url ad-1 --base https://clicks.example.com', 'the link for a page'],
    ['CLICK_AGG_SIGNING_KEY=… click-agg ads url ad-1 --expires 7d', 'signed, for a week'],
  ],
  async run({ options, args, terminal }) {
    const [adId = ''] = args;
    if (!URL.canParse(options.base) || !/^https?:$/.test(new URL(options.base).protocol)) {
      throw new UsageError(`--base ${options.base}: must be http:// or https:// and a host`);
    }
    const [ad] = await withTable(options, {}, (table) => table.get([adId]));
    if (ad === undefined) throw new UserError(`there is no ad ${adId}`, { hint: 'See click-agg ads list.' });
    if (!ad.active) terminal.warn(`ad ${adId} is not active: a click leads nowhere`);
    const link = { adId, campaignId: ad.campaignId, impressionId: options.impression };
    const signing = { keys: options.signingKey, expiresAtMs: Date.now() + options.expires };
    const url = clickUrl(options.base, link, options.signingKey.length > 0 ? signing : undefined);
    if (terminal.wantsJson) await terminal.json({ url });
    else await terminal.print(`${url}\n`);
  },
});

export const adsCommand = command({
  name: 'ads',
  summary: 'keep ads, campaigns, targets and prices',
  options: {},
  examples: [
    ['click-agg ads import ads.csv', 'add ads, or change them'],
    ['click-agg ads list', 'show them'],
    ['click-agg ads url ad-1', 'the link to one'],
  ],
  commands: [importCommand, listCommand, setCommand, urlCommand, adsTokenCommand],
});
