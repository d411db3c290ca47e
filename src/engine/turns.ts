// Who counts when: of the processes of a consumer group one is active, the others stand by. A turn begins when this
// process becomes the active one, and ends with the work, or when another process has taken over: then everything
// in memory is dropped, and the next turn begins with what the store says.
import { FencedError, OwnershipLostError } from '../errors.js';
import { pause } from '../pause.js';
import type { DecodedInput } from './decoded-input.js';

export interface Turns {
  input: DecodedInput;
  signal: AbortSignal;
  /** This process waits for its turn, for the first time or again. */
  standsBy(): void;
  /** Its turn was over before its work; why. */
  lost(error: Error): void;
}

/** The store's owner may have been changed behind the group's back: a moment for the group to find out. */
const AFTER_FENCED_MS = 1000;

/**
 * Does the work whenever it is this process's turn, until it is done; at once where nobody else may want to read.
 * Undefined: the signal came while it stood by. What the work throws is thrown, but for the loss of a turn.
 */
export async function inTurns<T>(turns: Turns, work: () => Promise<T>): Promise<T | undefined> {
  const { input, signal } = turns;
  if (!input.shared) return await work();
  for (;;) {
    turns.standsBy();
    if (!(await input.active(signal))) return undefined;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof OwnershipLostError || error instanceof FencedError)) throw error;
      turns.lost(error);
      if (error instanceof FencedError) await pause(AFTER_FENCED_MS, signal);
    }
  }
}
