// From frames to the columns of a RawBatch. The values stay where they were read; only numbers are written.
import type { RawBatch } from '../../core/batches.js';
import { FRAME_RECORDS_MAX, type FrameHeader, frameLayout, HEADER_BYTES } from './frame.js';

/** Columns for the records of one or more frames of one partition, used again for every batch. */
export class FrameRecords {
  count = 0;
  readonly #valueStart = new Int32Array(FRAME_RECORDS_MAX);
  readonly #valueEnd = new Int32Array(FRAME_RECORDS_MAX);
  readonly #keyStart = new Int32Array(FRAME_RECORDS_MAX);
  readonly #keyEnd = new Int32Array(FRAME_RECORDS_MAX);
  readonly #partition = new Int32Array(FRAME_RECORDS_MAX);
  readonly #offset = new Float64Array(FRAME_RECORDS_MAX);
  readonly #appendTimeMs = new Float64Array(FRAME_RECORDS_MAX);
  #cutValueBytes = new Map<number, number>();
  #hasKeys = false;

  /** Begins a new batch, of this partition. */
  clear(partition: number): void {
    this.count = 0;
    this.#hasKeys = false;
    if (this.#cutValueBytes.size > 0) this.#cutValueBytes = new Map();
    if (this.#partition[0] !== partition) this.#partition.fill(partition);
  }

  /** Whether so many records more fit. */
  fits(records: number): boolean {
    return this.count + records <= FRAME_RECORDS_MAX;
  }

  /** Adds the records of the frame at `at`, as far as their offset is at least `fromOffset`. */
  add(view: DataView, at: number, header: FrameHeader, fromOffset: number): void {
    const layout = frameLayout(header);
    const skipped = Math.max(0, fromOffset - header.baseOffset);
    const first = this.count;
    let valueAt = at + layout.valuesAt;
    let slot = first;
    for (let i = 0; i < header.count; i++) {
      const valueBytes = view.getUint32(at + layout.valueBytesAt + 4 * i, true);
      if (i >= skipped) {
        this.#valueStart[slot] = valueAt;
        this.#valueEnd[slot] = valueAt + valueBytes;
        this.#offset[slot] = header.baseOffset + i;
        this.#appendTimeMs[slot] = view.getFloat64(at + HEADER_BYTES + 8 * i, true);
        slot++;
      }
      valueAt += valueBytes;
    }
    this.count = slot;
    this.#addKeys(view, at, header, skipped, first);
    for (let i = 0; i < header.cutCount; i++) {
      const index = view.getFloat64(at + layout.cutAt + 16 * i, true) - skipped;
      if (index >= 0)
        this.#cutValueBytes.set(first + index, view.getFloat64(at + layout.cutAt + 16 * i + 8, true));
    }
  }

  /** The batch as it stands; `bytes` are those that the frames lie in. */
  batch(bytes: Uint8Array): RawBatch {
    return {
      count: this.count,
      bytes,
      valueStart: this.#valueStart,
      valueEnd: this.#valueEnd,
      partition: this.#partition,
      offset: this.#offset,
      appendTimeMs: this.#appendTimeMs,
      ...(this.#hasKeys ? { keyStart: this.#keyStart, keyEnd: this.#keyEnd } : {}),
      ...(this.#cutValueBytes.size > 0 ? { cutValueBytes: this.#cutValueBytes } : {}),
    };
  }

  #addKeys(view: DataView, at: number, header: FrameHeader, skipped: number, first: number): void {
    if (!header.hasKeys) {
      this.#keyStart.fill(-1, first, this.count);
      this.#keyEnd.fill(-1, first, this.count);
      return;
    }
    const layout = frameLayout(header);
    let keyAt = at + layout.keysAt;
    let slot = first;
    for (let i = 0; i < header.count; i++) {
      const keyBytes = view.getInt32(at + layout.keyBytesAt + 4 * i, true);
      if (i >= skipped) {
        this.#keyStart[slot] = keyBytes < 0 ? -1 : keyAt;
        this.#keyEnd[slot] = keyBytes < 0 ? -1 : keyAt + keyBytes;
        slot++;
      }
      if (keyBytes > 0) keyAt += keyBytes;
    }
    this.#hasKeys ||= slot > first;
  }
}
