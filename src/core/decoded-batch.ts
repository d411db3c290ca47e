// What the decoder makes of a raw batch: one column a field, all in one ArrayBuffer, so that a batch goes
// from the decoding thread to the judging thread and back by transferring a single buffer.
import { INVALID_REASONS, type InvalidReason, type Method } from './method.js';

/** Click ids that are canonical lower-case UUIDs are packed into 16 bytes; their length column holds this mark. */
export const UUID_ID = 255;
/** The longest other click id that fits the 16 inline bytes. Longer ones stay in `bytes` at `idStart`. */
export const INLINE_ID_BYTES_MAX = 16;
/** In the column of marks: the field is there, but it is no mark. */
export const BAD_MARK = 255;

export interface DecodedBatch {
  count: number;
  buffer: ArrayBuffer;
  /** The values, the keys, and behind them the unescaped text of fields that held escapes. */
  bytes: Uint8Array;
  /** How many of `bytes` are used. */
  bytesUsed: number;
  /**
   * Index into INVALID_REASONS; 0 for a sound record. The columns below it are only set for sound ones. What is said of
   * the mark is not in it: whether a mark counts is up to the method (see `invalidReasonOf`).
   */
  reason: Uint8Array;
  partition: Int32Array;
  offset: Float64Array;
  /** Epoch ms; NaN where the log has none. */
  appendTimeMs: Float64Array;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  /** -1 without a key. */
  keyStart: Int32Array;
  keyEnd: Int32Array;
  /** True length of the value in bytes, also where only its first RECORD_BYTES_MAX were kept. */
  valueBytes: Float64Array;
  /** Epoch ms; NaN where it could not be read. */
  eventTimeMs: Float64Array;
  /** Four words a record: the packed UUID (big-endian), or the id's bytes padded with zeros. */
  idWords: Uint32Array;
  /** Bytes of the click id, or UUID_ID. */
  idLength: Uint8Array;
  idStart: Int32Array;
  /** True length of the click id in bytes. */
  idBytes: Uint8Array;
  adStart: Int32Array;
  adLength: Uint8Array;
  campaignStart: Int32Array;
  campaignLength: Uint8Array;
  /** Hash of ad and campaign, for looking the pair up. */
  adHash: Uint32Array;
  /** Sound records of the same `numbering` have the same number if ad and campaign are the same, and only then. */
  adNumber: Int32Array;
  numbering: number;
  /** Four words a record: 128-bit hash of (user_id, ad_id). */
  pairHash: Uint32Array;
  /** Four words a record: the IP address as 16 bytes, IPv4 in its IPv6-mapped form. */
  ip: Uint32Array;
  /** The two letters of the country: first << 8 | second. */
  country: Uint16Array;
  /** Index into DEVICE_TYPES. */
  device: Uint8Array;
  /** Where the text of `invalid_traffic` is, and its bytes: 0 for an unmarked click, or BAD_MARK. */
  markStart: Int32Array;
  markLength: Uint8Array;
}

const WIDE = 8;
const BYTES_A_RECORD = 8 * 4 + 16 * 3 + 4 * 11 + 2 + 7;

/** Bytes of a buffer for `capacity` records and `bytesCapacity` bytes of text. */
export function decodedBufferBytes(capacity: number, bytesCapacity: number): number {
  return capacity * BYTES_A_RECORD + bytesCapacity + 32 * WIDE;
}

/** Lays a batch for up to `capacity` records over `buffer`; all that remains of it holds bytes. */
export function layOutBatch(buffer: ArrayBuffer, capacity: number): DecodedBatch {
  let at = 0;
  const take = (bytesEach: number, count: number): number => {
    const start = Math.ceil(at / bytesEach) * bytesEach;
    at = start + bytesEach * count;
    return start;
  };
  const f64 = (): Float64Array => new Float64Array(buffer, take(8, capacity), capacity);
  const i32 = (): Int32Array => new Int32Array(buffer, take(4, capacity), capacity);
  const words = (): Uint32Array => new Uint32Array(buffer, take(4, capacity * 4), capacity * 4);
  const u8 = (): Uint8Array => new Uint8Array(buffer, take(1, capacity), capacity);
  // One literal, no spread: objects made alike share a shape, which makes the hot loops' access to the columns cheap.
  return {
    count: 0,
    buffer,
    bytesUsed: 0,
    offset: f64(),
    appendTimeMs: f64(),
    valueBytes: f64(),
    eventTimeMs: f64(),
    idWords: words(),
    pairHash: words(),
    ip: words(),
    partition: i32(),
    valueStart: i32(),
    valueEnd: i32(),
    keyStart: i32(),
    keyEnd: i32(),
    idStart: i32(),
    adStart: i32(),
    campaignStart: i32(),
    markStart: i32(),
    adNumber: i32(),
    numbering: 0,
    adHash: new Uint32Array(buffer, take(4, capacity), capacity),
    country: new Uint16Array(buffer, take(2, capacity), capacity),
    reason: u8(),
    idLength: u8(),
    idBytes: u8(),
    adLength: u8(),
    campaignLength: u8(),
    device: u8(),
    markLength: u8(),
    bytes: new Uint8Array(buffer, at),
  };
}

const MARK_REASON = INVALID_REASONS.indexOf('invalid_traffic');

/** Whether record `i` is invalid by the method. */
export function isInvalid(batch: DecodedBatch, i: number, method: Method): boolean {
  return batch.reason[i] !== 0 || (method.invalidTraffic === true && batch.markLength[i] === BAD_MARK);
}

/** Why record `i` is invalid by the method; `ok` for a click. */
export function invalidReasonOf(batch: DecodedBatch, i: number, method: Method): InvalidReason | 'ok' {
  if (batch.reason[i] === 0 && isInvalid(batch, i, method)) return INVALID_REASONS[MARK_REASON]!;
  return INVALID_REASONS[batch.reason[i]!]!;
}
