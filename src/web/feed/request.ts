// One request to the read API: what was answered, that nothing changed, or why not.
import type { ErrorAnswer } from '../../serve/api.js';

const ANSWER_WITHIN_MS = 20_000;

export type Outcome =
  | { readonly kind: 'answer'; readonly answer: unknown; readonly etag: string | undefined }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly error: ErrorAnswer['error'] }
  /** No server, or one that says nothing that can be understood. */
  | { readonly kind: 'unreachable' };

/** GET with the ETag of the last answer: the server says 304 if it still holds. */
export async function ask(path: string, etag: string | undefined): Promise<Outcome> {
  return send(path, { headers: etag === undefined ? {} : { 'If-None-Match': etag } });
}

/** Any request of the API. It never throws. */
export async function send(path: string, init: RequestInit): Promise<Outcome> {
  try {
    // The browser's own cache would answer in place of a server that is gone.
    const how: RequestInit = { cache: 'no-store', credentials: 'same-origin', ...init };
    const response = await fetch(path, { ...how, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    if (response.status === 304) return { kind: 'unchanged' };
    const text = await response.text();
    const answer: unknown = text === '' ? null : JSON.parse(text);
    if (response.ok) return { kind: 'answer', answer, etag: response.headers.get('ETag') ?? undefined };
    const { error } = answer as Partial<ErrorAnswer>;
    return error === undefined ? { kind: 'unreachable' } : { kind: 'refused', error };
  } catch (error) {
    // TypeError: no network; SyntaxError: a page of some proxy instead of JSON; DOMException: it took too long.
    if (error instanceof TypeError || error instanceof SyntaxError || error instanceof DOMException)
      return { kind: 'unreachable' };
    throw error;
  }
}
