// The fast way to read records, many at a time: one pass over the bytes, 16 of them in one instruction, no object, no
// string. It takes the JSON that clicks nearly always are (a flat object, plain strings, integers) and leaves anything
// else to the slow way in core/record-fields.ts. This file is AssemblyScript: TypeScript that becomes WebAssembly (see
// build.mjs), since JavaScript has no such instructions. The same pass in JavaScript took 4.5 times as long, and that
// was a third of what decoding a click cost.
//
// Addresses are plain numbers here and nothing checks them: core/record-scanner.ts is the only caller, and puts no more
// than there is room for.

/** As many as there are KNOWN_FIELDS; of those from the first unused one on the text is not used, but for the mark's. */
export const FIELDS: i32 = 12;
export const FIRST_UNUSED_FIELD: i32 = 8;
export const MARK_FIELD: i32 = 11;
const UNKNOWN_FIELD: i32 = FIELDS;

export const RECORDS_MAX: i32 = 4096;
export const TEXT_BYTES_MAX: i32 = 1048576;

/** Values of KIND in core/record-scanner.ts. */
const STRING: i32 = 1;
const INTEGER: i32 = 2;
const NULL: i32 = 3;
const OTHER: i32 = 4;

const VECTOR_BYTES: i32 = 16;
/** A name and its closing quote, zeros up to 16 bytes; as many bytes of ones; the name's length. */
export const NAME_BYTES: i32 = 2 * VECTOR_BYTES + 4;

/** Names of the fields, to be put here once. */
export const names: usize = memory.data(FIELDS * NAME_BYTES, VECTOR_BYTES);
/** Records, and what may be read behind the last one. */
export const text: usize = memory.data(TEXT_BYTES_MAX + VECTOR_BYTES, VECTOR_BYTES);
/** Where each record begins and ends, from `text` on. */
export const from: usize = memory.data(RECORDS_MAX * 4, VECTOR_BYTES);
export const to: usize = memory.data(RECORDS_MAX * 4, VECTOR_BYTES);
/** Whether a record was taken: then it is sound JSON, and its fields are below. */
export const taken: usize = memory.data(RECORDS_MAX, VECTOR_BYTES);
/** FIELDS for each record: where the value begins and ends (a string's without its quotes), and what it is. */
export const starts: usize = memory.data(RECORDS_MAX * FIELDS * 4, VECTOR_BYTES);
export const ends: usize = memory.data(RECORDS_MAX * FIELDS * 4, VECTOR_BYTES);
export const kinds: usize = memory.data(RECORDS_MAX * FIELDS, VECTOR_BYTES);

/** Where the string that was looked at last ends, and whether any byte of the record was not ASCII. */
let stringEnd: usize = 0;
let isWide: bool = false;

/** Scans `count` records. `base` is added to all places that are told. */
export function scanRecords(count: i32, base: i32): void {
  for (let i = 0; i < count; i++) {
    const start = text + load<i32>(from + (i << 2));
    const end = text + load<i32>(to + (i << 2));
    store<u8>(taken + i, scanRecord(start, end, i * FIELDS, base - <i32>text));
  }
}

function scanRecord(start: usize, end: usize, at: i32, shift: i32): bool {
  const kindsAt = kinds + at;
  memory.fill(kindsAt, 0, FIELDS);
  isWide = false;
  let p = pastSpace(start, end);
  if (p >= end || load<u8>(p) !== 0x7b) return false;
  p++;
  let guess = 0;
  while (true) {
    p = pastSpace(p, end);
    if (p >= end || load<u8>(p) !== 0x22) return false; // an empty object, too: it has no field, whoever finds that
    p++;
    let field = guess;
    // Producers write fields in the same order every time: the one after the last is nearly always right.
    if (guess < UNKNOWN_FIELD && isName(p, guess)) {
      p += nameLength(guess);
    } else {
      const isWideBefore = isWide;
      isWide = false;
      if (!findStringEnd(p, end, false) || isWide) return false;
      isWide = isWideBefore;
      field = fieldOf(p, <i32>(stringEnd - p));
      p = stringEnd;
    }
    guess = field + 1;
    p = pastSpace(p + 1, end);
    if (p >= end || load<u8>(p) !== 0x3a) return false;
    p = pastSpace(p + 1, end);
    if (p >= end) return false;
    let valueStart = p;
    let valueEnd: usize;
    let kind = STRING;
    if (load<u8>(p) === 0x22) {
      if (!findStringEnd(++valueStart, end, field >= FIRST_UNUSED_FIELD && field !== MARK_FIELD))
        return false;
      valueEnd = stringEnd;
      p = valueEnd + 1;
    } else {
      while (p < end && isLiteralByte(load<u8>(p))) p++;
      valueEnd = p;
      kind = literalKind(valueStart, valueEnd);
      if (kind < 0) return false;
    }
    if (field < UNKNOWN_FIELD) {
      if (load<u8>(kindsAt + field) !== 0) return false;
      store<u8>(kindsAt + field, kind);
      store<i32>(starts + ((at + field) << 2), <i32>valueStart + shift);
      store<i32>(ends + ((at + field) << 2), <i32>valueEnd + shift);
    }
    p = pastSpace(p, end);
    if (p >= end) return false;
    const byte = load<u8>(p++);
    if (byte === 0x2c) continue;
    if (byte !== 0x7d) return false;
    break;
  }
  return pastSpace(p, end) === end && (!isWide || isUtf8(start, end));
}

