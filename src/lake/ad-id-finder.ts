// Guesses where a bare line's ad_id is, to know its partition while the bytes are at hand. It judges nothing:
// the lake's SQL says which ad a record has, and where the guess differs the partition is computed again.

/** Fields ahead of ad_id in any sane record fit into this; further on it isn't looked for. */
const LOOK_BYTES_MAX = 4096;
const AD_BYTES_MAX = 128;
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;
const BACKSLASH = 0x5c;

export class AdIdFinder {
  /** End of the ad that `find` found. */
  end = 0;
  /** Where the name stood in the line before: mostly it stands there again. */
  #nameAt = 0;

  /** Start of ad_id's text in `bytes[start, end)`; where there is none, start and end are both 0. */
  find(bytes: Uint8Array, start: number, end: number): number {
    let at = start + this.#nameAt;
    if (!isName(bytes, at, end)) {
      const limit = Math.min(end, start + LOOK_BYTES_MAX);
      for (at = start; at < limit && !isName(bytes, at, limit); ) at++;
      if (at >= limit) return this.#none();
      this.#nameAt = at - start;
    }
    at += 7;
    while (at < end && bytes[at] === SPACE) at++;
    if (bytes[at] !== COLON) return this.#none();
    do at++;
    while (at < end && bytes[at] === SPACE);
    if (at >= end || bytes[at] !== QUOTE) return this.#none();
    const first = at + 1;
    const limit = Math.min(end, first + AD_BYTES_MAX + 1);
    for (at = first; at < limit; at++) {
      if (bytes[at] === BACKSLASH) return this.#none();
      if (bytes[at] === QUOTE) {
        this.end = at;
        return first;
      }
    }
    return this.#none();
  }

  #none(): number {
    this.end = 0;
    return 0;
  }
}

/** `"ad_id"` */
function isName(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    at + 7 <= end &&
    bytes[at + 1] === 0x61 &&
    bytes[at + 2] === 0x64 &&
    bytes[at + 3] === 0x5f &&
    bytes[at + 4] === 0x69 &&
    bytes[at + 5] === 0x64 &&
    bytes[at + 6] === QUOTE &&
    bytes[at] === QUOTE
  );
}
