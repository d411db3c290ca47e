// Decodes raw batches: from bytes to columns, and the verdict `invalid` with its reason. The rules are
// docs/counting-method.md, "A record"; the recomputation has its own, in SQL.
import { AdNumbers } from './ad-numbers.js';
import type { RawBatch } from './batches.js';
import {
  BAD_MARK,
  type DecodedBatch,
  decodedBufferBytes,
  INLINE_ID_BYTES_MAX,
  layOutBatch,
  UUID_ID,
} from './decoded-batch.js';
import { parseEpochMs, parseIsoTime } from './event-time.js';
import { hashBytes, hashPair } from './hash128.js';
import { parseIp } from './ip-address.js';
import {
  DEVICE_TYPES,
  FIELD_BYTES_MAX,
  INVALID_REASONS,
  type InvalidReason,
  type Method,
  RECORD_BYTES_MAX,
} from './method.js';
import { murmur2, partitionOf } from './murmur2.js';
import { KNOWN_FIELDS, type KnownField, readFields } from './record-fields.js';
import { FIELD_COUNT, KIND, RecordScanner } from './record-scanner.js';

const REASON = Object.fromEntries(INVALID_REASONS.map((reason, code) => [reason, code])) as Record<
  InvalidReason,
  number
>;
const FIELD = Object.fromEntries(KNOWN_FIELDS.map((name, index) => [name, index])) as Record<
  KnownField,
  number
>;
const OPTIONAL_FIELDS = (['user_agent', 'referrer', 'impression_id'] as const).map((name) => ({
  field: FIELD[name],
  bytesMax: FIELD_BYTES_MAX[name],
  reason: REASON[name],
}));
const DEVICES = DEVICE_TYPES.map((name) => Uint8Array.from(name, (char) => char.charCodeAt(0)));
const utf8 = new TextEncoder();

export interface DecoderOptions {
  method: Method;
  /** Partitions over which records without a partition (bare lines) are spread by murmur2 of their ad_id. */
  partitions: number;
}

export interface Decoder {
  /**
   * Decodes `raw` into `reuse` if it is large enough, else into a new buffer.
   * The result owns its bytes: `raw` may be used again at once.
   */
  decode(raw: RawBatch, reuse?: ArrayBuffer): DecodedBatch;
}

/** A decoder; it keeps scratch space, so each thread has its own. */
export function createDecoder({ method, partitions }: DecoderOptions): Decoder {
  const scanner = new RecordScanner();
  const numbers = new AdNumbers();
  return {
    decode(raw, reuse) {
      const batch = makeRoom(raw, reuse);
      numbers.begin(batch);
      let first = 0;
      let behind = 0;
      for (let i = 0; i < raw.count; i++) {
        if (i === behind) {
          first = i;
          behind += scanner.scan(batch, first);
        }
        decodeRecord(batch, i, scanner, i - first);
        if (batch.reason[i] === REASON.ok) numbers.put(batch, i);
        if (batch.partition[i] === -1) {
          const adLength = batch.adLength[i]!;
          const start = batch.adStart[i]!;
          batch.partition[i] =
            adLength === 0 ? 0 : partitionOf(murmur2(batch.bytes, start, start + adLength), partitions);
        }
        if (
          batch.reason[i] === REASON.ok &&
          batch.eventTimeMs[i]! > batch.appendTimeMs[i]! + method.clockSkewMs
        ) {
          batch.reason[i] = REASON.from_the_future;
        }
      }
      return batch;
    },
  };
}

function makeRoom(raw: RawBatch, reuse: ArrayBuffer | undefined): DecodedBatch {
  const { count } = raw;
  // Unescaped text goes behind the values and is never longer than they are.
  const needed = decodedBufferBytes(count, raw.bytes.length * 2);
  const buffer = reuse && reuse.byteLength >= needed ? reuse : new ArrayBuffer(Math.ceil(needed * 1.25));
  const batch = layOutBatch(buffer, count);
  batch.count = count;
  batch.bytes.set(raw.bytes);
  batch.bytesUsed = raw.bytes.length;
  batch.partition.set(raw.partition.subarray(0, count));
  batch.offset.set(raw.offset.subarray(0, count));
  batch.appendTimeMs.set(raw.appendTimeMs.subarray(0, count));
  batch.valueStart.set(raw.valueStart.subarray(0, count));
  batch.valueEnd.set(raw.valueEnd.subarray(0, count));
  if (raw.keyStart && raw.keyEnd) {
    batch.keyStart.set(raw.keyStart.subarray(0, count));
    batch.keyEnd.set(raw.keyEnd.subarray(0, count));
  } else {
    batch.keyStart.fill(-1);
    batch.keyEnd.fill(-1);
  }
  for (let i = 0; i < count; i++) batch.valueBytes[i] = raw.valueEnd[i]! - raw.valueStart[i]!;
  for (const [i, bytes] of raw.cutValueBytes ?? []) batch.valueBytes[i] = bytes;
  return batch;
}

