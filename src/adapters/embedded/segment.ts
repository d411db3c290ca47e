// Walking the frames of one segment file: where they lie, how far they are whole, and whether what comes
// after is a write that was cut off or damage to records that were safe already.
import type { FileHandle } from 'node:fs/promises';
import {
  FRAME_BYTES_MAX,
  type FrameHeader,
  HEADER_BYTES,
  isWhole,
  MAGIC_BYTES,
  readHeader,
} from './frame.js';

const CHECK_BYTES = 1_048_576;
const SEEK_BYTES = 16_384;

export interface PlacedFrame {
  /** Where the frame begins in the file. */
  at: number;
  header: FrameHeader;
}

/**
 * Frames from `from` on, as far as they are whole and their checksums hold, and each follows the one before.
 * `expectedOffset` is the base offset that the first one must have.
 */
export async function* wholeFrames(
  handle: FileHandle,
  from: number,
  expectedOffset: number,
): AsyncGenerator<PlacedFrame> {
  const window = new FrameWindow(handle, CHECK_BYTES);
  let at = from;
  let offset = expectedOffset;
  for (;;) {
    const header = await window.wholeFrameAt(at);
    if (!header || header.baseOffset !== offset) return;
    yield { at, header };
    at += header.frameBytes;
    offset += header.count;
  }
}

/**
 * The same without looking at checksums, and for long frames without reading them: to find a place. What a
 * reader then reads there it checks.
 */
export async function* framePlaces(
  handle: FileHandle,
  from: number,
  expectedOffset: number,
): AsyncGenerator<PlacedFrame> {
  const window = new FrameWindow(handle, SEEK_BYTES);
  const { size } = await handle.stat();
  let at = from;
  let offset = expectedOffset;
  for (;;) {
    const header = await window.headerAt(at);
    if (!header || header.baseOffset !== offset || at + header.frameBytes > size) return;
    yield { at, header };
    at += header.frameBytes;
    offset += header.count;
  }
}

/**
 * Whether something behind `at`, where no whole frame begins, proves that the bytes at `at` were durable once:
 * a whole frame written after they had been. Without such a proof they are a write that was cut off.
 */
export async function isDamage(handle: FileHandle, at: number): Promise<boolean> {
  const window = new FrameWindow(handle, CHECK_BYTES);
  let candidate = await window.magicAt(at + 8);
  while (candidate !== undefined) {
    const header = await window.wholeFrameAt(candidate);
    if (header && header.durableBytes > at) return true;
    candidate = await window.magicAt(candidate + 8);
  }
  return false;
}

/** A part of the file in memory, moved as needed. */
class FrameWindow {
  readonly #handle: FileHandle;
  #bytes: Buffer<ArrayBuffer>;
  #view: DataView;
  #start = 0;
  #length = 0;

  constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.#bytes = Buffer.from(new ArrayBuffer(bytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  async headerAt(at: number): Promise<FrameHeader | undefined> {
    if (!(await this.#load(at, HEADER_BYTES))) return undefined;
    return readHeader(this.#view, at - this.#start);
  }

  /** The header at `at` in the file if a whole frame is there. */
  async wholeFrameAt(at: number): Promise<FrameHeader | undefined> {
    const header = await this.headerAt(at);
    if (!header || !(await this.#load(at, header.frameBytes))) return undefined;
    return isWhole(this.#bytes, this.#view, at - this.#start, this.#length, header) ? header : undefined;
  }

  /** The first place at or behind `at` (a multiple of 8) where a frame could begin. */
  async magicAt(at: number): Promise<number | undefined> {
    let from = at;
    while (await this.#load(from, HEADER_BYTES)) {
      const found = this.#bytes.subarray(0, this.#length).indexOf(MAGIC_BYTES, from - this.#start);
      if (found < 0) from = this.#start + ((this.#length - MAGIC_BYTES.length) & ~7);
      else if ((this.#start + found) % 8 === 0) return this.#start + found;
      else from = this.#start + ((found + 8) & ~7);
    }
    return undefined;
  }

  /** Makes `[at, at + length)` of the file present; false if the file is shorter. */
  async #load(at: number, length: number): Promise<boolean> {
    if (at >= this.#start && at + length <= this.#start + this.#length) return true;
    if (length > this.#bytes.length) {
      this.#bytes = Buffer.from(new ArrayBuffer(FRAME_BYTES_MAX));
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#start = at;
    this.#length = 0;
    while (this.#length < this.#bytes.length) {
      const { bytesRead } = await this.#handle.read(
        this.#bytes,
        this.#length,
        this.#bytes.length - this.#length,
        at + this.#length,
      );
      if (bytesRead === 0) break;
      this.#length += bytesRead;
    }
    return this.#length >= length;
  }
}