function pastSpace(start: usize, end: usize): usize {
  let p = start;
  while (p < end && isSpace(load<u8>(p))) p++;
  return p;
}

function isSpace(byte: u32): bool {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9;
}

function nameLength(field: i32): i32 {
  return load<i32>(names + field * NAME_BYTES + 2 * VECTOR_BYTES);
}

/** Whether the name and its closing quote stand at `p`. */
function isName(p: usize, field: i32): bool {
  const name = names + field * NAME_BYTES;
  const differing = v128.xor(v128.load(p), v128.load(name));
  return !v128.any_true(v128.and(differing, v128.load(name + VECTOR_BYTES)));
}

function fieldOf(p: usize, length: i32): i32 {
  for (let field = 0; field < FIELDS; field++) {
    if (nameLength(field) === length && isName(p, field)) return field;
  }
  return UNKNOWN_FIELD;
}

/**
 * Finds the quote that ends the string from `start` on, and whether all before it is ASCII. False: there is none, or it
 * has a control character or an escape. Short escapes stand for one byte each: they may be `allowed`.
 */
function findStringEnd(start: usize, end: usize, allowed: bool): bool {
  const quote = i8x16.splat(0x22);
  const backslash = i8x16.splat(0x5c);
  const space = i8x16.splat(0x20);
  let p = start;
  while (p < end) {
    const bytes = v128.load(p);
    const either = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    const stops = i8x16.bitmask(v128.or(either, i8x16.lt_u(bytes, space)));
    const wide = i8x16.bitmask(bytes);
    if (stops === 0) {
      if (wide !== 0) isWide = true;
      p += VECTOR_BYTES;
      continue;
    }
    const count = ctz(stops);
    if ((wide & ((1 << count) - 1)) !== 0) isWide = true;
    p += count;
    const byte = load<u8>(p);
    if (byte === 0x22) {
      stringEnd = p;
      return p < end;
    }
    if (byte !== 0x5c || !allowed || !isShortEscape(load<u8>(p + 1))) return false;
    p += 2;
  }
  return false;
}

/** `\"  \\  \/  \b  \f  \n  \r  \t`: one character each. `\u` needs a closer look. */
function isShortEscape(byte: u32): bool {
  if (byte === 0x22 || byte === 0x5c || byte === 0x2f) return true;
  return byte === 0x62 || byte === 0x66 || byte === 0x6e || byte === 0x72 || byte === 0x74;
}

function isDigit(byte: u32): bool {
  return byte >= 0x30 && byte <= 0x39;
}

function isLiteralByte(byte: u32): bool {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x7a);
}

/** INTEGER, NULL or OTHER (true, false); -1 for what needs a closer look, or is nothing. */
function literalKind(start: usize, end: usize): i32 {
  const length = <i32>(end - start);
  if (length === 0) return -1;
  const first = load<u8>(start);
  if (isDigit(first)) {
    if (first === 0x30 && length > 1) return -1;
    for (let p = start + 1; p < end; p++) if (!isDigit(load<u8>(p))) return -1;
    return INTEGER;
  }
  const word = load<u32>(start);
  if (length === 4 && word === 0x6c6c756e) return NULL; // null
  if (length === 4 && word === 0x65757274) return OTHER; // true
  return length === 5 && word === 0x736c6166 && load<u8>(start + 4) === 0x65 ? OTHER : -1; // false
}

/** True for well-formed UTF-8 (Unicode 15, table 3-7). */
function isUtf8(start: usize, end: usize): bool {
  let p = start;
  while (p < end) {
    const byte: u32 = load<u8>(p);
    if (byte < 0x80) {
      p++;
      continue;
    }
    const extra = extraBytes(byte);
    if (extra === 0 || p + extra >= end) return false;
    const second: u32 = load<u8>(p + 1);
    if (second < (byte === 0xe0 ? <u32>0xa0 : byte === 0xf0 ? <u32>0x90 : <u32>0x80)) return false;
    if (second > (byte === 0xed ? <u32>0x9f : byte === 0xf4 ? <u32>0x8f : <u32>0xbf)) return false;
    for (let k: usize = 2; k <= extra; k++) if ((load<u8>(p + k) & 0xc0) !== 0x80) return false;
    p += extra + 1;
  }
  return true;
}

/** Bytes that follow the first one of a character; 0: none begins so. */
function extraBytes(first: u32): usize {
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  return first >= 0xf0 && first <= 0xf4 ? 3 : 0;
}
