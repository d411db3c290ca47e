// The user id: a random UUID in a first-party cookie, set with the first click. Nothing is derived from the browser,
// and only ids of our own making are taken back.
import { randomUUID } from 'node:crypto';

export const USER_COOKIE = 'ca_uid';
/** 400 days: browsers keep none for longer. */
const MAX_AGE_S = 34_560_000;
const OURS =
  /(?:^|;\s*)ca_uid=([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})(?:\s*;|$)/;

/** The user id in a Cookie header, or undefined. */
export function userOfCookies(cookies: string | undefined): string | undefined {
  return cookies === undefined ? undefined : OURS.exec(cookies)?.[1];
}

/** A user id for a browser without one. */
export function newUser(): string {
  return randomUUID();
}

/** The Set-Cookie header that keeps it. */
export function cookieOfUser(userId: string, https: boolean): string {
  const secure = https ? '; Secure' : '';
  return `${USER_COOKIE}=${userId}; Path=/; Max-Age=${MAX_AGE_S}; HttpOnly; SameSite=Lax${secure}`;
}
