// Appends frames to one partition: builds them, writes them at the end of the last segment, begins a new
// segment when that is full, and on opening cuts off a write that was torn.
import { constants, type FileHandle, open } from 'node:fs/promises';
import { RECORD_BYTES_MAX } from '../../core/method.js';
import { invariant, UserError } from '../../errors.js';
import { FRAME_BYTES_MAX, type FrameHeader, frameBytesOf, frameLayout, sealFrame } from './frame.js';
import { ioError, listSegments, partitionDir, segmentPath, syncDirectory } from './layout.js';
import type { AppendBatch } from './log-writer.js';
import { isDamage, wholeFrames } from './segment.js';

interface Place {
  logDir: string;
  partition: number;
  segmentBytesMax: number;
  /** A frame is durable when it is written: see `syncingFlag`. */
  syncWrites: boolean;
}

/**
 * Linux makes a write durable before it returns: one way to the disk and back, where a write and an fdatasync are two.
 * Measured in turns on a busy machine: 952 frames of 8 KiB a second at 191 µs of CPU each, beside 485 at 273 µs.
 * Elsewhere the flag may promise less than an fdatasync does.
 */
const syncingFlag = process.platform === 'linux' ? constants.O_DSYNC : undefined;

/** One frame at a time is built here, for all partitions: appends come one after the other. */
const frame = Buffer.from(new ArrayBuffer(FRAME_BYTES_MAX));
const view = new DataView(frame.buffer);

export class PartitionWriter {
  readonly #place: Place;
  #handle: FileHandle;
  #path: string;
  #bytes: number;
  #durableBytes: number;
  #nextOffset: number;
  #newestAppendMs: number;
  #newName: boolean;
  /** A failed write left bytes that couldn't be cut off: nothing may be put behind them. */
  #broken = false;

  private constructor(place: Place, opened: OpenedSegment) {
    this.#place = place;
    this.#handle = opened.handle;
    this.#path = opened.path;
    this.#bytes = opened.bytes;
    this.#durableBytes = opened.bytes;
    this.#nextOffset = opened.nextOffset;
    this.#newestAppendMs = opened.newestAppendMs;
    this.#newName = opened.isNew;
  }

