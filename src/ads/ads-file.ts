// The text of ads.json: campaigns and ads, a line each, so that a person can read a difference.
import { UserError } from '../errors.js';
import { AdBook } from './ad-book.js';
import { checkedAd } from './checked-ad.js';

const VERSION = 1;

/** What is written. */
export function fileTextOf(book: AdBook): string {
  const campaigns = book.allCampaigns().map((one) =>
    JSON.stringify({
      campaign_id: one.campaignId,
      advertiser_id: one.advertiserId,
      price_per_click: one.pricePerClick,
      currency: one.currency,
    }),
  );
  const ads = book
    .list()
    .map(({ adId, campaignId, targetUrl, active }) =>
      JSON.stringify({ ad_id: adId, campaign_id: campaignId, target_url: targetUrl, active }),
    );
  return `{"version":${VERSION},"campaigns":[\n${campaigns.join(',\n')}\n],"ads":[\n${ads.join(',\n')}\n]}\n`;
}

/** What is read; a person may have edited it. UserError: `path` is damaged, or of a newer program. */
export function bookOf(text: string, path: string): AdBook {
  const damaged = (what: string): UserError =>
    new UserError(`${path} is damaged: ${what}`, { hint: 'Mend it, or remove it and import the ads again.' });
  const { version, campaigns, ads } = parsed(text, damaged);
  if (typeof version === 'number' && version > VERSION) {
    throw new UserError(`${path} was written by a newer click-agg (version ${version})`, {
      hint: 'Update click-agg.',
    });
  }
  if (version !== VERSION || !Array.isArray(campaigns) || !Array.isArray(ads)) {
    throw damaged('version, campaigns or ads is not sound');
  }
  const book = new AdBook();
  const known = new Map<unknown, Record<string, string>>();
  for (const [index, row] of (campaigns as unknown[]).entries()) {
    const texts = textsOf(row);
    // Looked at like an ad's: its fields have the same limits.
    const campaign = checkedAd({ ...texts, ad_id: 'none', target_url: 'http://none/' }, '');
    if (!campaign.ok) throw damaged(`campaign ${index + 1}: ${campaign.problem}`);
    book.putCampaign(campaign.value.campaignId, campaign.value);
    known.set(campaign.value.campaignId, texts);
  }
  const checked = (ads as unknown[]).map((row, index) => {
    const texts = textsOf(row);
    const ad = checkedAd({ ...known.get(texts.campaign_id), ...texts }, '');
    if (!ad.ok) throw damaged(`ad ${index + 1}: ${ad.problem}`);
    return ad.value;
  });
  book.put(checked);
  return book;
}

function parsed(
  text: string,
  damaged: (what: string) => UserError,
): { version?: unknown; campaigns?: unknown; ads?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw damaged('it is no JSON');
  }
}

function textsOf(row: unknown): Record<string, string> {
  const entries = Object.entries(Object(row)).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}
