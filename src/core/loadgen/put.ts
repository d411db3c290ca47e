// Puts text into bytes without a string in between: the whole speed of the generator is here. Every
// function takes where to write and returns where it ended.

const HEX = new Uint8Array(512);
const PAIRS = new Uint8Array(200);
for (let byte = 0; byte < 256; byte++) {
  const text = byte.toString(16).padStart(2, '0');
  HEX[byte * 2] = text.charCodeAt(0);
  HEX[byte * 2 + 1] = text.charCodeAt(1);
}
for (let pair = 0; pair < 100; pair++) {
  PAIRS[pair * 2] = 48 + Math.floor(pair / 10);
  PAIRS[pair * 2 + 1] = 48 + (pair % 10);
}

const DAY_MS = 86_400_000;

/** The bytes of an ASCII text. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** All of `from`. A loop, because a call of `set` costs more than so few bytes. */
export function putBytes(to: Uint8Array, at: number, from: Uint8Array): number {
  for (let i = 0; i < from.length; i++) to[at + i] = from[i];
  return at + from.length;
}

function putHexByte(to: Uint8Array, at: number, byte: number): number {
  to[at] = HEX[byte * 2];
  to[at + 1] = HEX[byte * 2 + 1];
  return at + 2;
}

/** The low 16 bits as four hex digits. */
export function putHex16(to: Uint8Array, at: number, word: number): number {
  return putHexByte(to, putHexByte(to, at, (word >>> 8) & 255), word & 255);
}

/** A random UUID (version 4, RFC 9562) of four random words. */
export function putUuid(to: Uint8Array, at: number, a: number, b: number, c: number, d: number): number {
  let end = putHex16(to, putHex16(to, at, a >>> 16), a);
  to[end++] = 45;
  end = putHex16(to, end, b >>> 16);
  to[end++] = 45;
  end = putHex16(to, end, (b & 0x0fff) | 0x4000);
  to[end++] = 45;
  end = putHex16(to, end, ((c >>> 16) & 0x3fff) | 0x8000);
  to[end++] = 45;
  return putHex16(to, putHex16(to, putHex16(to, end, c), d >>> 16), d);
}

/** A whole number from 0 up to 2^31, with leading zeros to `width` digits. */
export function putPadded(to: Uint8Array, at: number, value: number, width: number): number {
  let rest = value | 0;
  for (let i = at + width - 1; i >= at; i--) {
    const quotient = (rest / 10) | 0;
    to[i] = 48 + rest - quotient * 10;
    rest = quotient;
  }
  return at + width;
}

/** A whole number from 0 up to 2^53, without leading zeros. */
export function putInteger(to: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const quotient = Math.floor(rest / 10);
    to[i] = 48 + rest - quotient * 10;
    rest = quotient;
  }
  return at + digits;
}

/** A byte (0-255) in decimal. */
export function putOctet(to: Uint8Array, at: number, octet: number): number {
  let end = at;
  if (octet >= 100) to[end++] = 48 + ((octet / 100) | 0);
  if (octet >= 10) to[end++] = 48 + (((octet / 10) | 0) % 10);
  to[end++] = 48 + (octet % 10);
  return end;
}

function putPair(to: Uint8Array, at: number, pair: number): number {
  to[at] = PAIRS[pair * 2];
  to[at + 1] = PAIRS[pair * 2 + 1];
  return at + 2;
}

/** Writes epoch ms as `2026-02-22T10:00:00.123Z`. Remembers the day's text: nearly every click is of the same day. */
export class IsoTimeWriter {
  private day = Number.NaN;
  private dayText: Uint8Array = new Uint8Array(0);

  put(to: Uint8Array, at: number, timeMs: number): number {
    const day = Math.floor(timeMs / DAY_MS);
    if (day !== this.day) {
      this.day = day;
      this.dayText = ascii(new Date(day * DAY_MS).toISOString().slice(0, 11));
    }
    const ms = (timeMs - day * DAY_MS) | 0;
    const seconds = (ms / 1000) | 0;
    const minutes = (seconds / 60) | 0;
    const hours = (minutes / 60) | 0;
    let end = putPair(to, putBytes(to, at, this.dayText), hours);
    to[end++] = 58;
    end = putPair(to, end, minutes - hours * 60);
    to[end++] = 58;
    end = putPair(to, end, seconds - minutes * 60);
    to[end++] = 46;
    end = putPadded(to, end, ms - seconds * 1000, 3);
    to[end++] = 90;
    return end;
  }
}
