// Who asks: the address of the browser, seen through proxies that we trust and no others. X-Forwarded-For is a list
// to which each proxy appends whom it was asked by: it is read from its end, as far as it was written by trusted ones.
// (proxy-addr, which Fastify brings, takes what is no address for one, and addresses with ports for none.)
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Address, parseAddress, parseForwarded } from './address.js';
import type { Networks } from './networks.js';

/** Longer chains of proxies are no real ones. */
const HOPS_MAX = 20;

export interface Caller {
  readonly address: Address;
  /** The request came through a trusted proxy: its headers are believed. */
  readonly proxied: boolean;
  /** The browser spoke TLS. */
  readonly https: boolean;
}

/** Reads callers of requests, by which proxies are trusted. Undefined: the connection is gone already. */
export function callerReader(
  trusted: Networks | undefined,
): (request: IncomingMessage) => Caller | undefined {
  /** A connection's own end never changes, and browsers and proxies send many requests over one. */
  const peers = new WeakMap<Socket, Caller>();
  const peerOf = (socket: Socket): Caller | undefined => {
    const known = peers.get(socket);
    if (known) return known;
    const address = socket.remoteAddress === undefined ? undefined : parseAddress(socket.remoteAddress);
    if (!address) return undefined;
    const caller = { address, proxied: trusted?.has(address.words) ?? false, https: 'encrypted' in socket };
    peers.set(socket, caller);
    return caller;
  };
  return (request) => {
    const peer = peerOf(request.socket);
    if (!peer?.proxied || !trusted) return peer;
    const { 'x-forwarded-for': hops, 'x-forwarded-proto': scheme } = request.headers;
    const https = scheme === undefined ? peer.https : /^\s*https\s*(,|$)/i.test(String(scheme));
    const address = hops === undefined ? peer.address : farthest(String(hops), peer.address, trusted);
    return { address, proxied: true, https };
  };
}

/** The farthest address that a trusted proxy vouches for. */
function farthest(hops: string, peer: Address, trusted: Networks): Address {
  let address = peer;
  let end = hops.length;
  for (let hop = 0; hop < HOPS_MAX && end > 0 && trusted.has(address.words); hop++) {
    const comma = hops.lastIndexOf(',', end - 1);
    const next = parseForwarded(hops.slice(comma + 1, end));
    if (!next) break;
    address = next;
    end = comma;
  }
  return address;
}
