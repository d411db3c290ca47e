// Tokens that say who asks: signed and stateless (JSON Web Tokens, HS256), so that any number of servers with the same
// key read them, and a token ends by itself. A new key in front of the old one signs from then on; an old token is
// taken as long as its key is in the list.
import { createSecretKey, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { UsageError } from '../errors.js';

const ISSUER = 'click-agg';
const ALGORITHM = 'HS256';
/** A key of fewer characters than the digest has bytes could be guessed sooner than the digest. */
export const TOKEN_KEY_CHARACTERS_MIN = 32;

/** Who asks. `open`: this server asks nobody for a token. */
export type Viewer =
  | { role: 'open' }
  | { role: 'admin'; expiresAtMs: number }
  | { role: 'advertiser'; advertiserId: string; expiresAtMs: number };

export interface Tokens {
  /** A token for an advertiser, or, without one, for an administrator, who sees everything. */
  issue(holder: { advertiserId: string | undefined; expiresAtMs: number }): Promise<string>;
  /** Whose token it is; undefined: it was not made with one of the keys, or it has ended. */
  viewerOf(token: string): Promise<Viewer | undefined>;
}

/** Tokens by these keys; the first one signs. UsageError: there is none. */
export function tokensBy(keys: readonly string[]): Tokens {
  const secrets = keys.map((key) => createSecretKey(key, 'utf8'));
  const [signing] = secrets;
  if (!signing) throw new UsageError('a token needs a key', { hint: 'Set CLICK_AGG_TOKEN_KEY.' });
  return {
    issue({ advertiserId, expiresAtMs }) {
      const claims =
        advertiserId === undefined ? { role: 'admin' } : { role: 'advertiser', sub: advertiserId };
      return new SignJWT(claims)
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setIssuedAt()
        .setExpirationTime(Math.floor(expiresAtMs / 1000))
        .sign(signing);
    },
    async viewerOf(token) {
      for (const secret of secrets) {
        const viewer = await verified(token, secret);
        if (viewer) return viewer;
      }
      return undefined;
    },
  };
}

async function verified(token: string, secret: KeyObject): Promise<Viewer | undefined> {
  const rules = { algorithms: [ALGORITHM], issuer: ISSUER, requiredClaims: ['exp', 'role'] };
  try {
    const { payload } = await jwtVerify(token, secret, rules);
    const expiresAtMs = payload.exp! * 1000;
    if (payload.role === 'admin') return { role: 'admin', expiresAtMs };
    const { sub } = payload;
    if (payload.role !== 'advertiser' || sub === undefined || sub === '') return undefined;
    return { role: 'advertiser', advertiserId: sub, expiresAtMs };
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
