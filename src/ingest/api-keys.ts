// API keys of servers that post clicks: `Authorization: Bearer KEY`.
import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether a request's Authorization header holds a key that is known; undefined without a header. */
export type KeyCheck = (authorization: string | undefined) => boolean | undefined;

/** A check by these keys, which takes as long for any key that is wrong. */
export function keyCheck(keys: readonly string[]): KeyCheck {
  // Digests are of one length, and comparing them tells nothing about the key.
  const digest = (key: string): Buffer => createHash('sha256').update(key).digest();
  const known = keys.map(digest);
  return (authorization) => {
    if (authorization === undefined) return undefined;
    const given = /^Bearer +(.+)$/i.exec(authorization)?.[1];
    if (given === undefined) return false;
    const asked = digest(given);
    return known.filter((one) => timingSafeEqual(one, asked)).length > 0;
  };
}
