// How often an address may ask: so many requests in a window of fixed length that its first request opens. Kept for
// the addresses that asked last, so that a flood from everywhere costs no memory. (@fastify/rate-limit is the usual
// way; it costs 4.5 µs of CPU a request, a third of a bare redirect; this costs 0.1, and 1 for an address that is new.)
import { LRUCache } from 'lru-cache';
import type { Address } from './address.js';

const ADDRESSES_MAX = 200_000;

interface Window {
  endsAtMs: number;
  requests: number;
}

/** Gives the ms to wait for an address that has asked too often, else 0. */
export type RateLimiter = (address: Address, nowMs: number) => number;

/** At most `requests` per `windowMs` of an IPv4 address or of a /64 network of IPv6, which one household has whole. */
export function rateLimiter({ requests, windowMs }: { requests: number; windowMs: number }): RateLimiter {
  const windows = new LRUCache<string | number, Window>({ max: ADDRESSES_MAX });
  return (address, nowMs) => {
    const key = keyOf(address);
    const window = windows.get(key);
    // A clock that was set back must not shut anybody out.
    if (!window || nowMs >= window.endsAtMs || window.endsAtMs > nowMs + windowMs) {
      windows.set(key, { endsAtMs: nowMs + windowMs, requests: 1 });
      return 0;
    }
    window.requests++;
    return window.requests > requests ? window.endsAtMs - nowMs : 0;
  };
}

function keyOf({ words }: Address): string | number {
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return words[3]!;
  return `${words[0]}:${words[1]}`;
}
