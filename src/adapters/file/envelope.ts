// Reads one line as `kcat -J` writes it: a Kafka record as a JSON object with its partition, offset, time, key and
// payload. Key and payload are unescaped where they lie: what they become is never longer than what they were.
import { PARTITION_MAX } from '../../core/batches.js';
import { EscapedLength, type Unescaped, unescapeString } from './unescape.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const NESTING_MAX = 64;
const OFFSET_MAX = 999_999_999_999_999;
/** No sound number is longer. */
const NUMBER_BYTES_MAX = 400;

/** The names that are looked at; the bit of each says that it was seen. */
const PARTITION = 1;
const OFFSET = 2;
const PAYLOAD = 4;
const KEY = 8;
const TIME = 16;
const TIME_TYPE = 32;
const CLICK_ID = 64;
const FIELDS: readonly (readonly [field: number, name: string, bytes: Buffer])[] = (
  [
    [PARTITION, 'partition'],
    [OFFSET, 'offset'],
    [PAYLOAD, 'payload'],
    [KEY, 'key'],
    [TIME, 'ts'],
    [TIME_TYPE, 'tstype'],
    [CLICK_ID, 'click_id'],
  ] as const
).map(([field, name]) => [field, name, Buffer.from(name)]);
const REQUIRED = PARTITION | OFFSET | PAYLOAD;
const UNKNOWN = Buffer.from('unknown');

/** Why a line is no envelope, in words that follow `line 12: `. */
class NotAnEnvelope extends Error {}

export class Envelope {
  partition = 0;
  offset = 0;
  /** Epoch ms, or NaN: none, unknown, or before 1970. */
  appendTimeMs = Number.NaN;
  /** -1: no key. */
  keyStart = -1;
  keyEnd = -1;
  /** Empty for a tombstone (payload null). */
  valueStart = 0;
  valueEnd = 0;
  /** True length of the payload of a line that was cut; else -1. */
  cutValueBytes = -1;

  readonly #unescaped: Unescaped = { textEnd: 0, next: 0, stop: 0 };
  #seen = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #timeIsUnknown = false;

