// How the data directory knows an input again: by its first bytes. A file that has only grown is the same one.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';

/** So many first bytes tell one input from another. */
export const IDENTITY_BYTES_MAX = 65_536;

/** Goes into JSON as it is. */
export interface InputIdentity {
  /** The file's name without its folder; `standard input` for a pipe. For people: it is not compared. */
  name: string;
  /** How many first bytes were hashed. */
  bytes: number;
  /** SHA-256 of them, in hex. */
  sha256: string;
}

/** Identity of an input whose first bytes (as they lie there, packed or not) are `head`. */
export function identityOf(path: string, head: Uint8Array): InputIdentity {
  const hashed = head.subarray(0, IDENTITY_BYTES_MAX);
  const name = path === '-' ? 'standard input' : basename(path);
  return { name, bytes: hashed.length, sha256: sha256Of(hashed) };
}

/** Whether an input that begins with `head` is the one of `identity`, perhaps grown since. */
export function sameFile(identity: InputIdentity, head: Uint8Array): boolean {
  return head.length >= identity.bytes && sha256Of(head.subarray(0, identity.bytes)) === identity.sha256;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
