// One compressed block of a zstd frame (RFC 8878, section 3.1.1.3): literals, and sequences that say how many of
// them to take and what to repeat of what came before.
import {
  BackwardBits,
  type CodeTable,
  decodeCodes,
  mustBe,
  oneSymbolTable,
  readCodeTable,
  readStateTable,
  type StateTable,
  stateTable,
} from './zstd-entropy.js';

/** No block unpacks to more. */
export const BLOCK_BYTES_MAX = 131_072;
/** Shorter copies are faster byte by byte. */
const COPY_BYTES_MIN = 48;
/** Offsets with a greater code reach farther back than any window we hold. */
const OFFSET_CODE_MAX = 27;

/** By code: the least value, and how many bits more tell it. */
interface Codes {
  base: Int32Array;
  bits: Uint8Array;
}

function codesOf(first: number, extraBits: readonly number[]): Codes {
  const base = new Int32Array(extraBits.length);
  let value = first;
  extraBits.forEach((bits, code) => {
    base[code] = value;
    value += 1 << bits;
  });
  return { base, bits: Uint8Array.from(extraBits) };
}

const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const LITERAL_LENGTHS = codesOf(
  0,
  zeros(16).concat([1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
);
const MATCH_LENGTHS = codesOf(
  3,
  zeros(32).concat([1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
);

/** The three tables of sequences: predefined, and the limits of those that a block brings. */
interface TableKind {
  predefined: StateTable;
  bitsMax: number;
  symbolMax: number;
}
const LITERAL_LENGTH_TABLES: TableKind = {
  predefined: stateTable(
    [
      4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1,
      -1, -1,
    ],
    6,
  ),
  bitsMax: 9,
  symbolMax: 35,
};
const OFFSET_TABLES: TableKind = {
  predefined: stateTable(
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    5,
  ),
  bitsMax: 8,
  symbolMax: 31,
};
const MATCH_LENGTH_TABLES: TableKind = {
  predefined: stateTable(
    [1, 4, 3, 2, 2, 2, 2, 2, 2, ...new Array<number>(37).fill(1), ...new Array<number>(7).fill(-1)],
    6,
  ),
  bitsMax: 9,
  symbolMax: 52,
};

/** Unpacked bytes of a frame, as far back as repeats may reach. */
export interface History {
  bytes: Uint8Array;
  /** End of what is there; the block's bytes follow. */
  end: number;
  /** No repeat reaches before this. */
  start: number;
  /** Longest that a repeat may reach back. */
  windowBytes: number;
  /** No block is longer. */
  blockBytesMax: number;
}

/** Unpacks the compressed blocks of one frame, in order: tables and offsets are handed from block to block. */
export class BlockDecoder {
  readonly #literals = new Uint8Array(BLOCK_BYTES_MAX);
  #literalBytes = 0;
  #codes: CodeTable | undefined;
  #literalLengths: StateTable | undefined;
  #offsets: StateTable | undefined;
  #matchLengths: StateTable | undefined;
  readonly #recent = Int32Array.of(1, 4, 8);

  /** Forgets the frame before. */
  clear(): void {
    this.#codes = undefined;
    this.#literalLengths = undefined;
    this.#offsets = undefined;
    this.#matchLengths = undefined;
    this.#recent.set([1, 4, 8]);
  }

  /** Unpacks `bytes[0, end)`, behind which four more bytes can be read, to the end of `history`. */
  decode(bytes: Uint8Array, end: number, history: History): void {
    let at = this.#readLiterals(bytes, end, history.blockBytesMax);
    mustBe(at < end, 'a block is too short');
    let count = bytes[at++];
    if (count === 255) {
      count = bytes[at] + (bytes[at + 1] << 8) + 0x7f00;
      at += 2;
    } else if (count > 127) {
      count = ((count - 128) << 8) + bytes[at++];
    }
    if (count > 0) {
      this.#sequences(bytes, at, end, count, history);
    } else {
      mustBe(at === end, 'a block is too long');
      this.#appendRest(0, history.end, history);
    }
  }

  /** Returns where the literals' section ends. */
  #readLiterals(bytes: Uint8Array, end: number, bytesMax: number): number {
    mustBe(end > 0, 'a block is empty');
    const type = bytes[0] & 3;
    const format = (bytes[0] >> 2) & 3;
    if (type >= 2) return this.#readCodedLiterals(bytes, end, type === 2, bytesMax);
    const isShort = (format & 1) === 0;
    const at = isShort ? 1 : format === 1 ? 2 : 3;
    const size = isShort
      ? bytes[0] >> 3
      : (bytes[0] >> 4) | (bytes[1] << 4) | (format === 3 ? bytes[2] << 12 : 0);
    mustBe(size <= bytesMax && at + (type === 0 ? size : 1) <= end, 'literals are too long');
    this.#literalBytes = size;
    if (type === 0) {
      this.#literals.set(bytes.subarray(at, at + size));
      return at + size;
    }
    this.#literals.fill(bytes[at], 0, size);
    return at + 1;
  }

  #readCodedLiterals(bytes: Uint8Array, end: number, hasTable: boolean, bytesMax: number): number {
    const format = (bytes[0] >> 2) & 3;
    const sizeBits = [10, 10, 14, 18][format];
    const headerBytes = [3, 3, 4, 5][format];
    mustBe(headerBytes <= end, 'literals are too short');
    // A header of five bytes is more than 32 bits: as a number it is exact, with bit operators it is not.
    let header = 0;
    for (let i = headerBytes - 1; i >= 0; i--) header = header * 256 + bytes[i];
    const sizes = Math.floor(header / 16);
    const size = sizes % 2 ** sizeBits;
    let at = headerBytes;
    const codedEnd = at + Math.floor(sizes / 2 ** sizeBits);
    mustBe(size <= bytesMax && codedEnd <= end, 'literals are too long');
    if (hasTable) {
      const read = readCodeTable(bytes, at, codedEnd);
      this.#codes = read.table;
      at = read.at;
    }
    const codes = this.#codes;
    mustBe(codes !== undefined, 'a table is missing');
    this.#literalBytes = size;
    const target = { bytes: this.#literals, start: 0, end: size };
    if (format === 0) decodeCodes(codes, { bytes, start: at, end: codedEnd }, target);
    else this.#fourStreams(codes, { bytes, start: at, end: codedEnd }, size);
    return codedEnd;
  }

  #fourStreams(
    codes: CodeTable,
    source: { bytes: Uint8Array; start: number; end: number },
    size: number,
  ): void {
    const { bytes, start, end } = source;
    mustBe(start + 6 <= end, 'literals are too short');
    const share = (size + 3) >> 2;
    mustBe(3 * share <= size, 'literals are too short');
    let at = start + 6;
    for (let stream = 0; stream < 4; stream++) {
      const length = bytes[start + 2 * stream] | (bytes[start + 2 * stream + 1] << 8);
      const streamEnd = stream === 3 ? end : at + length;
      mustBe(streamEnd <= end, 'literals are too short');
      const target = {
        bytes: this.#literals,
        start: stream * share,
        end: stream === 3 ? size : (stream + 1) * share,
      };
      decodeCodes(codes, { bytes, start: at, end: streamEnd }, target);
      at = streamEnd;
    }
  }

  #sequences(bytes: Uint8Array, start: number, end: number, count: number, history: History): void {
    mustBe(start < end, 'sequences are missing');
    const modes = bytes[start];
    mustBe((modes & 3) === 0, 'a reserved bit is set');
    let at = start + 1;
    const table = (mode: number, kind: TableKind, former: StateTable | undefined): StateTable => {
      if (mode === 0) return kind.predefined;
      if (mode === 3) {
        mustBe(former !== undefined, 'a table is missing');
        return former;
      }
      if (mode === 1) {
        mustBe(at < end && bytes[at] <= kind.symbolMax, 'a table is not sound');
        return oneSymbolTable(bytes[at++]);
      }
      const read = readStateTable(bytes, { start: at, end, ...kind });
      at = read.at;
      return read.table;
    };
    const literalLengths = table(modes >> 6, LITERAL_LENGTH_TABLES, this.#literalLengths);
    const offsets = table((modes >> 4) & 3, OFFSET_TABLES, this.#offsets);
    const matchLengths = table((modes >> 2) & 3, MATCH_LENGTH_TABLES, this.#matchLengths);
    this.#literalLengths = literalLengths;
    this.#offsets = offsets;
    this.#matchLengths = matchLengths;
    this.#execute(
      new BackwardBits(bytes, at, end),
      count,
      { literalLengths, offsets, matchLengths },
      history,
    );
  }

  #execute(
    bits: BackwardBits,
    count: number,
    tables: { literalLengths: StateTable; offsets: StateTable; matchLengths: StateTable },
    history: History,
  ): void {
    const { literalLengths, offsets, matchLengths } = tables;
    const limit = history.end + history.blockBytesMax;
    let literalState = bits.read(literalLengths.bits);
    let offsetState = bits.read(offsets.bits);
    let matchState = bits.read(matchLengths.bits);
    let literalAt = 0;
    let to = history.end;
    for (let i = 0; i < count; i++) {
      const offsetCode = offsets.symbol[offsetState];
      mustBe(offsetCode <= OFFSET_CODE_MAX, 'a repeat reaches too far back');
      const offsetValue = (1 << offsetCode) + bits.read(offsetCode);
      const matchCode = matchLengths.symbol[matchState];
      const matchBytes = MATCH_LENGTHS.base[matchCode] + bits.read(MATCH_LENGTHS.bits[matchCode]);
      const literalCode = literalLengths.symbol[literalState];
      const literalBytes = LITERAL_LENGTHS.base[literalCode] + bits.read(LITERAL_LENGTHS.bits[literalCode]);
      const offset = this.#offset(offsetValue, literalBytes === 0);
      if (i < count - 1) {
        literalState = literalLengths.next[literalState] + bits.read(literalLengths.nextBits[literalState]);
        matchState = matchLengths.next[matchState] + bits.read(matchLengths.nextBits[matchState]);
        offsetState = offsets.next[offsetState] + bits.read(offsets.nextBits[offsetState]);
      }
      mustBe(literalAt + literalBytes <= this.#literalBytes, 'literals are too short');
      mustBe(to + literalBytes + matchBytes <= limit, 'a block is too long');
      copy(this.#literals, literalAt, history.bytes, to, literalBytes);
      literalAt += literalBytes;
      to += literalBytes;
      mustBe(offset <= history.windowBytes && to - offset >= history.start, 'a repeat reaches too far back');
      repeat(history.bytes, to, offset, matchBytes);
      to += matchBytes;
    }
    mustBe(bits.left === 0, 'sequences do not end where they should');
    this.#appendRest(literalAt, to, history);
  }

  /** How far back, by the value that is written: 1 to 3 stand for one of the last three offsets. */
  #offset(value: number, noLiterals: boolean): number {
    const recent = this.#recent;
    let offset = value - 3;
    const index = value > 3 ? 3 : value - 1 + (noLiterals ? 1 : 0);
    if (value <= 3) {
      if (index === 0) return recent[0];
      offset = index === 3 ? recent[0] - 1 : recent[index];
      mustBe(offset > 0, 'a repeat reaches nowhere');
    }
    if (index > 1) recent[2] = recent[1];
    recent[1] = recent[0];
    recent[0] = offset;
    return offset;
  }

  /** Literals that no sequence took come last. */
  #appendRest(literalAt: number, to: number, history: History): void {
    const rest = this.#literalBytes - literalAt;
    mustBe(to + rest <= history.end + history.blockBytesMax, 'a block is too long');
    copy(this.#literals, literalAt, history.bytes, to, rest);
    history.end = to + rest;
  }
}

function copy(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  if (length >= COPY_BYTES_MIN) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  let source = start;
  for (let target = at; target < at + length; ) to[target++] = from[source++];
}

/** Repeats `length` bytes from `offset` back: those may be of the repetition itself. */
function repeat(bytes: Uint8Array, at: number, offset: number, length: number): void {
  let source = at - offset;
  if (length >= COPY_BYTES_MIN && offset >= length) {
    bytes.copyWithin(at, source, source + length);
    return;
  }
  for (let target = at; target < at + length; ) bytes[target++] = bytes[source++];
}
