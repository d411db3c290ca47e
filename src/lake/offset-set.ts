// A set of the offsets seen in a partition, in a bit each, in pages: a lake of a billion records needs 125 MB.

const PAGE_BITS = 1 << 16;

export class OffsetSet {
  readonly #pages = new Map<number, Uint32Array>();
  size = 0;

  /** Adds them; returns how many were there already. */
  addAll(offsets: Iterable<number>): number {
    let known = 0;
    for (const offset of offsets) {
      const page = Math.floor(offset / PAGE_BITS);
      const bit = offset % PAGE_BITS;
      let words = this.#pages.get(page);
      if (!words) {
        words = new Uint32Array(PAGE_BITS / 32);
        this.#pages.set(page, words);
      }
      const mask = 1 << (bit & 31);
      if (words[bit >>> 5]! & mask) known++;
      else {
        words[bit >>> 5]! |= mask;
        this.size++;
      }
    }
    return known;
  }

  has(offset: number): boolean {
    const bit = offset % PAGE_BITS;
    const words = this.#pages.get(Math.floor(offset / PAGE_BITS));
    return words !== undefined && (words[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** Whether it holds exactly the offsets `[from, to)`. */
  isRange(from: number, to: number): boolean {
    if (this.size !== to - from) return false;
    for (let offset = from; offset < to; offset++) if (!this.has(offset)) return false;
    return true;
  }
}
