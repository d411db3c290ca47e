// How records lie in a segment: frames of consecutive records, each with its length and a checksum, so that
// a write that was cut off is seen and no reader ever takes half a frame. Inside a frame the lengths stand
// in columns before the bytes: reading is arithmetic, not parsing.
//
//   0 u32 magic        16 f64 base offset              40 f64 bytes of the segment known durable when written
//   4 u32 frame bytes  24 f64 append time of record 0  48 u32 flags (1: keys)   56 u32 column of cut values: count
//   8 u32 crc of 12..  32 f64 greatest append time     52 u32 bytes of all keys 60 u32 0
//  12 u32 count               of the partition so far
//  64 f64 append time[count] | f64 (index, true bytes)[cut] | u32 value bytes[count] | i32 key bytes[count] if keys
//     | keys | values | padding to 8 bytes
// All little endian. A frame's length is a multiple of 8.
import { invariant } from '../../errors.js';
import { crc32 } from './crc32.js';

export const HEADER_BYTES = 64;
/** Soft limits of a frame: a frame is closed before it exceeds one, unless it holds a single record. */
export const FRAME_RECORDS_MAX = 16_384;
export const FRAME_CONTENT_BYTES_MAX = 1_048_576;
/** No frame is longer: one record of the greatest key and value, with its columns. */
export const FRAME_BYTES_MAX = 4 * 1_048_576;

/** What every frame begins with. */
export const MAGIC_BYTES = Buffer.from('CLG1', 'latin1');
const MAGIC = MAGIC_BYTES.readUInt32LE(0);
const FLAG_KEYS = 1;

export interface FrameHeader {
  frameBytes: number;
  count: number;
  baseOffset: number;
  /** Append time of the first record, epoch ms, or NaN. */
  firstAppendMs: number;
  /** Greatest append time in the partition up to and with this frame, epoch ms, or -Infinity. */
  newestAppendMs: number;
  /** Bytes of this segment that were durable (fsync) when the frame was written. */
  durableBytes: number;
  hasKeys: boolean;
  keysBytes: number;
  cutCount: number;
}

/** Where the columns and bytes of a frame begin, relative to the frame. */
export interface FrameLayout {
  cutAt: number;
  valueBytesAt: number;
  keyBytesAt: number;
  keysAt: number;
  valuesAt: number;
}

/** Positions of a frame's parts. */
export function frameLayout(
  header: Pick<FrameHeader, 'count' | 'cutCount' | 'hasKeys' | 'keysBytes'>,
): FrameLayout {
  const cutAt = HEADER_BYTES + 8 * header.count;
  const valueBytesAt = cutAt + 16 * header.cutCount;
  const keyBytesAt = valueBytesAt + 4 * header.count;
  const keysAt = keyBytesAt + (header.hasKeys ? 4 * header.count : 0);
  return { cutAt, valueBytesAt, keyBytesAt, keysAt, valuesAt: keysAt + header.keysBytes };
}

/** Length of a frame with that content. */
export function frameBytesOf(layout: FrameLayout, valuesBytes: number): number {
  return (layout.valuesAt + valuesBytes + 7) & ~7;
}

/**
 * Reads the header at `at`, or returns undefined if the 64 bytes there are not one (torn, zeros, garbage).
 * The checksum is not looked at.
 */
export function readHeader(view: DataView, at: number): FrameHeader | undefined {
  if (at + HEADER_BYTES > view.byteLength || view.getUint32(at, true) !== MAGIC) return undefined;
  const header: FrameHeader = {
    frameBytes: view.getUint32(at + 4, true),
    count: view.getUint32(at + 12, true),
    baseOffset: view.getFloat64(at + 16, true),
    firstAppendMs: view.getFloat64(at + 24, true),
    newestAppendMs: view.getFloat64(at + 32, true),
    durableBytes: view.getFloat64(at + 40, true),
    hasKeys: (view.getUint32(at + 48, true) & FLAG_KEYS) !== 0,
    keysBytes: view.getUint32(at + 52, true),
    cutCount: view.getUint32(at + 56, true),
  };
  const sound =
    header.count > 0 &&
    header.count <= FRAME_RECORDS_MAX &&
    header.cutCount <= header.count &&
    Number.isSafeInteger(header.baseOffset) &&
    header.baseOffset >= 0 &&
    header.frameBytes % 8 === 0 &&
    header.frameBytes <= FRAME_BYTES_MAX &&
    header.frameBytes >= frameLayout(header).valuesAt;
  return sound ? header : undefined;
}

/** Whether the whole frame lies in `bytes[at, end)` and its checksum holds. */
export function isWhole(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  header: FrameHeader,
): boolean {
  if (at + header.frameBytes > end) return false;
  return view.getUint32(at + 8, true) === crc32(bytes, at + 12, at + header.frameBytes);
}

/** Writes header and checksum of a frame whose columns and bytes are in place at `at`. */
export function sealFrame(bytes: Uint8Array, view: DataView, at: number, header: FrameHeader): void {
  invariant(header.frameBytes <= FRAME_BYTES_MAX, `a frame of ${header.frameBytes} bytes`);
  view.setUint32(at, MAGIC, true);
  view.setUint32(at + 4, header.frameBytes, true);
  view.setUint32(at + 12, header.count, true);
  view.setFloat64(at + 16, header.baseOffset, true);
  view.setFloat64(at + 24, header.firstAppendMs, true);
  view.setFloat64(at + 32, header.newestAppendMs, true);
  view.setFloat64(at + 40, header.durableBytes, true);
  view.setUint32(at + 48, header.hasKeys ? FLAG_KEYS : 0, true);
  view.setUint32(at + 52, header.keysBytes, true);
  view.setUint32(at + 56, header.cutCount, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 8, crc32(bytes, at + 12, at + header.frameBytes), true);
}
