// The generator's only chance: a small fast generator of numbers that a seed repeats for ever, on every
// machine and Node version. sfc32 is Chris Doty-Humphrey's "small fast counting" generator from PractRand
// (public domain, pracrand.sourceforge.net): 128 bits of state, period of at least 2^32, passes PractRand.

const WARM_UP_ROUNDS = 15;

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** `seed` is a whole number up to 2^53; `stream` (any number) makes independent sequences of one seed. */
  constructor(seed: number, stream: number) {
    this.a = hash32((stream % 4294967296) | 0) ^ hash32(Math.floor(stream / 4294967296) | 0);
    this.b = (seed % 4294967296) | 0;
    this.c = Math.floor(seed / 4294967296) | 0;
    for (let round = 0; round < WARM_UP_ROUNDS; round++) this.word();
  }

  /** 32 random bits as a signed integer. */
  word(): number {
    const out = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + out) | 0;
    return out;
  }

  /** In [0, 1), in steps of 2^-32. */
  unit(): number {
    return (this.word() >>> 0) * 2.3283064365386963e-10;
  }

  /** A whole number in [0, below); `below` up to 2^32. */
  below(below: number): number {
    return Math.floor((this.word() >>> 0) * 2.3283064365386963e-10 * below);
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Mixes 32 bits so that neighbours in give strangers out: the finalizer of MurmurHash3 (public domain). */
export function hash32(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
