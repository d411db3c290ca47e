// Who asks, from the request: a token in the Authorization header for programs, in a cookie for browsers. A server
// without keys asks nobody, and answers this machine only.
import '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SessionAnswer } from './api.js';
import { isoOrNull } from './tide.js';
import type { Tokens, Viewer } from './tokens.js';

const COOKIE = 'click_agg_session';
/** Longest token that is looked at. */
const TOKEN_LENGTH_MAX = 4_096;

export interface SessionRules {
  /** Undefined: everybody sees everything. */
  tokens: Tokens | undefined;
  /** Where browsers find this server (`https://clicks.example.com`), where that is not what they ask for. */
  publicUrl: URL | undefined;
}

/** Who asks; undefined: nobody who may. */
export async function viewerOf(
  request: FastifyRequest,
  { tokens }: SessionRules,
): Promise<Viewer | undefined> {
  if (!tokens) return { role: 'open' };
  const [scheme, shown] = (request.headers.authorization ?? '').split(' ');
  const token = scheme?.toLowerCase() === 'bearer' ? shown : request.cookies[COOKIE];
  if (token === undefined || token.length > TOKEN_LENGTH_MAX) return undefined;
  return await tokens.viewerOf(token);
}

/** GET /v1/session */
export function sessionOf(viewer: Viewer): SessionAnswer {
  return {
    role: viewer.role,
    advertiser_id: viewer.role === 'advertiser' ? viewer.advertiserId : null,
    expires_at: viewer.role === 'open' ? null : isoOrNull(viewer.expiresAtMs),
  };
}

/** Lets the browser show the token from now on, to this server alone, out of reach of its scripts. */
export function signIn(
  reply: FastifyReply,
  token: string,
  viewer: Viewer,
  { publicUrl }: SessionRules,
): void {
  reply.setCookie(COOKIE, token, {
    ...cookieRules(publicUrl),
    ...(viewer.role === 'open' ? {} : { expires: new Date(viewer.expiresAtMs) }),
  });
}

/** Makes the browser forget it. */
export function signOut(reply: FastifyReply, { publicUrl }: SessionRules): void {
  reply.clearCookie(COOKIE, cookieRules(publicUrl));
}

function cookieRules(publicUrl: URL | undefined) {
  return {
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure: publicUrl?.protocol === 'https:',
  } as const;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether only this machine can connect to an address. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);
}

/**
 * Why a request is refused before anything else is looked at; undefined: it is not. A page of another site may send
 * requests here from a browser of this machine, and may even have a name that leads here.
 */
export function refusalOf(request: FastifyRequest, { tokens, publicUrl }: SessionRules): string | undefined {
  const host = request.headers.host ?? '';
  const known = publicUrl !== undefined && host === publicUrl.host;
  if (!tokens && !known && !isLoopback(hostnameOf(host)))
    return 'without tokens this server answers only to names of this machine, such as localhost';
  const { origin } = request.headers;
  if (origin === undefined) return undefined;
  const fromHere = URL.canParse(origin) && new URL(origin).host === host;
  return fromHere || origin === publicUrl?.origin ? undefined : `not for pages of ${origin.slice(0, 200)}`;
}

function hostnameOf(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
}
