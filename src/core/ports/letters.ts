// The dead letters of a store as events, for whoever passes them on.
import type { DeadLetter } from './commit.js';

/** Something that happened to a dead letter: it was written, or taken back. */
export interface LetterEvent {
  /** Rises in the order of commits; numbers may be left out. */
  sequence: number;
  /** The letter is taken back: the bot's click turned out to be a double click. */
  withdrawn: boolean;
  /** As it was written. */
  letter: DeadLetter;
}

/** Where the events of a store stand. */
export interface LetterStream {
  /** Names the store: the numbers of another one mean something else. */
  id: string;
  /** The last event, or -1. */
  last: number;
  /** The last event that was marked as published, or -1. */
  published: number;
}

/**
 * The dead letters of a store in the order in which they came and went, for whoever passes them on.
 *
 * Guarantee: events are written in the commit that makes them so, and none appears later behind one that was read.
 */
export interface LetterOutbox {
  letterStream(): Promise<LetterStream>;
  /** The next events behind `after` in order, at most `limit`. */
  letterEvents(after: number, limit: number): Promise<LetterEvent[]>;
  /** A hint for the case that nobody else remembers how far they were passed on. */
  markPublished(sequence: number): Promise<void>;
}
