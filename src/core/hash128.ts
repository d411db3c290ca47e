// MurmurHash3_x86_128 (Austin Appleby, public domain, github.com/aappleby/smhasher) over two byte ranges.
// (user_id, ad_id) is known in memory by this hash alone: with a billion pairs in the horizon the chance
// that any two share 128 bits is about 10^-21, far below that of a memory error.

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

function fmix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const scratch = new Uint8Array(512);
const scratchWords = new Int32Array(scratch.buffer);

/** Writes the 128-bit hash of (first, second) to `out[at..at+3]`. Each range may have up to 255 bytes. */
export function hashPair(
  bytes: Uint8Array,
  firstStart: number,
  firstLength: number,
  secondStart: number,
  secondLength: number,
  out: Uint32Array,
  at: number,
): void {
  // The first part's length stands between the two: ("ab", "c") and ("a", "bc") differ.
  let n = 0;
  for (let i = 0; i < firstLength; i++) scratch[n++] = bytes[firstStart + i]!;
  scratch[n++] = firstLength;
  for (let i = 0; i < secondLength; i++) scratch[n++] = bytes[secondStart + i]!;
  const length = n;
  // Zeros up to the block's end stand for MurmurHash3's tail; the length is mixed in below.
  while (n & 15) scratch[n++] = 0;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let w = 0; w < n >>> 2; w += 4) {
    h1 ^= Math.imul(rotl(Math.imul(scratchWords[w]!, C1), 15), C2);
    h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotl(Math.imul(scratchWords[w + 1]!, C2), 16), C3);
    h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotl(Math.imul(scratchWords[w + 2]!, C3), 17), C4);
    h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotl(Math.imul(scratchWords[w + 3]!, C4), 18), C1);
    h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = fmix(h1);
  h2 = fmix(h2);
  h3 = fmix(h3);
  h4 = fmix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  out[at] = h1;
  out[at + 1] = h2 + h1;
  out[at + 2] = h3 + h1;
  out[at + 3] = h4 + h1;
}

/** FNV-1a (Fowler, Noll, Vo) over a byte range, finished by a mixer: a 32-bit hash for table slots. */
export function hashBytes(bytes: Uint8Array, start: number, length: number, seed = 0x811c9dc5 | 0): number {
  let h = seed;
  for (let i = start; i < start + length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return fmix(h) >>> 0;
}

/** Mixes four words into a 32-bit hash for table slots. */
export function hashWords(words: Uint32Array, at: number): number {
  let h = Math.imul(words[at]!, C1);
  h = Math.imul(rotl(h, 15) ^ words[at + 1]!, C2);
  h = Math.imul(rotl(h, 13) ^ words[at + 2]!, C3);
  h = Math.imul(rotl(h, 17) ^ words[at + 3]!, C4);
  return fmix(h) >>> 0;
}
