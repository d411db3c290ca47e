// Closing what speaks to the brokers, whether they are there or not, and when somebody says so.
import { isWorldly } from './world-errors.js';

/** Ends a client's connections, if there is one. That the brokers are away changes nothing then. */
export async function disconnect(client: { disconnect(): Promise<void> } | undefined): Promise<void> {
  await client?.disconnect().catch((error: unknown) => {
    if (!isWorldly(error)) throw error;
  });
}

/**
 * What closes: it does `closeAll`, which the signal does, too, unless it was closed before. It may come before all was
 * opened: what came later is closed by the next call. Calls wait for each other.
 */
export function closingBy(signal: AbortSignal, closeAll: () => Promise<void>): () => Promise<void> {
  let closing = Promise.resolve();
  const close = (): Promise<void> => {
    closing = closing.then(() => {
      signal.removeEventListener('abort', closeNow);
      return closeAll();
    });
    return closing;
  };
  const closeNow = (): void => void close();
  signal.addEventListener('abort', closeNow);
  return close;
}
