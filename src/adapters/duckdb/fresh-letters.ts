// The letters of the last commits, for whoever passes them on: a moment later he finds here what he would have to ask the
// file for, which made a run with many bots take a quarter longer. What isn't here any more, or never was, the file has.
import type { DeadLetter } from '../../core/ports/commit.js';
import type { LetterEvent } from '../../core/ports/letters.js';

/** What is kept at most, about; and about what a letter takes besides key and value. */
const BYTES_MAX = 32 * 1_048_576;
const LETTER_BYTES = 400;

interface Run {
  /** Number of the first letter; the others follow without a hole. */
  first: number;
  letters: readonly DeadLetter[];
  bytes: number;
}

export class FreshLetters {
  /** From the oldest to the newest. */
  readonly #runs: Run[] = [];
  #bytes = 0;
  /** Somebody asks for events; else nothing is kept. */
  #isAsked = false;

  /** A commit has written these letters as numbers `first` and those that follow. */
  add(first: number, letters: readonly DeadLetter[]): void {
    if (!this.#isAsked || letters.length === 0) return;
    let bytes = LETTER_BYTES * letters.length;
    for (const { key, value } of letters) bytes += (key?.length ?? 0) + (value?.length ?? 0);
    this.#runs.push({ first, letters, bytes });
    this.#bytes += bytes;
    while (this.#bytes > BYTES_MAX) this.#forgetOldest();
  }

  /** The events that follow `after`, at most `limit`; undefined: the next one is not here. What lies before is forgotten. */
  behind(after: number, limit: number): LetterEvent[] | undefined {
    this.#isAsked = true;
    while (this.#runs.length > 0 && endOf(this.#runs[0]) <= after + 1) this.#forgetOldest();
    const events: LetterEvent[] = [];
    for (const { first, letters } of this.#runs) {
      let sequence = after + 1 + events.length;
      if (first > sequence) break; // the number of something else, or of nothing
      for (; sequence - first < letters.length && events.length < limit; sequence++) {
        events.push({ sequence, withdrawn: false, letter: letters[sequence - first] });
      }
    }
    return events.length > 0 ? events : undefined;
  }

  #forgetOldest(): void {
    this.#bytes -= this.#runs.shift()?.bytes ?? 0;
  }
}

/** The number behind a run's last letter. */
function endOf({ first, letters }: Run): number {
  return first + letters.length;
}