/** Decodes record `i`, the `n`th that was scanned. */
function decodeRecord(batch: DecodedBatch, i: number, scanner: RecordScanner, n: number): void {
  batch.adLength[i] = 0;
  batch.eventTimeMs[i] = Number.NaN;
  if (batch.valueBytes[i]! > RECORD_BYTES_MAX) {
    batch.reason[i] = REASON.too_long;
  } else if (scanner.taken[n] === 1 || readSlowly(batch, i, scanner, n)) {
    batch.reason[i] = decodeFields(batch, i, scanner, n);
  } else {
    batch.reason[i] = REASON.not_json;
  }
}

/** Reads record `i`, the `n`th of the scanner, the slow way; unescaped text is put behind the values. False: `not_json`. */
function readSlowly(batch: DecodedBatch, i: number, { start, end, kind }: RecordScanner, n: number): boolean {
  const fields = readFields(batch.bytes.subarray(batch.valueStart[i]!, batch.valueEnd[i]!));
  if (!fields) return false;
  const at = n * FIELD_COUNT;
  kind.fill(KIND.absent, at, at + FIELD_COUNT);
  for (const [name, value] of fields) {
    const place = at + FIELD[name];
    if (value.kind === 'nested') {
      kind[place] = KIND.other;
      continue;
    }
    const { read, written } = utf8.encodeInto(value.text, batch.bytes.subarray(batch.bytesUsed));
    if (read !== value.text.length) throw new Error('unescaped text is longer than its record');
    start[place] = batch.bytesUsed;
    batch.bytesUsed += written;
    end[place] = batch.bytesUsed;
    kind[place] = value.kind === 'string' ? KIND.string : literalKindOf(value.text);
  }
  return true;
}

function literalKindOf(text: string): number {
  if (text === 'null') return KIND.null;
  return /^(0|[1-9]\d*)$/.test(text) ? KIND.integer : KIND.other;
}

/** Length in bytes of a required string field within its limit, or 0 if it is malformed. */
function textLength({ start, end, kind }: RecordScanner, place: number, bytesMax: number): number {
  if (kind[place] !== KIND.string) return 0;
  const length = end[place]! - start[place]!;
  return length > bytesMax ? 0 : length;
}

/** Reads the known fields of record `i`, the `n`th of the scanner, into the columns; the code of the first bad one, or 0. */
function decodeFields(batch: DecodedBatch, i: number, scanner: RecordScanner, n: number): number {
  const { bytes } = batch;
  const { start, end, kind } = scanner;
  const at = n * FIELD_COUNT;
  // The ad and the event time are read whatever else is wrong: the ad chooses a bare line's partition.
  const adLength = textLength(scanner, at + FIELD.ad_id, FIELD_BYTES_MAX.ad_id);
  const adStart = start[at + FIELD.ad_id]!;
  batch.adStart[i] = adStart;
  batch.adLength[i] = adLength;
  const eventTimeMs = readEventTime(bytes, scanner, at + FIELD.event_time);
  batch.eventTimeMs[i] = eventTimeMs;

  const idLength = textLength(scanner, at + FIELD.click_id, FIELD_BYTES_MAX.click_id);
  if (idLength === 0) return REASON.click_id;
  if (Number.isNaN(eventTimeMs)) return REASON.event_time;
  if (adLength === 0) return REASON.ad_id;
  const campaignLength = textLength(scanner, at + FIELD.campaign_id, FIELD_BYTES_MAX.campaign_id);
  if (campaignLength === 0) return REASON.campaign_id;
  const userLength = textLength(scanner, at + FIELD.user_id, FIELD_BYTES_MAX.user_id);
  if (userLength === 0) return REASON.user_id;
  const ipLength = textLength(scanner, at + FIELD.ip_address, FIELD_BYTES_MAX.ip_address);
  const ipStart = start[at + FIELD.ip_address]!;
  if (ipLength === 0 || !parseIp(bytes, ipStart, ipStart + ipLength, batch.ip, 4 * i))
    return REASON.ip_address;
  const countryAt = at + FIELD.country;
  const countryStart = start[countryAt]!;
  if (kind[countryAt] !== KIND.string || end[countryAt]! - countryStart !== 2) return REASON.country;
  const first = bytes[countryStart]!;
  const second = bytes[countryStart + 1]!;
  if (first < 65 || first > 90 || second < 65 || second > 90) return REASON.country;
  const deviceAt = at + FIELD.device_type;
  const device = kind[deviceAt] === KIND.string ? deviceOf(bytes, start[deviceAt]!, end[deviceAt]!) : -1;
  if (device < 0) return REASON.device_type;
  for (const { field, bytesMax, reason } of OPTIONAL_FIELDS)
    if (!optionalIsSound(bytes, scanner, n, field, bytesMax)) return reason;

  packClickId(batch, i, start[at + FIELD.click_id]!, idLength);
  const campaignStart = start[at + FIELD.campaign_id]!;
  batch.campaignStart[i] = campaignStart;
  batch.campaignLength[i] = campaignLength;
  batch.adHash[i] = hashBytes(bytes, campaignStart, campaignLength, hashBytes(bytes, adStart, adLength) | 0);
  hashPair(bytes, start[at + FIELD.user_id]!, userLength, adStart, adLength, batch.pairHash, 4 * i);
  batch.country[i] = (first << 8) | second;
  batch.device[i] = device;
  batch.markStart[i] = start[at + FIELD.invalid_traffic]!;
  batch.markLength[i] = markLength(scanner, at + FIELD.invalid_traffic);
  return REASON.ok;
}

