// POST /v1/clicks: one click or a list of them, from apps and from servers, with a verdict for each. The judge is the
// stream's own decoder, so that what is accepted here is never `invalid` there.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Target } from '../ads/ad.js';
import { TargetsUnavailableError } from '../ads/targets.js';
import { invalidReasonOf } from '../core/decoded-batch.js';
import { createDecoder, type Decoder } from '../core/decoder.js';
import { DEFAULT_METHOD, FIELD_BYTES_MAX, type Method } from '../core/method.js';
import { type KeyCheck, keyCheck } from './api-keys.js';
import { isFieldText } from './clipped.js';
import type { Ingestion, Refusal } from './ingestion.js';
import { itemsOf } from './json-items.js';
import { readSentClick, recordOf, type Sender, type SentClick, textOf } from './posted-click.js';
import { notTaken } from './redirect.js';
import { raise } from './tally.js';
import { cookieOfUser, newUser, userOfCookies } from './user-cookie.js';

/** What became of one click. `unavailable`: try it again, with the click id that it has. */
export type PostedVerdict =
  | { status: 'accepted'; click_id: string }
  | { status: 'rejected'; reason: string; click_id?: string };

const RETRY_S = 2;

interface Record {
  adId: string;
  clickId: string | undefined;
  json: string;
}

type Judged = Record | PostedVerdict;

/** Answers a POST. Gives what went wrong with it as a whole, or nothing: then the answer is under way. */
export type ClickPoster = (request: FastifyRequest, reply: FastifyReply) => Promise<Refusal | undefined>;

/** The handler of POSTs. */
export function clickPoster(ingestion: Ingestion): ClickPoster {
  // Marks are judged whatever `run` makes of them: a bad one is worth a word to who sends it.
  const method = { ...DEFAULT_METHOD, clockSkewMs: ingestion.clockSkewMs };
  const decoder = createDecoder({ method, partitions: 1 });
  const isKnown = keyCheck(ingestion.apiKeys);
  return async (request, reply) => {
    const sender = senderOf(ingestion, request, isKnown);
    if ('status' in sender) return sender;
    const posted = readBody(request.body as Buffer, ingestion.batchLimit);
    if ('status' in posted) return posted;
    const records = await prepared(ingestion, posted.clicks, sender);
    const verdicts = await kept(ingestion, judged(decoder, method, records));
    for (const verdict of verdicts) {
      if (verdict.status === 'accepted') ingestion.tally.accepted++;
      else raise(ingestion.tally.rejected, verdict.reason);
    }
    if (sender.user !== undefined && userOfCookies(request.headers.cookie) === undefined) {
      reply.header('set-cookie', cookieOfUser(sender.user, request.caller.https));
    }
    send(reply, verdicts, posted.isList);
    return undefined;
  };
}

