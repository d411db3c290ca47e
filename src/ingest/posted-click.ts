// One click of a POST: what its sender says, filled up and corrected with what the server knows better.
import type { IncomingHttpHeaders } from 'node:http';
import type { Target } from '../ads/ad.js';
import { FIELD_BYTES_MAX } from '../core/method.js';
import { KNOWN_FIELDS } from '../core/record-fields.js';
import { type Address, parseAddress } from './address.js';
import type { Caller } from './caller.js';
import { newClickId } from './click-ids.js';
import { clipped, isFieldText } from './clipped.js';
import { isoTime } from './event-times.js';
import type { Ingestion } from './ingestion.js';
import type { Mark } from './invalid-traffic.js';
import { itemsOf, memberOf } from './json-items.js';
import { seenBefore } from './redirect.js';
import type { UserAgentFacts } from './user-agents.js';

/** In the order in which the decoder and the lake read them fastest. */
const FIELDS = [...KNOWN_FIELDS, 'received_at', 'seen'] as const;
type Field = (typeof FIELDS)[number];
const NAMES = new Set<string>(FIELDS);

/** A click as it was sent: JSON texts of the fields that we know, and members that we don't as they came. */
export interface SentClick {
  readonly known: Map<Field, string>;
  readonly others: readonly string[];
}

/** Reads an element of a POST; undefined if it is no object, or names a field twice, on which readers disagree. */
export function readSentClick(element: string): SentClick | undefined {
  if (!element.startsWith('{')) return undefined;
  const known = new Map<Field, string>();
  const others: string[] = [];
  for (const item of itemsOf(element)) {
    const { name, value } = memberOf(item);
    if (!NAMES.has(name)) others.push(item);
    else if (known.has(name as Field)) return undefined;
    else known.set(name as Field, value);
  }
  // A field that is said to be nothing is to be filled in.
  for (const [name, value] of known) if (value === 'null') known.delete(name);
  return { known, others };
}

/** The text of a field, or undefined if it is absent or no string. */
export function textOf({ known }: SentClick, field: Field): string | undefined {
  const json = known.get(field);
  return json?.startsWith('"') ? (JSON.parse(json) as string) : undefined;
}

/** Who posts. */
export interface Sender {
  readonly caller: Caller;
  readonly headers: IncomingHttpHeaders;
  /** With the API key: a server, whose words about people's addresses are believed. */
  readonly believed: boolean;
  /** User id of the cookie, or a new one; undefined for a server, which has to know its users. */
  readonly user: string | undefined;
}

/** The record that goes into the log; the decoder judges it. */
export async function recordOf(
  ingestion: Ingestion,
  sent: SentClick,
  { sender, ad }: { sender: Sender; ad: Target | undefined },
): Promise<string> {
  const { countries, pseudonyms, tally } = ingestion;
  const { known, others } = sent;
  const json = new Map<Field, string>(known);
  const now = `"${isoTime(Date.now())}"`;
  if (known.has('event_time')) json.set('received_at', now);
  else json.set('event_time', now).delete('received_at');
  fill(json, 'click_id', newClickId);
  fill(json, 'campaign_id', () => ad?.campaignId);
  fill(json, 'user_id', () => sender.user);
  const address = addressOf(sent, sender);
  if (address) json.set('ip_address', `"${address.text}"`);
  const agent = agentOf(ingestion, json, sent, sender);
  fill(json, 'country', () =>
    countries.of(
      { address: address ?? sender.caller.address, proxied: sender.caller.proxied && !sender.believed },
      sender.headers,
    ),
  );
  fill(json, 'device_type', () => agent?.device ?? 'other');
  const mark = markOf(ingestion.marks(agent, address), textOf(sent, 'invalid_traffic'));
  if (mark) {
    tally.marked[mark.kind]++;
    json.set('invalid_traffic', JSON.stringify(mark.text));
  }
  const user = textOf({ known: json, others }, 'user_id');
  if (pseudonyms && address) json.set('ip_address', `"${pseudonyms.ip(address)}"`);
  // What is no user id must not look like one.
  const hidden = pseudonyms && user !== undefined && isFieldText(user, FIELD_BYTES_MAX.user_id);
  const kept = hidden ? pseudonyms.user(user) : user;
  if (kept !== undefined) json.set('user_id', JSON.stringify(kept));
  json.delete('seen');
  if (ingestion.seen && kept !== undefined && ad && (await seenBefore(ingestion, kept, ad.adId))) {
    json.set('seen', 'true');
  }
  const members = FIELDS.filter((name) => json.has(name)).map((name) => `"${name}":${json.get(name)}`);
  return `{${[...members, ...others].join(',')}}`;
}

function fill(json: Map<Field, string>, field: Field, value: () => string | undefined): void {
  if (json.has(field)) return;
  const text = value();
  if (text !== undefined) json.set(field, JSON.stringify(text));
}

/** The person's address: what a believed sender says, else where the request came from. */
function addressOf(sent: SentClick, { believed, caller }: Sender): Address | undefined {
  if (!believed) return caller.address;
  const text = textOf(sent, 'ip_address');
  return text === undefined ? undefined : parseAddress(text);
}

/**
 * The person's user agent: that of the click, or that of the request where a browser posts for itself. An app's
 * request names its HTTP library, which tells nothing about the person and which isbot would take for a crawler.
 */
function agentOf(
  { userAgents }: Ingestion,
  json: Map<Field, string>,
  sent: SentClick,
  { believed, headers }: Sender,
): UserAgentFacts | undefined {
  const asked = headers['user-agent'];
  if (!believed && asked?.startsWith('Mozilla/')) {
    fill(json, 'user_agent', () => clipped(asked, FIELD_BYTES_MAX.user_agent));
  }
  const text = textOf({ known: json, others: sent.others }, 'user_agent');
  return text === undefined ? undefined : userAgents(text);
}

/** Our own mark, or else the sender's. */
function markOf(own: Mark | undefined, sent: string | undefined): Mark | undefined {
  return own ?? (sent ? { kind: 'sender', text: sent } : undefined);
}
