// The entropy codes of zstd (RFC 8878, section 4): tables of finite state entropy and of Huffman codes, read from
// their descriptions, every impossible one refused.

/** Packed bytes aren't sound; the message says in what way. */
export class PackingError extends Error {}

/** Fails unless the packed bytes can be so. */
export function mustBe(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new PackingError(problem);
}

/** Finite state entropy: a state gives a symbol, and with so many more bits the next state. */
export interface StateTable {
  /** log2 of the number of states. */
  bits: number;
  symbol: Uint8Array;
  /** The next state is `next[state]` and the number in the next `nextBits[state]` bits. */
  nextBits: Uint8Array;
  next: Uint16Array;
}

/** Huffman codes: as many bits as the longest code has lead to the symbol and its code's length. */
export interface CodeTable {
  bits: number;
  symbol: Uint8Array;
  length: Uint8Array;
}

/** Longest Huffman code. */
const CODE_BITS_MAX = 11;
/** Of the weights of Huffman codes: states of their table, and how many there may be (the last one isn't told). */
const WEIGHT_STATE_BITS_MAX = 6;
const WEIGHTS_MAX = 255;

/**
 * Bits of `bytes` from the back to the front, below the 1 that ends them. Reads may look three bytes beyond the end
 * of the stream, which must be there.
 */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  readonly #startBit: number;
  /** Position of the bit above those that are left. */
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    mustBe(end > start && bytes[end - 1] !== 0, 'a bit stream has no end');
    this.#bytes = bytes;
    this.#startBit = start * 8;
    this.at = end * 8 - 8 + log2(bytes[end - 1]);
  }

  get left(): number {
    return this.at - this.#startBit;
  }

  /** The number in the next `count` bits, up to 27; behind the stream's beginning there are none. */
  read(count: number): number {
    this.at -= count;
    mustBe(this.at >= this.#startBit, 'a bit stream is too short');
    if (count <= 24) return this.#bits(this.at, count);
    return this.#bits(this.at, 16) | (this.#bits(this.at + 16, count - 16) << 16);
  }

  #bits(at: number, count: number): number {
    const byte = at >>> 3;
    const bytes = this.#bytes;
    const word = bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16) | (bytes[byte + 3] << 24);
    return (word >>> (at & 7)) & ((1 << count) - 1);
  }
}

/** Position of the highest 1. */
export function log2(value: number): number {
  return 31 - Math.clz32(value);
}

/** Table of the states by how often each symbol comes: -1 stands for less than once. */
export function stateTable(counts: ArrayLike<number>, bits: number): StateTable {
  const size = 1 << bits;
  const table = {
    bits,
    symbol: new Uint8Array(size),
    nextBits: new Uint8Array(size),
    next: new Uint16Array(size),
  };
  const nextState = new Uint16Array(counts.length);
  let high = size - 1;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    if (counts[symbol] === -1) table.symbol[high--] = symbol;
    nextState[symbol] = Math.abs(counts[symbol]);
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let state = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let i = 0; i < counts[symbol]; i++) {
      table.symbol[state] = symbol;
      do state = (state + step) & (size - 1);
      while (state > high);
    }
  }
  for (let i = 0; i < size; i++) {
    const next = nextState[table.symbol[i]]++;
    table.nextBits[i] = bits - log2(next);
    table.next[i] = (next << table.nextBits[i]) - size;
  }
  return table;
}

/** Table in which every state gives the one symbol. */
export function oneSymbolTable(symbol: number): StateTable {
  return { bits: 0, symbol: Uint8Array.of(symbol), nextBits: new Uint8Array(1), next: new Uint16Array(1) };
}

/** Reads a table's description in `bytes[start, end)`; returns where it ends, too. */
export function readStateTable(
  bytes: Uint8Array,
  { start, end, bitsMax, symbolMax }: { start: number; end: number; bitsMax: number; symbolMax: number },
): { table: StateTable; at: number } {
  let at = start * 8;
  const peek = (count: number): number => {
    const byte = at >>> 3;
    const word = bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16);
    return (word >>> (at & 7)) & ((1 << count) - 1);
  };
  mustBe(end > start, 'a table is missing');
  const bits = peek(4) + 5;
  mustBe(bits <= bitsMax, 'a table is too large');
  at += 4;
  const counts: number[] = [];
  let left = 1 << bits;
  while (left > 0) {
    mustBe(counts.length <= symbolMax && at <= end * 8, 'a table is not sound');
    // A number from 0 to left + 1; the smaller ones of them take a bit less.
    const width = log2(left + 1) + 1;
    const shorter = (1 << width) - 2 - left;
    const low = peek(width - 1);
    const full = peek(width);
    const isShort = low < shorter;
    at += isShort ? width - 1 : width;
    const count = (isShort ? low : full >= 1 << (width - 1) ? full - shorter : full) - 1;
    counts.push(count);
    left -= Math.abs(count);
    if (count !== 0) continue;
    for (let repeats = 3; repeats === 3; ) {
      repeats = peek(2);
      at += 2;
      mustBe(counts.length + repeats <= symbolMax + 1 && at <= end * 8, 'a table is not sound');
      for (let i = 0; i < repeats; i++) counts.push(0);
    }
  }
  const endByte = (at + 7) >>> 3;
  mustBe(left === 0 && endByte <= end, 'a table is not sound');
  return { table: stateTable(counts, bits), at: endByte };
}

