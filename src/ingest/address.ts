// IP addresses of requests: read once, kept as the 16 canonical bytes that the counting method compares, and as text.
import { formatIp, parseIp } from '../core/ip-address.js';

export interface Address {
  /** Four big-endian words, IPv4 in its IPv6-mapped form. */
  readonly words: Uint32Array;
  /** Canonical (RFC 5952), IPv4 in four parts. */
  readonly text: string;
}

const TEXT_BYTES_MAX = 64;
const scratch = Buffer.alloc(TEXT_BYTES_MAX);

/** The address that a text names, or undefined. A zone (`fe80::1%eth0`), as sockets give it, is left out. */
export function parseAddress(text: string): Address | undefined {
  const zone = text.indexOf('%');
  const bare = zone < 0 ? text : text.slice(0, zone);
  if (bare.length > TEXT_BYTES_MAX) return undefined;
  const length = scratch.write(bare, 'utf8');
  const words = new Uint32Array(4);
  return parseIp(scratch, 0, length, words, 0) ? { words, text: formatIp(words, 0) } : undefined;
}

/**
 * An address as proxies write it: perhaps with a port (`192.0.2.1:4711`, `[2001:db8::1]:4711`), in brackets or
 * quotes. Undefined for anything else, `unknown` among it.
 */
export function parseForwarded(text: string): Address | undefined {
  const trimmed = text.trim().replace(/^"(.*)"$/, '$1');
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed);
  if (bracketed) return parseAddress(bracketed[1]!);
  const withPort = /^([\d.]+):\d{1,5}$/.exec(trimmed);
  return parseAddress(withPort ? withPort[1]! : trimmed);
}
