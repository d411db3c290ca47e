// Click URLs: how an ad server makes them, and how the ingest server reads and checks them. A signature covers the
// ad, the campaign, the impression and the expiry, so that nobody can make up clicks for ads or campaigns; the
// target page is not in the URL at all.
import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a click URL says. Absent parts are absent in the URL. */
export interface ClickLink {
  adId: string;
  campaignId?: string | undefined;
  impressionId?: string | undefined;
}

export interface SigningOptions {
  /** The first key signs; all of them are accepted, so that a key can be changed without breaking links. */
  keys: readonly string[];
  /** Epoch ms; kept to the second. */
  expiresAtMs: number;
}

/** Why a link was refused. */
export type LinkRefusal = 'unsigned' | 'expired' | 'wrong';

/**
 * The click URL below `base` (`https://clicks.example.com`), signed if asked:
 * `/c/AD?c=CAMPAIGN&i=IMPRESSION&e=EXPIRY&s=SIGNATURE`.
 */
export function clickUrl(base: string, link: ClickLink, signing?: SigningOptions): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/c/${encodeURIComponent(link.adId)}`;
  if (link.campaignId !== undefined) url.searchParams.set('c', link.campaignId);
  if (link.impressionId !== undefined) url.searchParams.set('i', link.impressionId);
  if (signing) {
    const expiry = String(Math.floor(signing.expiresAtMs / 1000));
    url.searchParams.set('e', expiry);
    url.searchParams.set('s', signatureOf(link, expiry, signing.keys[0]!).toString('base64url'));
  }
  return url.href;
}

/** Undefined if the signature is one of ours and has not expired; else why not. */
export function refusalOf(
  link: ClickLink & { expiry: string | undefined; signature: string | undefined },
  { keys, nowMs }: { keys: readonly string[]; nowMs: number },
): LinkRefusal | undefined {
  const { expiry, signature } = link;
  if (signature === undefined || expiry === undefined) return 'unsigned';
  const given = Buffer.from(signature, 'base64url');
  const ours = keys.some((key) => {
    const expected = signatureOf(link, expiry, key);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!ours) return 'wrong';
  return /^\d{1,12}$/.test(expiry) && Number(expiry) * 1000 > nowMs ? undefined : 'expired';
}

/** As JSON, so that no two links are spelled alike. */
function signatureOf({ adId, campaignId, impressionId }: ClickLink, expiry: string, key: string): Buffer {
  const spelled = JSON.stringify(['click-agg/1', adId, campaignId ?? null, impressionId ?? null, expiry]);
  return createHmac('sha256', key).update(spelled).digest();
}
