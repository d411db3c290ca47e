// Two readings of one log as one: the older part, which is always at hand, and the newer one, which may have to be waited
// for. None runs ahead of the other, so that memory need not hold what the other has still to be compared with.
import type { RawBatch } from '../core/batches.js';
import { pause } from '../pause.js';

/** So long the newer part is waited for, once: it may have nothing yet. */
const WAIT_MS = 1000;

/**
 * All batches of both, the one with the older first record first. A batch is the caller's until the next one is asked
 * for. Throws what a reading throws.
 */
export async function* inStep(
  older: AsyncIterator<RawBatch>,
  newer: AsyncIterator<RawBatch>,
): AsyncGenerator<RawBatch> {
  const old = new Head(older);
  const young = new Head(newer);
  let worthWaiting = true;
  for (;;) {
    await old.ready();
    if (!old.batch) break;
    const enough = new AbortController();
    await Promise.race([young.ready(), pause(worthWaiting ? WAIT_MS : 0, enough.signal)]);
    enough.abort();
    worthWaiting = !young.isAwaited;
    const next = young.batch && young.appendTimeMs <= old.appendTimeMs ? young : old;
    yield next.take();
  }
  for (await young.ready(); young.batch; await young.ready()) yield young.take();
}

/** A reading's next batch. */
class Head {
  batch: RawBatch | undefined;
  #asked: Promise<void> | undefined;
  #isAtEnd = false;

  constructor(private readonly batches: AsyncIterator<RawBatch>) {}

  /** Whether it has been asked for and has not come yet. */
  get isAwaited(): boolean {
    return this.#asked !== undefined;
  }

  /** Of the first record; -Infinity where the log has none. */
  get appendTimeMs(): number {
    const timeMs = this.batch!.appendTimeMs[0]!;
    return Number.isNaN(timeMs) ? -Infinity : timeMs;
  }

  /** Resolves when the batch is there, or there is none any more. */
  ready(): Promise<void> {
    if (this.batch || this.#isAtEnd) return Promise.resolve();
    if (!this.#asked) {
      this.#asked = this.#ask();
      // Who does not wait for it now hears of its failure when it does.
      this.#asked.catch(() => {});
    }
    return this.#asked;
  }

  async #ask(): Promise<void> {
    let next = await this.batches.next();
    while (!next.done && next.value.count === 0) next = await this.batches.next();
    this.#asked = undefined;
    if (next.done) this.#isAtEnd = true;
    else this.batch = next.value;
  }

  take(): RawBatch {
    const batch = this.batch!;
    this.batch = undefined;
    return batch;
  }
}
