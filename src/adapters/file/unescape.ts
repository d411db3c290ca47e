// JSON strings back to the bytes that they stand for: in place, and, for one that is too long to be kept, its
// length alone. A lone surrogate becomes the three bytes that no UTF-8 text holds, so that whoever reads the
// bytes next sees that they are none.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

export interface Unescaped {
  /** End of the unescaped bytes, which begin where the string did. */
  textEnd: number;
  /** Behind the closing quote, or -1: the string isn't closed or isn't sound. */
  next: number;
  /** With `next` -1: where the part begins that was not unescaped. */
  stop: number;
}

/** Unescapes the string that begins at `start`, behind its quote, in `bytes[start, end)`, and tells `into`. */
export function unescapeString(bytes: Uint8Array, start: number, end: number, into: Unescaped): void {
  let at = start;
  while (at < end && bytes[at] !== QUOTE && bytes[at] !== BACKSLASH) at++;
  let to = at;
  while (at < end) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      into.textEnd = to;
      into.next = at + 1;
      return;
    }
    if (byte !== BACKSLASH) {
      bytes[to++] = byte;
      at++;
      continue;
    }
    const letter = at + 1 < end ? bytes[at + 1] : -1;
    if (letter === LETTER_U) {
      const length = escapeLength(bytes, at, end);
      if (length === 0) break;
      to = putCodePoint(bytes, to, codePointAt(bytes, at, length));
      at += length;
    } else {
      const plain = letter < 0 ? -1 : plainEscape(letter);
      if (plain < 0) break;
      bytes[to++] = plain;
      at += 2;
    }
  }
  into.textEnd = to;
  into.next = -1;
  into.stop = at;
}

/** Length of the `\u` escape at `at`: 6, or 12 for a surrogate pair; 0 if it isn't sound or not there as a whole. */
function escapeLength(bytes: Uint8Array, at: number, end: number): number {
  const unit = hexUnit(bytes, at, end);
  if (unit < 0) return 0;
  if (unit < 0xd800 || unit > 0xdbff) return 6;
  // Whether a low surrogate follows can't be told yet where the bytes end.
  if (
    at + 12 > end &&
    bytes.subarray(at + 6, end).every((byte, i) => i > 1 || byte === [BACKSLASH, LETTER_U][i])
  ) {
    return 0;
  }
  const low = bytes[at + 6] === BACKSLASH && bytes[at + 7] === LETTER_U ? hexUnit(bytes, at + 6, end) : -1;
  return low >= 0xdc00 && low <= 0xdfff ? 12 : 6;
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  const unit = hexUnit(bytes, at, at + length);
  if (length === 6) return unit;
  return 0x10000 + ((unit - 0xd800) << 10) + (hexUnit(bytes, at + 6, at + length) - 0xdc00);
}

/** The four hex digits of the escape at `at` as a number, or -1. */
function hexUnit(bytes: Uint8Array, at: number, end: number): number {
  if (at + 6 > end) return -1;
  let unit = 0;
  for (let i = at + 2; i < at + 6; i++) {
    const digit = hexDigit(bytes[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function plainEscape(letter: number): number {
  switch (letter) {
    case 0x6e: // n
      return 0x0a;
    case 0x72: // r
      return 0x0d;
    case 0x74: // t
      return 0x09;
    case 0x62: // b
      return 0x08;
    case 0x66: // f
      return 0x0c;
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
      return letter;
    default:
      return -1;
  }
}

function putCodePoint(bytes: Uint8Array, at: number, code: number): number {
  let to = at;
  if (code < 0x80) {
    bytes[to++] = code;
  } else if (code < 0x800) {
    bytes[to++] = 0xc0 | (code >> 6);
    bytes[to++] = 0x80 | (code & 0x3f);
  } else if (code < 0x10000) {
    bytes[to++] = 0xe0 | (code >> 12);
    bytes[to++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[to++] = 0x80 | (code & 0x3f);
  } else {
    bytes[to++] = 0xf0 | (code >> 18);
    bytes[to++] = 0x80 | ((code >> 12) & 0x3f);
    bytes[to++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[to++] = 0x80 | (code & 0x3f);
  }
  return to;
}

/** Room for one escape sequence that a chunk's end has cut through. */
const CARRY_BYTES = 12;
/** Unescaping a chunk must not change what it came from: it is done piece by piece in this. */
const PIECE_BYTES = 65_536;

/** Counts what a string, coming in chunks, would be unescaped. */
export class EscapedLength {
  /** Bytes so far. */
  bytes: number;
  readonly #result: Unescaped = { textEnd: 0, next: 0, stop: 0 };
  #closed = false;
  readonly #piece = Buffer.alloc(PIECE_BYTES + CARRY_BYTES);
  #carried = 0;

  constructor(bytesBefore: number) {
    this.bytes = bytesBefore;
  }

  /** The closing quote was seen; what came or comes behind it isn't looked at. */
  get closed(): boolean {
    return this.#closed;
  }

  /** False: an escape in it isn't sound. */
  add(chunk: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end && !this.#closed; ) {
      const taken = Math.min(PIECE_BYTES, end - at);
      this.#piece.set(chunk.subarray(at, at + taken), this.#carried);
      at += taken;
      const length = this.#carried + taken;
      unescapeString(this.#piece, 0, length, this.#result);
      const { textEnd, next, stop } = this.#result;
      this.bytes += textEnd;
      this.#closed = next >= 0;
      this.#carried = length - stop;
      if (!this.#closed && this.#carried >= CARRY_BYTES) return false;
      this.#piece.copyWithin(0, stop, length);
    }
    return true;
  }
}