  /** Opens the last segment (or begins the first) and cuts off a torn write. UserError: damaged, or no access. */
  static async open(place: Place): Promise<PartitionWriter> {
    const { logDir, partition } = place;
    const base = (await listSegments(logDir, partition)).at(-1);
    return new PartitionWriter(
      place,
      base === undefined ? await newSegment(place, 0, -Infinity) : await lastSegment(place, base),
    );
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Newest append time in the partition, epoch ms; -Infinity if there is none. */
  get newestAppendMs(): number {
    return this.#newestAppendMs;
  }

  /**
   * Appends the records as one frame and sets their `offsets`. Returns whether a segment was finished by it.
   * The caller keeps to a frame's limits.
   */
  async appendFrame(batch: AppendBatch, records: Int32Array, offsets: Float64Array): Promise<boolean> {
    if (this.#broken) {
      throw new UserError(`${this.#path} can't be written since an earlier write failed`, {
        hint: 'Free some space and start again; what was written stays valid.',
      });
    }
    const finished = this.#bytes >= this.#place.segmentBytesMax;
    if (finished) await this.#roll();
    const header = buildFrame(batch, records, {
      baseOffset: this.#nextOffset,
      newestAppendMs: this.#newestAppendMs,
      durableBytes: this.#durableBytes,
    });
    await this.#write(header.frameBytes);
    for (let i = 0; i < records.length; i++) offsets[records[i]] = this.#nextOffset + i;
    this.#nextOffset += records.length;
    this.#newestAppendMs = header.newestAppendMs;
    return finished;
  }

  async flush(): Promise<void> {
    if (this.#durableBytes === this.#bytes && !this.#newName) return;
    try {
      await this.#handle.datasync();
      if (this.#newName) await syncDirectory(partitionDir(this.#place.logDir, this.#place.partition));
    } catch (error) {
      this.#broken = true; // after a failed fsync nobody knows what is on the disk
      throw ioError(error, this.#path, 'write');
    }
    this.#newName = false;
    this.#durableBytes = this.#bytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #write(frameBytes: number): Promise<void> {
    try {
      let done = 0;
      while (done < frameBytes) {
        const { bytesWritten } = await this.#handle.write(frame, done, frameBytes - done, this.#bytes + done);
        done += bytesWritten;
      }
    } catch (error) {
      this.#broken = true;
      await this.#handle.truncate(this.#bytes);
      this.#broken = false;
      throw ioError(error, this.#path, 'write');
    }
    this.#bytes += frameBytes;
    if (this.#place.syncWrites && syncingFlag !== undefined && !this.#newName)
      this.#durableBytes = this.#bytes;
  }

  /** A finished segment is durable before the next one begins: only the last one can be torn. */
  async #roll(): Promise<void> {
    await this.flush();
    const next = await newSegment(this.#place, this.#nextOffset, this.#newestAppendMs);
    await this.#handle.close();
    this.#handle = next.handle;
    this.#path = next.path;
    this.#bytes = 0;
    this.#durableBytes = 0;
    this.#newName = true;
  }
}

interface OpenedSegment {
  handle: FileHandle;
  path: string;
  bytes: number;
  nextOffset: number;
  newestAppendMs: number;
  isNew: boolean;
}

function flagOf({ syncWrites }: Place): number {
  return syncWrites ? (syncingFlag ?? 0) : 0;
}

async function newSegment(place: Place, baseOffset: number, newestAppendMs: number): Promise<OpenedSegment> {
  const path = segmentPath(place.logDir, place.partition, baseOffset);
  try {
    const { O_CREAT, O_EXCL, O_RDWR } = constants;
    const handle = await open(path, O_CREAT | O_EXCL | O_RDWR | flagOf(place));
    return { handle, path, bytes: 0, nextOffset: baseOffset, newestAppendMs, isNew: true };
  } catch (error) {
    throw ioError(error, path, 'write');
  }
}

async function lastSegment(place: Place, baseOffset: number): Promise<OpenedSegment> {
  const path = segmentPath(place.logDir, place.partition, baseOffset);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDWR | flagOf(place));
    let bytes = 0;
    let nextOffset = baseOffset;
    let newestAppendMs = -Infinity;
    for await (const { at, header } of wholeFrames(handle, 0, baseOffset)) {
      bytes = at + header.frameBytes;
      nextOffset = header.baseOffset + header.count;
      newestAppendMs = header.newestAppendMs;
    }
    if ((await handle.stat()).size > bytes) {
      if (await isDamage(handle, bytes)) throw damagedError(path, nextOffset);
      await handle.truncate(bytes);
    }
    await handle.sync(); // what a killed writer left in the system's cache counts as durable from here on
    return { handle, path, bytes, nextOffset, newestAppendMs, isNew: true };
  } catch (error) {
    await handle?.close();
    throw ioError(error, path, 'write');
  }
}

/** The error for bytes that were safe once and can't be read now. */
export function damagedError(path: string, offset: number): UserError {
  return new UserError(`${path} is damaged: the record at offset ${offset} can't be read, later ones can`, {
    hint: 'Nothing was changed. Restore the file from a copy, and check the disk.',
  });
}

interface FrameStart {
  baseOffset: number;
  newestAppendMs: number;
  durableBytes: number;
}

/** Builds the frame of these records in `frame`. */
function buildFrame(batch: AppendBatch, records: Int32Array, start: FrameStart): FrameHeader {
  const count = records.length;
  const sizes = contentSizes(batch, records);
  const { hasKeys, keysBytes, cutCount } = sizes;
  const layout = frameLayout({ count, hasKeys, keysBytes, cutCount });
  const frameBytes = frameBytesOf(layout, sizes.valuesBytes);
  invariant(frameBytes <= FRAME_BYTES_MAX, `a frame of ${frameBytes} bytes`);
  const newestAppendMs = putTimes(batch, records, start.newestAppendMs);
  putValues(batch, records, layout);
  if (hasKeys) putKeys(batch, records, layout);
  frame.fill(0, layout.valuesAt + sizes.valuesBytes, frameBytes);
  const header: FrameHeader = {
    frameBytes,
    count,
    baseOffset: start.baseOffset,
    firstAppendMs: batch.appendTimeMs[records[0]],
    newestAppendMs,
    durableBytes: start.durableBytes,
    hasKeys,
    keysBytes,
    cutCount,
  };
  sealFrame(frame, view, 0, header);
  return header;
}

function contentSizes(batch: AppendBatch, records: Int32Array) {
  const { valueStart, valueEnd, keyStart, keyEnd } = batch;
  let valuesBytes = 0;
  let keysBytes = 0;
  let cutCount = 0;
  let hasKeys = false;
  for (const record of records) {
    const valueBytes = valueEnd[record] - valueStart[record];
    const kept = Math.min(valueBytes, RECORD_BYTES_MAX);
    if ((batch.cutValueBytes?.get(record) ?? valueBytes) !== kept) cutCount++;
    valuesBytes += kept;
    if (keyStart && keyEnd && keyStart[record] >= 0) {
      hasKeys = true;
      keysBytes += keyEnd[record] - keyStart[record];
    }
  }
  return { valuesBytes, keysBytes, cutCount, hasKeys };
}

function putTimes(batch: AppendBatch, records: Int32Array, newestSoFarMs: number): number {
  let newestMs = newestSoFarMs;
  let at = 64;
  for (const record of records) {
    const appendMs = batch.appendTimeMs[record];
    if (appendMs > newestMs) newestMs = appendMs;
    view.setFloat64(at, appendMs, true);
    at += 8;
  }
  return newestMs;
}

function putValues(
  batch: AppendBatch,
  records: Int32Array,
  layout: { cutAt: number; valueBytesAt: number; valuesAt: number },
): void {
  const { bytes, valueStart, valueEnd, cutValueBytes } = batch;
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = layout.valuesAt;
  let cutAt = layout.cutAt;
  for (let i = 0; i < records.length; i++) {
    const record = records[i];
    const start = valueStart[record];
    const trueBytes = cutValueBytes?.get(record) ?? valueEnd[record] - start;
    const kept = Math.min(valueEnd[record] - start, RECORD_BYTES_MAX);
    source.copy(frame, at, start, start + kept);
    at += kept;
    view.setUint32(layout.valueBytesAt + 4 * i, kept, true);
    if (trueBytes !== kept) {
      view.setFloat64(cutAt, i, true);
      view.setFloat64(cutAt + 8, trueBytes, true);
      cutAt += 16;
    }
  }
}

function putKeys(
  batch: AppendBatch,
  records: Int32Array,
  layout: { keyBytesAt: number; keysAt: number },
): void {
  const { bytes, keyStart, keyEnd } = batch;
  invariant(keyStart && keyEnd, 'keys without columns');
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = layout.keysAt;
  for (let i = 0; i < records.length; i++) {
    const start = keyStart[records[i]];
    const length = start < 0 ? -1 : keyEnd[records[i]] - start;
    if (length > 0) at += source.copy(frame, at, start, start + length);
    view.setInt32(layout.keyBytesAt + 4 * i, length, true);
  }
}
