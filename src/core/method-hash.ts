// The fingerprint of a counting method. Store, lake, reports and `click-agg method` all show it: two parties
// whose hashes are equal count by the same rules with the same parameters. It is a pure function of the
// method; node:crypto gives the digest and nothing else.
import { createHash } from 'node:crypto';
import type { Method } from './method.js';

/** First 16 hex digits of the SHA-256 of the method's canonical JSON: names sorted, no white space. */
export function methodHash(method: Method): string {
  const entries = Object.entries(method).sort(([a], [b]) => (a < b ? -1 : 1));
  const canonical = JSON.stringify(Object.fromEntries(entries));
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16);
}