function markLength({ kind, start, end }: RecordScanner, place: number): number {
  if (kind[place] === KIND.absent || kind[place] === KIND.null) return 0;
  const length = end[place]! - start[place]!;
  return kind[place] === KIND.string && length <= FIELD_BYTES_MAX.invalid_traffic ? length : BAD_MARK;
}

function readEventTime(bytes: Uint8Array, { kind, start, end }: RecordScanner, place: number): number {
  if (kind[place] === KIND.string) return parseIsoTime(bytes, start[place]!, end[place]!);
  return kind[place] === KIND.integer ? parseEpochMs(bytes, start[place]!, end[place]!) : Number.NaN;
}

function deviceOf(bytes: Uint8Array, start: number, end: number): number {
  search: for (let device = 0; device < DEVICES.length; device++) {
    const name = DEVICES[device]!;
    if (name.length !== end - start) continue;
    for (let k = 0; k < name.length; k++) if (bytes[start + k] !== name[k]) continue search;
    return device;
  }
  return -1;
}

function optionalIsSound(
  bytes: Uint8Array,
  { kind, start, end, taken }: RecordScanner,
  n: number,
  field: number,
  bytesMax: number,
): boolean {
  const place = n * FIELD_COUNT + field;
  if (kind[place] === KIND.absent || kind[place] === KIND.null) return true;
  if (kind[place] !== KIND.string) return false;
  let length = end[place]! - start[place]!;
  // What was read the slow way has no escapes any more.
  if (length <= bytesMax || taken[n] === 0) return length <= bytesMax;
  // Each short escape stands for one byte.
  for (let k = start[place]!; k < end[place]!; k++) {
    if (bytes[k] === 92) {
      length--;
      k++;
    }
  }
  return length <= bytesMax;
}

/** Packs a canonical lower-case UUID (RFC 9562) or up to 16 bytes; a longer id stays where it is. */
function packClickId(batch: DecodedBatch, i: number, start: number, length: number): void {
  const { bytes, idWords } = batch;
  const at = 4 * i;
  batch.idStart[i] = start;
  batch.idLength[i] = length;
  batch.idBytes[i] = length;
  idWords[at] = 0;
  idWords[at + 1] = 0;
  idWords[at + 2] = 0;
  idWords[at + 3] = 0;
  if (length === 36 && packUuid(bytes, start, idWords, at)) {
    batch.idLength[i] = UUID_ID;
  } else if (length <= INLINE_ID_BYTES_MAX) {
    for (let k = 0; k < length; k++) idWords[at + (k >> 2)]! |= bytes[start + k]! << (24 - 8 * (k & 3));
  }
}

/** Values of the lower-case hex digits by their codes; all else has bits of NO_DIGIT. */
const NO_DIGIT = 0xf0;
const HEX = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

function packUuid(bytes: Uint8Array, start: number, words: Uint32Array, at: number): boolean {
  if (bytes[start + 8] !== 45 || bytes[start + 13] !== 45) return false;
  if (bytes[start + 18] !== 45 || bytes[start + 23] !== 45) return false;
  const a = hex4(bytes, start);
  const b = hex4(bytes, start + 4);
  const c = hex4(bytes, start + 9);
  const d = hex4(bytes, start + 14);
  const e = hex4(bytes, start + 19);
  const f = hex4(bytes, start + 24);
  const g = hex4(bytes, start + 28);
  const h = hex4(bytes, start + 32);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  words[at] = (a << 16) | b;
  words[at + 1] = (c << 16) | d;
  words[at + 2] = (e << 16) | f;
  words[at + 3] = (g << 16) | h;
  return true;
}

/** Four hex digits as a number, or -1. */
function hex4(bytes: Uint8Array, at: number): number {
  const a = HEX[bytes[at]!]!;
  const b = HEX[bytes[at + 1]!]!;
  const c = HEX[bytes[at + 2]!]!;
  const d = HEX[bytes[at + 3]!]!;
  if (((a | b | c | d) & NO_DIGIT) !== 0) return -1;
  return (a << 12) | (b << 8) | (c << 4) | d;
}
