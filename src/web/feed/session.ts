// Who is looking: asks the server, signs in with a token, signs out.
import type { SessionAnswer } from '../../serve/api.js';
import { ask, send } from './request.js';

const PATH = '/v1/session';

export type Viewer =
  | { readonly kind: 'here'; readonly session: SessionAnswer }
  /** A token is wanted; `reason`: what was wrong with the one that came in the link. */
  | { readonly kind: 'signed out'; readonly reason: string | undefined }
  | { readonly kind: 'unreachable' };

/** Who we are, as far as the server says. */
export async function currentViewer(): Promise<Viewer> {
  let reason: string | undefined;
  const token = tokenOfAddress();
  if (token !== undefined) {
    const outcome = await signIn(token);
    if (typeof outcome !== 'string') return { kind: 'here', session: outcome };
    reason = outcome;
  }
  const outcome = await ask(PATH, undefined);
  if (outcome.kind === 'answer') return { kind: 'here', session: outcome.answer as SessionAnswer };
  const wantsToken = outcome.kind === 'refused' && outcome.error.code === 'unauthorized';
  return wantsToken ? { kind: 'signed out', reason } : { kind: 'unreachable' };
}

/** The session, or why there is none. */
export async function signIn(token: string): Promise<SessionAnswer | string> {
  const outcome = await send(PATH, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  if (outcome.kind === 'answer') return outcome.answer as SessionAnswer;
  return outcome.kind === 'refused'
    ? outcome.error.message
    : 'The server does not answer. Try again in a moment.';
}

/** Ends the session; nothing to tell if the server is gone. */
export async function signOut(): Promise<void> {
  await send(PATH, { method: 'DELETE' });
}

/** A token may come in a link, behind `#`, where it is in no server's log; it doesn't stay in the address. */
function tokenOfAddress(): string | undefined {
  const [, token] = /^#token=(.+)$/.exec(location.hash) ?? [];
  if (token !== undefined) history.replaceState(null, '', location.pathname + location.search);
  return token;
}
