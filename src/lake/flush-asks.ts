// Hears readers who wait for what the writer has read but not written, beside its work.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LakeWriting } from './storage.js';

const POLL_MS = 200;

export class FlushAsks {
  readonly #closing = new AbortController();
  readonly #listening: Promise<void>;
  #next = nextAsk();

  constructor(writing: Pick<LakeWriting, 'flushAsked'>) {
    this.#listening = this.#listen(writing);
  }

  /** Resolves when a reader asks; rejects when that can't be found out any more. */
  next(): Promise<'flush'> {
    return this.#next.promise;
  }

  /** A flush begins: whoever asked so far gets it. */
  answered(): void {
    this.#next = nextAsk();
  }

  async #listen(writing: Pick<LakeWriting, 'flushAsked'>): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!signal.aborted) {
        if (await writing.flushAsked()) this.#next.resolve('flush');
        await sleep(POLL_MS, undefined, { signal }).catch(() => {}); // only the end cuts it short
      }
    } catch (error) {
      this.#next.reject(error);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#listening;
  }
}

interface NextAsk {
  promise: Promise<'flush'>;
  resolve(ask: 'flush'): void;
  reject(error: unknown): void;
}

function nextAsk(): NextAsk {
  let settle: Pick<NextAsk, 'resolve' | 'reject'>;
  const promise = new Promise<'flush'>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => {}); // whoever waits for it hears of it
  return { promise, ...settle! };
}
