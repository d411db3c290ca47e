// What may be in the ads table. A target is where strangers are sent, so it must be a plain web address, written so that
// it can stand in a header as it is; ids must fit the clicks that will carry them.
import { FIELD_BYTES_MAX } from '../core/method.js';
import type { Ad } from './ad.js';

const TARGET_LENGTH_MAX = 2048;
/** As the invoices take them. */
const PRICE = /^\d{1,12}(\.\d{1,12})?$/;
const CURRENCY = /^[A-Z]{3}$/;
const BLANKS_AND_CONTROLS = /[\p{White_Space}\p{Cc}\\]/u;

/** The fields of an ad in files. */
export const AD_FIELDS = [
  'ad_id',
  'campaign_id',
  'advertiser_id',
  'target_url',
  'price_per_click',
  'currency',
  'active',
] as const;
export type AdField = (typeof AD_FIELDS)[number];

/** An ad or what is wrong with it, as a sentence for people. */
export type Checked<T> = { ok: true; value: T } | { ok: false; problem: string };

/** The address in the one way in which it is stored: ASCII, percent-encoded. */
export function parseTarget(text: string): Checked<string> {
  // The URL parser would drop line breaks and turn backslashes into slashes without a word.
  if (BLANKS_AND_CONTROLS.test(text)) return wrong('target_url', text, 'blanks or control characters in it');
  if (!URL.canParse(text)) return wrong('target_url', text, 'no URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return wrong('target_url', text, 'only http and https lead anywhere');
  }
  if (url.username !== '' || url.password !== '') return wrong('target_url', text, 'a user name in it');
  if (url.href.length > TARGET_LENGTH_MAX) {
    return wrong('target_url', text, `longer than ${TARGET_LENGTH_MAX} characters`);
  }
  return { ok: true, value: url.href };
}

/** The ad of a row of texts; '' is as if the field were absent. `currency` applies to a price that names none. */
export function checkedAd(row: Readonly<Partial<Record<AdField, string>>>, currency: string): Checked<Ad> {
  for (const field of ['ad_id', 'campaign_id', 'advertiser_id'] as const) {
    const problem = problemOfId(row[field] ?? '');
    if (problem !== undefined) return wrong(field, row[field] ?? '', problem);
  }
  const target = parseTarget(row.target_url ?? '');
  if (!target.ok) return target;
  const price = row.price_per_click || undefined;
  if (price !== undefined && !PRICE.test(price)) {
    return wrong('price_per_click', price, 'no decimal such as 0.10 with at most 12 digits on each side');
  }
  const ownCurrency = row.currency || (price === undefined ? undefined : currency);
  if (ownCurrency !== undefined && !CURRENCY.test(ownCurrency)) {
    return wrong('currency', ownCurrency, 'no three capital letters such as EUR');
  }
  if (price === undefined && ownCurrency !== undefined) {
    return wrong('currency', ownCurrency, 'without a price_per_click');
  }
  const active = activeOf(row.active ?? '');
  if (active === undefined) return wrong('active', row.active ?? '', 'neither true nor false');
  return {
    ok: true,
    value: {
      adId: row.ad_id ?? '',
      campaignId: row.campaign_id ?? '',
      advertiserId: row.advertiser_id ?? '',
      targetUrl: target.value,
      pricePerClick: price,
      currency: ownCurrency,
      active,
    },
  };
}

/** The row that `checkedAd` makes the ad of again. */
export function rowOf(ad: Ad): Record<AdField, string> {
  return {
    ad_id: ad.adId,
    campaign_id: ad.campaignId,
    advertiser_id: ad.advertiserId,
    target_url: ad.targetUrl,
    price_per_click: ad.pricePerClick ?? '',
    currency: ad.currency ?? '',
    active: String(ad.active),
  };
}

function problemOfId(id: string): string | undefined {
  if (id === '') return 'missing';
  if (Buffer.byteLength(id) > FIELD_BYTES_MAX.ad_id) return `longer than ${FIELD_BYTES_MAX.ad_id} bytes`;
  if (/\p{Cc}/u.test(id)) return 'control characters in it';
  if (id.trim() !== id) return 'blanks around it';
  return id.isWellFormed() ? undefined : 'no valid Unicode';
}

function activeOf(text: string): boolean | undefined {
  if (/^(true|1|yes|)$/i.test(text)) return true;
  return /^(false|0|no)$/i.test(text) ? false : undefined;
}

function wrong(field: AdField, text: string, problem: string): { ok: false; problem: string } {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return { ok: false, problem: `${field} ${JSON.stringify(shown)}: ${problem}` };
}
