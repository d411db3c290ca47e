// Entries of bytes, each followed by a newline, in one buffer that grows: what DuckDB gets as one long text.
import { isUtf8 } from 'node:buffer';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const BYTES = 1 << 14;
const ENTRIES = 256;
/** A buffer grows by so much: room that is never written to costs no memory, but every byte that is copied costs time. */
const GROWTH = 4;
/** A call into native code costs more than copying so few bytes does. */
const NATIVE_COPY_BYTES = 48;

export class GrowingText {
  #bytes = Buffer.allocUnsafe(BYTES);
  #length = 0;
  /** Where each entry's newline is. */
  #ends = new Int32Array(ENTRIES);

  /** Adds `from[start, end)` as entry `index`, which must be the next one. */
  put(index: number, from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#length + size + 1 > this.#bytes.length) this.#grow(this.#length + size + 1);
    if (index === this.#ends.length) this.#ends = grown(this.#ends);
    const to = this.#bytes;
    let at = this.#length;
    if (size >= NATIVE_COPY_BYTES) {
      to.set(from.subarray(start, end), at);
      at += size;
    } else {
      for (let i = start; i < end; i++) to[at++] = from[i]!;
    }
    this.#ends[index] = at;
    to[at] = NEWLINE;
    this.#length = at + 1;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Entries `[from, to)` with the newlines between them but not behind the last. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from === 0 ? 0 : this.#ends[from - 1]! + 1, this.#ends[to - 1]);
  }

  /** Which of the `count` entries can't stand in the text: those that hold a newline or are not UTF-8. */
  oddEntries(count: number): number[] {
    const odd = new Set(this.#withNewline(count));
    // A newline never ends in the middle of a character, so a stretch is UTF-8 if all of its entries are.
    const look = (from: number, to: number): void => {
      if (from === to || isUtf8(this.slice(from, to))) return;
      if (to - from === 1) odd.add(from);
      else {
        const middle = (from + to) >> 1;
        look(from, middle);
        look(middle, to);
      }
    };
    look(0, count);
    return [...odd];
  }

  #withNewline(count: number): number[] {
    const found: number[] = [];
    const all = this.#bytes.subarray(0, this.#length);
    for (let index = 0, at = -1; index < count; index++) {
      const end = this.#ends[index]!;
      at = all.indexOf(NEWLINE, at + 1);
      if (at !== end) found.push(index);
      at = end;
    }
    return found;
  }

  /** Makes an entry harmless without changing its length. */
  blank(index: number): void {
    const start = index === 0 ? 0 : this.#ends[index - 1]! + 1;
    this.#bytes.fill(SPACE, start, this.#ends[index]);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, GROWTH * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** The same items with twice the room. */
export function grown<A extends Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(items: A): A {
  const larger = new (items.constructor as new (length: number) => A)(2 * items.length);
  larger.set(items);
  return larger;
}
