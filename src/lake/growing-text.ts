// Entries of bytes, each followed by a newline, in one buffer that grows: what DuckDB gets as one long text.

const NEWLINE = 0x0a;
const BYTES = 1 << 14;
const ENTRIES = 256;
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

  /** Everything, with the last newline. */
  all(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Entries `[from, to)` with the newlines between them but not behind the last. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from === 0 ? 0 : this.#ends[from - 1]! + 1, this.#ends[to - 1]);
  }

  /** Whether each newline ends one of the `count` entries. */
  holdsOnlyEntries(count: number): boolean {
    const all = this.all();
    let at = -1;
    for (let index = 0; index < count; index++) {
      at = all.indexOf(NEWLINE, at + 1);
      if (at !== this.#ends[index]) return false;
    }
    return true;
  }

  /** Empties those of the `count` entries that `goes` names. */
  empty(count: number, goes: (index: number) => boolean): void {
    const old = Buffer.from(this.all());
    const ends = this.#ends.slice(0, count);
    this.clear();
    for (let index = 0, start = 0; index < count; index++) {
      this.put(index, old, start, goes(index) ? start : ends[index]!);
      start = ends[index]! + 1;
    }
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
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