  /** Reads `bytes[start, end)`, changing them. Returns what is wrong with it, or undefined if it is sound. */
  read(bytes: Buffer, start: number, end: number): string | undefined {
    this.#begin(bytes, start, end);
    try {
      if (this.#fields()) throw new NotAnEnvelope('"payload" is not a sound JSON string');
      this.#whitespace();
      if (this.#at < this.#end) throw new NotAnEnvelope('it goes on behind the object');
      this.#requireFields();
      return undefined;
    } catch (error) {
      return problemOf(error);
    }
  }

  /**
   * Reads the beginning of a line that is too long to be kept whole. That works if the rest is of the payload:
   * then `rest` tells that payload's true length when it has seen the remaining bytes.
   */
  readBeginning(bytes: Buffer, start: number, end: number): { problem: string } | { rest: EscapedLength } {
    this.#begin(bytes, start, end);
    try {
      const rest = this.#fields();
      if (!rest) throw new NotAnEnvelope('it is too long');
      this.#requireFields();
      return { rest };
    } catch (error) {
      return { problem: problemOf(error) };
    }
  }

  /** Whether the line, or the part of it that is known, has an envelope's fields and not a click's. Doesn't change it. */
  static looksLikeOne(line: Uint8Array): boolean {
    const envelope = new Envelope();
    envelope.read(Buffer.from(line), 0, line.length);
    return (envelope.#seen & (REQUIRED | CLICK_ID)) === REQUIRED;
  }

  #begin(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#seen = 0;
    this.#timeIsUnknown = false;
    this.appendTimeMs = Number.NaN;
    this.keyStart = -1;
    this.keyEnd = -1;
    this.valueStart = start;
    this.valueEnd = start;
    this.cutValueBytes = -1;
  }

  #requireFields(): void {
    for (const [field, name] of FIELDS) {
      if ((field & REQUIRED) !== 0 && (field & this.#seen) === 0)
        throw new NotAnEnvelope(`it has no "${name}"`);
    }
    if (this.#timeIsUnknown || this.appendTimeMs < 0) this.appendTimeMs = Number.NaN;
  }

  /** Reads the object's fields; returns early, with what is to count the rest, if the bytes end within the payload. */
  #fields(): EscapedLength | undefined {
    this.#whitespace();
    this.#expect(0x7b, 'it is not a JSON object');
    this.#whitespace();
    if (this.#bytes[this.#at] === 0x7d && this.#at < this.#end) {
      this.#at++;
      return undefined;
    }
    for (;;) {
      this.#whitespace();
      const field = this.#name();
      this.#whitespace();
      this.#expect(COLON, 'a colon is missing');
      this.#whitespace();
      const rest = this.#field(field);
      if (rest) return rest;
      this.#whitespace();
      if (this.#bytes[this.#at] === COMMA && this.#at < this.#end) {
        this.#at++;
      } else {
        this.#expect(0x7d, 'it ends too early or is not JSON');
        return undefined;
      }
    }
  }

  /** Reads a name and returns its bit, or 0 for one that is not looked at. */
  #name(): number {
    this.#expect(QUOTE, 'a name is due');
    const start = this.#at;
    this.#stringEnd();
    const length = this.#at - 1 - start;
    for (let i = 0; i < FIELDS.length; i++) {
      const name = FIELDS[i][2];
      if (name.length !== length || !equalsAt(this.#bytes, start, name)) continue;
      if ((this.#seen & FIELDS[i][0]) !== 0) throw new NotAnEnvelope(`it has "${FIELDS[i][1]}" twice`);
      this.#seen |= FIELDS[i][0];
      return FIELDS[i][0];
    }
    return 0;
  }

  #field(field: number): EscapedLength | undefined {
    if (field === PARTITION) this.partition = this.#integer('partition', 0, PARTITION_MAX);
    else if (field === OFFSET) this.offset = this.#integer('offset', 0, OFFSET_MAX);
    else if (field === TIME) this.appendTimeMs = this.#integer('ts', -OFFSET_MAX, OFFSET_MAX);
    else if (field === TIME_TYPE) this.#timeType();
    else if (field === KEY) this.#key();
    else if (field === PAYLOAD) return this.#payload();
    else this.#skipValue(1);
    return undefined;
  }

  #timeType(): void {
    this.#expect(QUOTE, '"tstype" is no string');
    const start = this.#at;
    this.#stringEnd();
    this.#timeIsUnknown = this.#at - 1 - start === UNKNOWN.length && equalsAt(this.#bytes, start, UNKNOWN);
  }

  #key(): void {
    if (this.#null()) return;
    if (this.#bytes[this.#at] !== QUOTE) throw new NotAnEnvelope('"key" is neither a string nor null');
    this.keyStart = this.#at + 1;
    unescapeString(this.#bytes, this.keyStart, this.#end, this.#unescaped);
    const { textEnd, next } = this.#unescaped;
    if (next < 0) throw new NotAnEnvelope('"key" is not a sound JSON string');
    this.keyEnd = textEnd;
    this.#at = next;
  }

  #payload(): EscapedLength | undefined {
    if (this.#null()) return undefined;
    if (this.#bytes[this.#at] !== QUOTE) {
      // Another serialisation (kcat -s avro): the payload is a JSON value itself.
      this.valueStart = this.#at;
      this.#skipValue(1);
      this.valueEnd = this.#at;
      return undefined;
    }
    this.valueStart = this.#at + 1;
    unescapeString(this.#bytes, this.valueStart, this.#end, this.#unescaped);
    const { textEnd, next, stop } = this.#unescaped;
    this.valueEnd = textEnd;
    if (next >= 0) {
      this.#at = next;
      return undefined;
    }
    const rest = new EscapedLength(textEnd - this.valueStart);
    if (!rest.add(this.#bytes, stop, this.#end))
      throw new NotAnEnvelope('"payload" is not a sound JSON string');
    return rest;
  }

  #null(): boolean {
    if (this.#bytes[this.#at] !== 0x6e) return false;
    this.#literal('null');
    return true;
  }

  #integer(name: string, min: number, max: number): number {
    const start = this.#at;
    const isNegative = start < this.#end && this.#bytes[start] === MINUS;
    let value = 0;
    let digits = 0;
    for (this.#at += isNegative ? 1 : 0; this.#at < this.#end; this.#at++) {
      const digit = this.#bytes[this.#at] - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      digits++;
    }
    if (isNegative) value = -value;
    const isWhole = digits > 0 && (this.#at === this.#end || !isScalarByte(this.#bytes[this.#at]));
    if (isWhole && value >= min && value <= max) return value;
    while (this.#at < this.#end && isScalarByte(this.#bytes[this.#at])) this.#at++;
    const text = this.#bytes.toString('latin1', start, Math.min(this.#at, start + 20));
    throw new NotAnEnvelope(`"${name}" is ${JSON.stringify(text)}, not an integer from ${min} to ${max}`);
  }

  /** Goes behind the closing quote. */
  #stringEnd(): void {
    for (; this.#at < this.#end; this.#at++) {
      const byte = this.#bytes[this.#at];
      if (byte === BACKSLASH) this.#at++;
      else if (byte === QUOTE) {
        this.#at++;
        return;
      }
    }
    throw new NotAnEnvelope('it ends within a string');
  }

  #skipValue(depth: number): void {
    if (depth > NESTING_MAX) throw new NotAnEnvelope(`it is nested deeper than ${NESTING_MAX}`);
    const byte = this.#at < this.#end ? this.#bytes[this.#at] : 0;
    if (byte === QUOTE) {
      this.#at++;
      this.#stringEnd();
    } else if (byte === 0x7b || byte === 0x5b) {
      this.#skipNested(byte === 0x7b, depth);
    } else if (byte === 0x74) this.#literal('true');
    else if (byte === 0x66) this.#literal('false');
    else if (byte === 0x6e) this.#literal('null');
    else this.#number();
  }

  #skipNested(isObject: boolean, depth: number): void {
    const close = isObject ? 0x7d : 0x5d;
    this.#at++;
    this.#whitespace();
    if (this.#bytes[this.#at] === close && this.#at < this.#end) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#whitespace();
      if (isObject) {
        this.#expect(QUOTE, 'a name is due');
        this.#stringEnd();
        this.#whitespace();
        this.#expect(COLON, 'a colon is missing');
        this.#whitespace();
      }
      this.#skipValue(depth + 1);
      this.#whitespace();
      if (this.#bytes[this.#at] !== COMMA || this.#at >= this.#end) break;
      this.#at++;
    }
    this.#expect(close, 'it ends too early or is not JSON');
  }

  #number(): void {
    const start = this.#at;
    while (this.#at < this.#end && isScalarByte(this.#bytes[this.#at])) this.#at++;
    const text = this.#bytes.toString('latin1', start, Math.min(this.#at, start + NUMBER_BYTES_MAX));
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) throw new NotAnEnvelope('it is not JSON');
  }

  #literal(text: string): void {
    if (this.#bytes.toString('latin1', this.#at, Math.min(this.#at + text.length, this.#end)) !== text) {
      throw new NotAnEnvelope('it is not JSON');
    }
    this.#at += text.length;
  }

  #expect(byte: number, problem: string): void {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== byte) throw new NotAnEnvelope(problem);
    this.#at++;
  }

  #whitespace(): void {
    while (this.#at < this.#end && isWhitespace(this.#bytes[this.#at])) this.#at++;
  }
}

function problemOf(error: unknown): string {
  if (error instanceof NotAnEnvelope) return error.message;
  throw error;
}

function equalsAt(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) {
    if (bytes[start + i] !== expected[i]) return false;
  }
  return true;
}

/** JSON's whitespace. */
export function isWhitespace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

/** Bytes of which numbers consist, and some more, so that what is wrong with one is seen whole. */
function isScalarByte(byte: number): boolean {
  return byte > 0x20 && byte !== COMMA && byte !== 0x7d && byte !== 0x5d && byte !== COLON;
}
