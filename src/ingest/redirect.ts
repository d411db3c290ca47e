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

/** Where a click leads, with everything about its ad that needn't be put together for each click. */
interface Destination {
  readonly ad: Target;
  readonly location: string;
  /** JSON texts. */
  readonly adId: string;
  readonly campaignId: string;
}

/**
 * Answers a click, to the socket itself: Fastify's reply would put the same head together in twice the time. Gives what
 * went wrong, or nothing: then the answer is under way.
 */
export async function redirect(
  ingestion: Ingestion,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Refusal | undefined> {
  const { adId } = request.params as { adId: string };
  const query = queryOf(request.query as Readonly<Record<string, string | string[] | undefined>>);
  const refused = refusedLink(ingestion, adId, query);
  if (refused) return refused;
  const looked = lookUp(ingestion, adId);
  const found = looked instanceof Promise ? await looked : looked;
  if ('status' in found) return found;
  const known = userOfCookies(request.raw.headers.cookie);
  const user = known ?? newUser();
  const userId = ingestion.pseudonyms ? ingestion.pseudonyms.user(user) : user;
  const seen = ingestion.seen && (await seenBefore(ingestion, userId, found.ad.adId));
  const value = clickOf(ingestion, { request, destination: found, query, userId, seen });
  try {
    await ingestion.log.append({ key: found.ad.adId, value });
  } catch (error) {
    return notTaken(error, ingestion.warn);
  }
  ingestion.tally.accepted++;
  const head = ['location', found.location, 'cache-control', 'no-store', 'content-length', '0'];
  if (known === undefined) {
    head.push('set-cookie', cookieOfUser(user, request.caller.https));
    // From the next click on, the browser says what kind of device it is.
    head.push('accept-ch', 'Sec-CH-UA-Form-Factors');
  }
  reply.hijack();
  reply.raw.writeHead(302, head).end();
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

function lookUp(
  { targets }: Ingestion,
  adId: string,
): Destination | Refusal | Promise<Destination | Refusal> {
  if (!isFieldText(adId, FIELD_BYTES_MAX.ad_id)) return NO_AD;
  const answer = targets.find(adId);
  if (!(answer instanceof Promise)) return destinationOf(answer) ?? NO_AD;
  return answer.then(
    (ad) => destinationOf(ad) ?? NO_AD,
    (error: unknown) => {
      if (error instanceof TargetsUnavailableError) return NO_TABLE;
      throw error;
    },
  );
}

const destinations = new WeakMap<Target, Destination>();

/** Where the ad leads; undefined if it is not active, or that is no web page, whatever the table says. */
function destinationOf(ad: Target | undefined): Destination | undefined {
  if (!ad?.active) return undefined;
  let destination = destinations.get(ad);
  if (destination === undefined && URL.canParse(ad.targetUrl)) {
    const { protocol, href: location } = new URL(ad.targetUrl);
    if (protocol !== 'https:' && protocol !== 'http:') return undefined;
    const { adId, campaignId } = ad;
    destination = { ad, location, adId: JSON.stringify(adId), campaignId: JSON.stringify(campaignId) };
    destinations.set(ad, destination);
  }
  return destination;
}

interface Clicked {
  request: FastifyRequest;
  destination: Destination;
  query: LinkQuery;
  /** As it is kept. */
  userId: string;
  seen: boolean | undefined;
}

/** The record that goes into the log. */
function clickOf(ingestion: Ingestion, { request, destination, query, userId, seen }: Clicked): string {
  const { countries, userAgents, marks, pseudonyms, signingKeys, tally } = ingestion;
  const { caller } = request;
  const { headers, method } = request.raw;
  const { 'user-agent': userAgent, referer: referrer } = headers;
  const agent = userAgents(userAgent ?? '');
  const mark = markOfRequest(method, headers) ?? marks(agent, caller.address);
  if (mark) tally.marked[mark.kind]++;
  const time = timesOf(query.eventTime, ingestion.clockSkewMs);
  const { campaign } = query;
  // A signature vouches for the campaign that the impression was sold for, though the ad may have moved since.
  const signed = signingKeys.length > 0 && isCampaign(campaign);
  const otherCampaign = campaign === destination.ad.campaignId ? undefined : campaign;
  if (otherCampaign !== undefined && !signed) tally.otherCampaign++;
  return clickJson({
    click_id: `"${newClickId()}"`,
    event_time: time.event,
    ad_id: destination.adId,
    campaign_id: signed ? JSON.stringify(campaign) : destination.campaignId,
    user_id: `"${userId}"`,
    ip_address: `"${pseudonyms ? pseudonyms.ip(caller.address) : caller.address.text}"`,
    country: `"${countries.of(caller, headers)}"`,
    device_type: `"${deviceOfHints(headers) ?? agent.device}"`,
    user_agent: textJson(userAgent, FIELD_BYTES_MAX.user_agent),
    referrer: textJson(referrer, FIELD_BYTES_MAX.referrer),
    impression_id: idJson(query.impression),
    invalid_traffic: mark && JSON.stringify(mark.text),
    received_at: time.received,
    link_campaign_id: signed ? undefined : idJson(otherCampaign),
    seen: seen ? 'true' : undefined,
  });
}

function textJson(value: string | undefined, bytesMax: number): string | undefined {
  return value === undefined ? undefined : JSON.stringify(clipped(value, bytesMax));
}

function idJson(value: string | undefined): string | undefined {
  return value !== undefined && isFieldText(value, FIELD_BYTES_MAX.impression_id)
    ? JSON.stringify(value)
    : undefined;
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

/** What an error of the log means for who clicked. */
export function notTaken(error: unknown, warn: (line: string) => void): Refusal {
  if (error instanceof SpoolFullError)
    return { status: 503, reason: error.message, retryAfterS: error.retryAfterS };
  warn(`a click could not be kept: ${error instanceof Error ? error.message : String(error)}`);
  return { status: 503, reason: 'the click could not be kept', retryAfterS: TABLE_RETRY_S };
}