function senderOf(
  { signingKeys }: Ingestion,
  { caller, headers }: FastifyRequest,
  isKnown: KeyCheck,
): Sender | Refusal {
  const believed = isKnown(headers.authorization);
  if (believed === false) return { status: 401, reason: 'this API key is not known' };
  // An unsigned POST would be the way around signed links.
  if (!believed && signingKeys.length > 0) return { status: 401, reason: 'posting clicks needs an API key' };
  const user = believed ? undefined : (userOfCookies(headers.cookie) ?? newUser());
  return { caller, headers, believed: believed ?? false, user };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readBody(
  body: Buffer,
  batchLimit: number,
): { clicks: (SentClick | undefined)[]; isList: boolean } | Refusal {
  let text: string;
  try {
    text = utf8.decode(body).trim();
    JSON.parse(text);
  } catch {
    return { status: 400, reason: 'the body is not JSON in UTF-8' };
  }
  const isList = text.startsWith('[');
  if (!isList && !text.startsWith('{')) {
    return { status: 400, reason: 'the body is neither a click nor a list of clicks' };
  }
  const elements = isList ? itemsOf(text) : [text];
  if (elements.length > batchLimit) {
    return { status: 413, reason: `more than ${batchLimit} clicks in a request` };
  }
  return { clicks: elements.map(readSentClick), isList };
}

async function prepared(
  ingestion: Ingestion,
  clicks: readonly (SentClick | undefined)[],
  sender: Sender,
): Promise<Judged[]> {
  return await Promise.all(
    clicks.map(async (sent): Promise<Judged> => {
      if (!sent) return { status: 'rejected', reason: 'not_json' };
      const adId = textOf(sent, 'ad_id') ?? '';
      const clickId = textOf(sent, 'click_id');
      const found = await adOf(ingestion, adId);
      // What is no ad id at all, the decoder says.
      const trouble = 'reason' in found ? found.reason : campaignTrouble(sent, found.ad, sender);
      if (trouble !== undefined) return rejected(trouble, clickId);
      const json = await recordOf(ingestion, sent, { sender, ad: (found as { ad: Target | undefined }).ad });
      return { adId, clickId, json };
    }),
  );
}

function rejected(reason: string, clickId: string | undefined): PostedVerdict {
  return { status: 'rejected', reason, ...(clickId === undefined ? {} : { click_id: clickId }) };
}

async function adOf(
  { targets }: Ingestion,
  adId: string,
): Promise<{ ad: Target | undefined } | { reason: 'unknown_ad' | 'unavailable' }> {
  if (!isFieldText(adId, FIELD_BYTES_MAX.ad_id)) return { ad: undefined };
  try {
    const ad = await targets.find(adId);
    return ad?.active ? { ad } : { reason: 'unknown_ad' };
  } catch (error) {
    if (error instanceof TargetsUnavailableError) return { reason: 'unavailable' };
    throw error;
  }
}

/** Only who is believed may say that a click is of another campaign than the ad's. */
function campaignTrouble(sent: SentClick, ad: Target | undefined, { believed }: Sender): string | undefined {
  const campaign = textOf(sent, 'campaign_id');
  const differs = !believed && ad !== undefined && campaign !== undefined && campaign !== ad.campaignId;
  return differs ? 'campaign_mismatch' : undefined;
}

/** The decoder's judgement of the records. */
function judged(decoder: Decoder, method: Method, all: readonly Judged[]): Judged[] {
  const records = all.filter((one): one is Record => !('status' in one));
  if (records.length === 0) return [...all];
  const values = records.map(({ json }) => Buffer.from(json));
  const { length: count } = records;
  const valueEnd = new Int32Array(count);
  let end = 0;
  for (const [i, value] of values.entries()) {
    end += value.length;
    valueEnd[i] = end;
  }
  const batch = decoder.decode({
    count,
    bytes: Buffer.concat(values),
    valueStart: Int32Array.from(valueEnd, (at, i) => at - values[i]!.length),
    valueEnd,
    partition: new Int32Array(count),
    offset: Float64Array.from({ length: count }, (_, i) => i),
    appendTimeMs: new Float64Array(count).fill(Date.now()),
  });
  const reasons = new Map(records.map((record, i) => [record, invalidReasonOf(batch, i, method)]));
  return all.map((one) => {
    if ('status' in one) return one;
    const reason = reasons.get(one)!;
    return reason === 'ok' ? one : rejected(reason, one.clickId);
  });
}

async function kept({ log, warn }: Ingestion, all: readonly Judged[]): Promise<PostedVerdict[]> {
  return await Promise.all(
    all.map(async (one): Promise<PostedVerdict> => {
      if ('status' in one) return one;
      const clickId = one.clickId ?? (JSON.parse(one.json) as { click_id: string }).click_id;
      try {
        await log.append({ key: one.adId, value: one.json });
        return { status: 'accepted', click_id: clickId };
      } catch (error) {
        notTaken(error, warn);
        return rejected('unavailable', clickId);
      }
    }),
  );
}

function send(reply: FastifyReply, verdicts: readonly PostedVerdict[], isList: boolean): void {
  const accepted = verdicts.filter(({ status }) => status === 'accepted').length;
  const later = verdicts.some((one) => one.status === 'rejected' && one.reason === 'unavailable');
  let status = 207;
  if (accepted === verdicts.length) status = 200;
  else if (accepted === 0) status = later ? 503 : 400;
  if (later) reply.header('retry-after', String(RETRY_S));
  const counts = { accepted, rejected: verdicts.length - accepted };
  const answer = isList ? { ...counts, clicks: verdicts } : verdicts[0];
  reply.code(status).header('content-type', 'application/json; charset=utf-8');
  reply.header('cache-control', 'no-store').send(JSON.stringify(answer));
}
