// Why a click is general invalid traffic, as far as the request shows it. The mark goes with the click into the log,
// where the counting method judges by it; nothing is dropped here.
import type { IncomingHttpHeaders } from 'node:http';
import type { Address } from './address.js';
import type { Networks } from './networks.js';
import { CRAWLER_MARK, type UserAgentFacts } from './user-agents.js';

/** Networks that are nobody's home: `name` is what the mark says. */
export interface DatacenterNetworks {
  name: string;
  networks: Networks;
}

/** Kinds of marks, for counting them. */
export const MARK_KINDS = ['prefetch', 'head', 'crawler', 'datacenter', 'sender'] as const;
export type MarkKind = (typeof MARK_KINDS)[number];

export interface Mark {
  readonly kind: MarkKind;
  /** The JSON field `invalid_traffic`: at most 128 bytes. */
  readonly text: string;
}

const PREFETCH: Mark = { kind: 'prefetch', text: 'prefetch' };
const HEAD: Mark = { kind: 'head', text: 'HEAD request' };
const CRAWLER: Mark = { kind: 'crawler', text: CRAWLER_MARK };

/** The mark of a request by what it is, not by who sent it: asked for in advance, or not asking for the page. */
export function markOfRequest(method: string | undefined, headers: IncomingHttpHeaders): Mark | undefined {
  const purpose = headers['sec-purpose'] ?? headers.purpose ?? headers['x-purpose'] ?? headers['x-moz'];
  if (purpose !== undefined && /prefetch|prerender|preview/i.test(String(purpose))) return PREFETCH;
  return method === 'HEAD' ? HEAD : undefined;
}

/** Marks clicks by who made them. */
export function senderMarks(
  lists: readonly DatacenterNetworks[],
): (userAgent: UserAgentFacts | undefined, address: Address | undefined) => Mark | undefined {
  const marks = lists.map(({ name, networks }) => ({
    networks,
    mark: { kind: 'datacenter', text: `data centre (${name})` } satisfies Mark,
  }));
  return (userAgent, address) => {
    if (userAgent?.crawler) return CRAWLER;
    if (!address) return undefined;
    return marks.find(({ networks }) => networks.has(address.words))?.mark;
  };
}