/** Reads the description of Huffman codes at `start`; returns where it ends, too. */
export function readCodeTable(
  bytes: Uint8Array,
  start: number,
  end: number,
): { table: CodeTable; at: number } {
  mustBe(start < end, 'a table is missing');
  const header = bytes[start];
  const first = start + 1;
  if (header < 128) {
    const at = first + header;
    mustBe(at <= end, 'a table is too short');
    return { table: codeTable(packedWeights(bytes, first, at)), at };
  }
  const count = header - 127;
  const at = first + ((count + 1) >> 1);
  mustBe(at <= end, 'a table is too short');
  const weights: number[] = [];
  for (let i = 0; i < count; i++) {
    const pair = bytes[first + (i >> 1)];
    weights.push(i % 2 === 0 ? pair >> 4 : pair & 15);
  }
  return { table: codeTable(weights), at };
}

/** Weights packed with finite state entropy: two states in turn, until the bits are used up. */
function packedWeights(bytes: Uint8Array, start: number, end: number): number[] {
  const { table, at } = readStateTable(bytes, {
    start,
    end,
    bitsMax: WEIGHT_STATE_BITS_MAX,
    symbolMax: CODE_BITS_MAX + 1,
  });
  const bits = new BackwardBits(bytes, at, end);
  const weights: number[] = [];
  let state = bits.read(table.bits);
  let other = bits.read(table.bits);
  for (;;) {
    weights.push(table.symbol[state]);
    mustBe(weights.length < WEIGHTS_MAX, 'a table has too many codes');
    if (bits.left < table.nextBits[state]) {
      weights.push(table.symbol[other]);
      return weights;
    }
    const next = table.next[state] + bits.read(table.nextBits[state]);
    state = other;
    other = next;
  }
}

/** Codes by weight: 0 has none, and each step more is a code one bit shorter. The last weight follows from the rest. */
function codeTable(weights: number[]): CodeTable {
  let sum = 0;
  for (const weight of weights) {
    mustBe(weight <= CODE_BITS_MAX, 'a code is too long');
    if (weight > 0) sum += 1 << (weight - 1);
  }
  mustBe(sum > 0, 'a table has no codes');
  const bits = log2(sum) + 1;
  const rest = (1 << bits) - sum;
  mustBe(bits <= CODE_BITS_MAX && rest === 1 << log2(rest), 'codes do not fit together');
  const all = [...weights, log2(rest) + 1];
  const ones = all.filter((weight) => weight === 1).length;
  mustBe(ones >= 2 && ones % 2 === 0, 'codes do not fit together');
  const table = { bits, symbol: new Uint8Array(1 << bits), length: new Uint8Array(1 << bits) };
  let cell = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (let symbol = 0; symbol < all.length; symbol++) {
      if (all[symbol] !== weight) continue;
      const end = cell + (1 << (weight - 1));
      table.symbol.fill(symbol, cell, end);
      table.length.fill(bits + 1 - weight, cell, end);
      cell = end;
    }
  }
  return table;
}

/** Decodes exactly `to[from, end)` from the Huffman codes in `bytes[start, bytesEnd)`. */
export function decodeCodes(
  table: CodeTable,
  source: { bytes: Uint8Array; start: number; end: number },
  target: { bytes: Uint8Array; start: number; end: number },
): void {
  const { bits, symbol, length } = table;
  const { bytes } = source;
  const out = target.bytes;
  const mask = (1 << bits) - 1;
  const startBit = source.start * 8;
  let at = new BackwardBits(bytes, source.start, source.end).at;
  let to = target.start;
  for (const fastEnd = startBit + bits; to < target.end && at >= fastEnd; to++) {
    const from = at - bits;
    const byte = from >>> 3;
    const cell = ((bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16)) >>> (from & 7)) & mask;
    out[to] = symbol[cell];
    at -= length[cell];
  }
  for (; to < target.end; to++) {
    // Fewer bits are left than the longest code has: zeros stand for those behind the beginning.
    const left = at - startBit;
    mustBe(left > 0, 'literals are too short');
    const byte = source.start;
    const low = (bytes[byte] | (bytes[byte + 1] << 8)) & ((1 << left) - 1);
    const cell = left >= bits ? (low >>> (left - bits)) & mask : (low << (bits - left)) & mask;
    out[to] = symbol[cell];
    at -= length[cell];
  }
  mustBe(at === startBit, 'literals do not end where they should');
}
