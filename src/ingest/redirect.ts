// GET /c/:ad_id: the click goes into the log, the browser to the advertiser's page. In this order: who is redirected
// has a click that survives a kill -9.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Target } from '../ads/ad.js';
import { TargetsUnavailableError } from '../ads/targets.js';
import { FIELD_BYTES_MAX } from '../core/method.js';
import { SpoolFullError } from '../spool/click-log.js';
import { newClickId } from './click-ids.js';
import { clickJson } from './click-json.js';
import { refusalOf } from './click-url.js';
import { clipped, isFieldText } from './clipped.js';
import { eventTimeOf, isoTime } from './event-times.js';
import type { Ingestion, Refusal } from './ingestion.js';
import { markOfRequest } from './invalid-traffic.js';
import { raise } from './tally.js';
import { deviceOfHints } from './user-agents.js';
import { cookieOfUser, newUser, userOfCookies } from './user-cookie.js';

/** So soon a person may try again when neither Redis nor the table answer. */
const TABLE_RETRY_S = 2;

interface LinkQuery {
  readonly campaign: string | undefined;
  readonly impression: string | undefined;
  readonly expiry: string | undefined;
  readonly signature: string | undefined;
  readonly eventTime: string | undefined;
}

/** Answers a click. Gives what went wrong, or nothing: then the answer is under way. */
export async function redirect(
  ingestion: Ingestion,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Refusal | undefined> {
  const { adId } = request.params as { adId: string };
  const query = queryOf(request.query as Readonly<Record<string, string | string[] | undefined>>);
  const refused = refusedLink(ingestion, adId, query);
  if (refused) return refused;
  const found = await lookUp(ingestion, adId);
  if ('status' in found) return found;
  const { ad, location } = found;
  const { headers } = request.raw;
  const known = userOfCookies(headers.cookie);
  const user = known ?? newUser();
  const value = await clickOf(ingestion, { request, ad, query, user });
  const failed = await taken(ingestion, { key: ad.adId, value });
  if (failed) return failed;
  if (known === undefined) {
    reply.header('set-cookie', cookieOfUser(user, request.caller.https));
    // From the next click on, the browser says what kind of device it is.
    reply.header('accept-ch', 'Sec-CH-UA-Form-Factors');
  }
  reply.code(302).header('location', location).header('cache-control', 'no-store').send();
  return undefined;
}

function queryOf(query: Readonly<Record<string, string | string[] | undefined>>): LinkQuery {
  /** The first of several; nothing and the empty text are the same. */
  const one = (name: string): string | undefined => {
    const value = query[name];
    return (typeof value === 'object' ? value[0] : value) || undefined;
  };
  return {
    campaign: one('c'),
    impression: one('i'),
    expiry: one('e'),
    signature: one('s'),
    eventTime: one('t'),
  };
}

function refusedLink({ signingKeys, tally }: Ingestion, adId: string, query: LinkQuery): Refusal | undefined {
  if (signingKeys.length === 0) return undefined;
  const { campaign: campaignId, impression: impressionId, expiry, signature } = query;
  const link = { adId, campaignId, impressionId, expiry, signature };
  const refusal = refusalOf(link, { keys: signingKeys, nowMs: Date.now() });
  if (refusal === undefined) return undefined;
  tally.links[refusal]++;
  return { status: 403, reason: LINK_REASONS[refusal] };
}

const LINK_REASONS = {
  unsigned: 'the link is not signed',
  expired: 'the link has expired',
  wrong: 'the signature of the link is wrong',
} as const;

const NO_AD: Refusal = { status: 404, reason: 'there is no such ad' };
const NO_TABLE: Refusal = {
  status: 503,
  reason: 'the ads table does not answer',
  retryAfterS: TABLE_RETRY_S,
};

async function lookUp(
  { targets }: Ingestion,
  adId: string,
): Promise<{ ad: Target; location: string } | Refusal> {
  if (!isFieldText(adId, FIELD_BYTES_MAX.ad_id)) return NO_AD;
  let ad: Target | undefined;
  try {
    const answer = targets.find(adId);
    ad = answer instanceof Promise ? await answer : answer;
  } catch (error) {
    if (error instanceof TargetsUnavailableError) return NO_TABLE;
    throw error;
  }
  const location = ad?.active ? locationOf(ad) : undefined;
  return ad && location !== undefined ? { ad, location } : NO_AD;
}

const locations = new WeakMap<Target, string>();

/** Where the ad leads, as a header; undefined if that is no web page, whatever the table says. */
function locationOf(ad: Target): string | undefined {
  let location = locations.get(ad);
  if (location === undefined && URL.canParse(ad.targetUrl)) {
    const url = new URL(ad.targetUrl);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
    location = url.href;
    locations.set(ad, location);
  }
  return location;
}

interface Clicked {
  request: FastifyRequest;
  ad: Target;
  query: LinkQuery;
  user: string;
}

async function clickOf(ingestion: Ingestion, { request, ad, query, user }: Clicked): Promise<string> {
  const { countries, userAgents, marks, pseudonyms, signingKeys, tally } = ingestion;
  const { caller } = request;
  const { headers, method } = request.raw;
  const { 'user-agent': userAgent, referer: referrer } = headers;
  const agent = userAgents(userAgent ?? '');
  const mark = markOfRequest(method, headers) ?? marks(agent, caller.address);
  if (mark) tally.marked[mark.kind]++;
  const userId = pseudonyms ? pseudonyms.user(user) : user;
  const time = timesOf(query.eventTime, ingestion.clockSkewMs);
  // A signature vouches for the campaign that the impression was sold for, though the ad may have moved since.
  const signed = signingKeys.length > 0 && isCampaign(query.campaign);
  const campaignId = signed ? query.campaign : ad.campaignId;
  const linkCampaign = query.campaign === campaignId ? undefined : query.campaign;
  if (linkCampaign !== undefined) tally.otherCampaign++;
  const { impression } = query;
  const text = (value: string | undefined, bytesMax: number): string | undefined =>
    value === undefined ? undefined : JSON.stringify(clipped(value, bytesMax));
  const id = (value: string | undefined): string | undefined =>
    value !== undefined && isFieldText(value, FIELD_BYTES_MAX.impression_id)
      ? JSON.stringify(value)
      : undefined;
  const hints = {
    formFactors: headers['sec-ch-ua-form-factors'] as string | undefined,
    mobile: headers['sec-ch-ua-mobile'] as string | undefined,
    platform: headers['sec-ch-ua-platform'] as string | undefined,
  };
  return clickJson({
    click_id: `"${newClickId()}"`,
    event_time: time.event,
    ad_id: JSON.stringify(ad.adId),
    campaign_id: JSON.stringify(campaignId),
    user_id: `"${userId}"`,
    ip_address: `"${pseudonyms ? pseudonyms.ip(caller.address) : caller.address.text}"`,
    country: `"${countries.of(caller, headers)}"`,
    device_type: `"${deviceOfHints(hints) ?? agent.device}"`,
    user_agent: text(userAgent, FIELD_BYTES_MAX.user_agent),
    referrer: text(referrer, FIELD_BYTES_MAX.referrer),
    impression_id: id(impression),
    invalid_traffic: mark && JSON.stringify(mark.text),
    received_at: time.received,
    link_campaign_id: id(linkCampaign),
    seen: ingestion.seen && (await seenBefore(ingestion, userId, ad.adId)) ? 'true' : undefined,
  });
}

function isCampaign(text: string | undefined): text is string {
  return text !== undefined && isFieldText(text, FIELD_BYTES_MAX.campaign_id);
}

/** The client's time where it sent a usable one, and the server's beside it; else the server's. */
function timesOf(
  sent: string | undefined,
  clockSkewMs: number,
): { event: string; received: string | undefined } {
  const nowMs = Date.now();
  const now = `"${isoTime(nowMs)}"`;
  const time = sent === undefined ? undefined : eventTimeOf(sent);
  return time && time.ms <= nowMs + clockSkewMs
    ? { event: time.json, received: now }
    : { event: now, received: undefined };
}

/** Asks Redis and counts what it says. */
export async function seenBefore(
  { seen, tally }: Ingestion,
  userId: string,
  adId: string,
): Promise<boolean | undefined> {
  const answer = await seen?.(userId, adId);
  raise(tally.seen, answer === undefined ? 'unknown' : answer ? 'seen' : 'first');
  return answer;
}

async function taken(
  { log, tally, warn }: Ingestion,
  click: { key: string; value: string },
): Promise<Refusal | undefined> {
  try {
    await log.append(click);
    tally.accepted++;
    return undefined;
  } catch (error) {
    return notTaken(error, warn);
  }
}

/** What an error of the log means for who clicked. */
export function notTaken(error: unknown, warn: (line: string) => void): Refusal {
  if (error instanceof SpoolFullError)
    return { status: 503, reason: error.message, retryAfterS: error.retryAfterS };
  warn(`a click could not be kept: ${error instanceof Error ? error.message : String(error)}`);
  return { status: 503, reason: 'the click could not be kept', retryAfterS: TABLE_RETRY_S };
}
