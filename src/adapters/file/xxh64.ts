// XXH64 with seed 0, of which a zstd frame carries the lower 32 bits. fzstd doesn't look at them, and without
// them most damage to a packed file would pass as other clicks. A 64-bit number is two 32-bit ones here, high and
// low: BigInt is far too slow.

const PRIME_1_HIGH = 0x9e3779b1;
const PRIME_1_LOW = 0x85ebca87;
const PRIME_2_HIGH = 0xc2b2ae3d;
const PRIME_2_LOW = 0x27d4eb4f;
const PRIME_3_HIGH = 0x165667b1;
const PRIME_3_LOW = 0x9e3779f9;
const PRIME_4_HIGH = 0x85ebca77;
const PRIME_4_LOW = 0xc2b2ae63;
const PRIME_5_HIGH = 0x27d4eb2f;
const PRIME_5_LOW = 0x165667c5;
const STRIPE_BYTES = 32;

/** The number that the functions below work on. */
let high = 0;
let low = 0;

export class Xxh64 {
  /** Four lanes, each high and low. */
  readonly #lanes = new Int32Array(8);
  readonly #stripe = new Uint8Array(STRIPE_BYTES);
  #stripeBytes = 0;
  #totalBytes = 0;

  constructor() {
    set(PRIME_1_HIGH, PRIME_1_LOW);
    add(PRIME_2_HIGH, PRIME_2_LOW);
    this.#setLane(0);
    set(PRIME_2_HIGH, PRIME_2_LOW);
    this.#setLane(1);
    set(0, 0);
    this.#setLane(2);
    set(~PRIME_1_HIGH, ~PRIME_1_LOW);
    add(0, 1);
    this.#setLane(3);
  }

  update(bytes: Uint8Array): void {
    this.#totalBytes += bytes.length;
    let at = 0;
    if (this.#stripeBytes > 0) {
      at = Math.min(STRIPE_BYTES - this.#stripeBytes, bytes.length);
      this.#stripe.set(bytes.subarray(0, at), this.#stripeBytes);
      this.#stripeBytes += at;
      if (this.#stripeBytes < STRIPE_BYTES) return;
      consume(this.#lanes, this.#stripe, 0, STRIPE_BYTES);
    }
    const stripesEnd = at + ((bytes.length - at) & ~(STRIPE_BYTES - 1));
    consume(this.#lanes, bytes, at, stripesEnd);
    this.#stripe.set(bytes.subarray(stripesEnd), 0);
    this.#stripeBytes = bytes.length - stripesEnd;
  }

  /** The lower 32 bits of the hash of all bytes so far, unsigned. */
  digestLow(): number {
    if (this.#totalBytes >= STRIPE_BYTES) this.#mergeLanes();
    else set(PRIME_5_HIGH, PRIME_5_LOW);
    add(Math.floor(this.#totalBytes / 0x1_0000_0000), this.#totalBytes | 0);
    finish(this.#stripe, this.#stripeBytes);
    return low >>> 0;
  }

  #setLane(lane: number): void {
    this.#lanes[2 * lane] = high;
    this.#lanes[2 * lane + 1] = low;
  }

  #mergeLanes(): void {
    const rotations = [1, 7, 12, 18];
    let sumHigh = 0;
    let sumLow = 0;
    for (let lane = 0; lane < 4; lane++) {
      set(this.#lanes[2 * lane], this.#lanes[2 * lane + 1]);
      rotate(rotations[lane]);
      add(sumHigh, sumLow);
      sumHigh = high;
      sumLow = low;
    }
    for (let lane = 0; lane < 4; lane++) {
      round(0, 0, this.#lanes[2 * lane], this.#lanes[2 * lane + 1]);
      set(high ^ sumHigh, low ^ sumLow);
      multiply(PRIME_1_HIGH, PRIME_1_LOW);
      add(PRIME_4_HIGH, PRIME_4_LOW);
      sumHigh = high;
      sumLow = low;
    }
  }
}

/** Mixes whole stripes into the lanes. */
function consume(lanes: Int32Array, bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at += STRIPE_BYTES) {
    for (let lane = 0; lane < 4; lane++) {
      const word = at + 8 * lane;
      round(lanes[2 * lane], lanes[2 * lane + 1], word32(bytes, word + 4), word32(bytes, word));
      lanes[2 * lane] = high;
      lanes[2 * lane + 1] = low;
    }
  }
}

/** The bytes behind the last whole stripe, then the final mixing. */
function finish(rest: Uint8Array, restBytes: number): void {
  let at = 0;
  for (; at + 8 <= restBytes; at += 8) {
    const before = { high, low };
    round(0, 0, word32(rest, at + 4), word32(rest, at));
    set(high ^ before.high, low ^ before.low);
    rotate(27);
    multiply(PRIME_1_HIGH, PRIME_1_LOW);
    add(PRIME_4_HIGH, PRIME_4_LOW);
  }
  if (at + 4 <= restBytes) {
    const before = { high, low };
    set(0, word32(rest, at));
    multiply(PRIME_1_HIGH, PRIME_1_LOW);
    set(high ^ before.high, low ^ before.low);
    rotate(23);
    multiply(PRIME_2_HIGH, PRIME_2_LOW);
    add(PRIME_3_HIGH, PRIME_3_LOW);
    at += 4;
  }
  for (; at < restBytes; at++) {
    const before = { high, low };
    set(0, rest[at]);
    multiply(PRIME_5_HIGH, PRIME_5_LOW);
    set(high ^ before.high, low ^ before.low);
    rotate(11);
    multiply(PRIME_1_HIGH, PRIME_1_LOW);
  }
  low ^= high >>> 1; // x ^= x >>> 33
  multiply(PRIME_2_HIGH, PRIME_2_LOW);
  set(high ^ (high >>> 29), low ^ ((low >>> 29) | (high << 3)));
  multiply(PRIME_3_HIGH, PRIME_3_LOW);
  low ^= high; // x ^= x >>> 32
}

/** lane = rotate(lane + word * PRIME_2, 31) * PRIME_1 */
function round(laneHigh: number, laneLow: number, wordHigh: number, wordLow: number): void {
  set(wordHigh, wordLow);
  multiply(PRIME_2_HIGH, PRIME_2_LOW);
  add(laneHigh, laneLow);
  rotate(31);
  multiply(PRIME_1_HIGH, PRIME_1_LOW);
}

function word32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function set(newHigh: number, newLow: number): void {
  high = newHigh | 0;
  low = newLow | 0;
}

function add(otherHigh: number, otherLow: number): void {
  const sum = (low >>> 0) + (otherLow >>> 0);
  high = (high + otherHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

/** To the left, by less than 32. */
function rotate(bits: number): void {
  const newHigh = (high << bits) | (low >>> (32 - bits));
  low = (low << bits) | (high >>> (32 - bits));
  high = newHigh;
}

function multiply(otherHigh: number, otherLow: number): void {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = otherLow & 0xffff;
  const b1 = otherLow >>> 16;
  const inner = a1 * b0 + ((a0 * b0) >>> 16);
  const outer = a0 * b1 + (inner & 0xffff);
  const carried = a1 * b1 + (inner >>> 16) + (outer >>> 16);
  high = (carried + Math.imul(low, otherHigh) + Math.imul(high, otherLow)) | 0;
  low = Math.imul(low, otherLow);
}
