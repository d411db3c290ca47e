// Bytes of an input, unpacked, poured into the reader's buffer: from a file, straight, or from a stream of chunks.
import type { FileHandle } from 'node:fs/promises';

export interface ByteFeed {
  /** Writes bytes to `target` from `at` on, as many as are there and fit, and returns how many: 0 at the end. */
  fill(target: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}

/** A plain file: read where it is needed, without a copy. */
export function fileFeed(handle: FileHandle): ByteFeed {
  let position = 0;
  return {
    async fill(target, at) {
      const { bytesRead } = await handle.read(target, at, target.length - at, position);
      position += bytesRead;
      return bytesRead;
    },
    close: () => handle.close(),
  };
}

/** A stream of chunks, whose beginning can be looked at before it is read. */
export class ChunkFeed implements ByteFeed {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #pending: Uint8Array = new Uint8Array(0);
  #ended = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The bytes that come next, without taking them: more are waited for until `enough` of them, or the end. */
  async peek(enough: (bytes: Uint8Array) => boolean): Promise<Uint8Array> {
    while (!enough(this.#pending) && !this.#ended) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#ended = true;
      else this.#pending = this.#pending.length === 0 ? value : Buffer.concat([this.#pending, value]);
    }
    return this.#pending;
  }

  async fill(target: Uint8Array, at: number): Promise<number> {
    const bytes = await this.peek((pending) => pending.length > 0);
    const count = Math.min(bytes.length, target.length - at);
    target.set(bytes.subarray(0, count), at);
    this.#pending = bytes.subarray(count);
    return count;
  }

  /** The same bytes as chunks. */
  async *rest(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = await this.peek((pending) => pending.length > 0);
      if (bytes.length === 0) return;
      this.#pending = new Uint8Array(0);
      yield bytes;
    }
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#chunks.return?.();
  }
}
