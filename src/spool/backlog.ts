// What waits in the spool: how many clicks, about how many bytes of the disk they take, and since when.
import { open } from 'node:fs/promises';
import { ioError, listSegments, segmentPath } from '../adapters/embedded/layout.js';
import { framePlaces } from '../adapters/embedded/segment.js';

/** The spool is a log of one partition: the order in which clicks came. */
export const SPOOL_PARTITION = 0;
/** What a record takes in a frame beside key and value: its time and its lengths. */
const RECORD_COLUMNS_BYTES = 16;

/** Clicks of the spool, as far as their frames' headers tell. */
export interface SpoolStretch {
  bytes: number;
  /** When the click behind it was taken, epoch ms; undefined: there is none. */
  nextMs: number | undefined;
}

export class Backlog {
  #position: number;
  #end: number;
  #bytes: number;
  #oldestMs: number | undefined;

  /** All clicks from `position` to `end` wait; `waiting` says what they are, the oldest of them from `oldestMs`. */
  constructor(position: number, end: number, bytes: number, oldestMs: number | undefined) {
    this.#position = position;
    this.#end = end;
    this.#bytes = bytes;
    this.#oldestMs = oldestMs;
  }

  get records(): number {
    return this.#end - this.#position;
  }

  get bytes(): number {
    return this.records === 0 ? 0 : this.#bytes;
  }

  /** When the oldest waiting click was taken, epoch ms. */
  get oldestMs(): number | undefined {
    return this.records === 0 ? undefined : this.#oldestMs;
  }

  /** Clicks with so many bytes of keys and values were put behind the others. */
  taken(records: number, contentBytes: number, nowMs: number): void {
    if (this.records === 0) {
      this.#bytes = 0;
      this.#oldestMs = nowMs;
    }
    this.#bytes += diskBytes(records, contentBytes);
    this.#end += records;
  }

  /** Clicks up to `position` wait no more; the next one was taken at `nextMs` or later. */
  sent(position: number, bytes: number, nextMs: number | undefined): void {
    this.#position = position;
    this.#bytes = Math.max(0, this.#bytes - bytes);
    this.#oldestMs = nextMs;
  }
}

/** About what clicks with so many bytes of keys and values take on the disk. */
export function diskBytes(records: number, contentBytes: number): number {
  return contentBytes + RECORD_COLUMNS_BYTES * records;
}

/** Looks at the headers of the frames that hold the clicks `[from, to)`. */
export async function stretchOf(spoolDir: string, from: number, to: number): Promise<SpoolStretch> {
  const stretch: SpoolStretch = { bytes: 0, nextMs: undefined };
  const bases = await listSegments(spoolDir, SPOOL_PARTITION);
  for (let i = 0; i < bases.length; i++) {
    const isBefore = i + 1 < bases.length && bases[i + 1] <= from;
    if (!isBefore && bases[i] <= to) await addSegment(stretch, spoolDir, bases[i], { from, to });
  }
  return stretch;
}

async function addSegment(
  stretch: SpoolStretch,
  spoolDir: string,
  base: number,
  { from, to }: { from: number; to: number },
): Promise<void> {
  const path = segmentPath(spoolDir, SPOOL_PARTITION, base);
  try {
    const handle = await open(path, 'r');
    try {
      for await (const { header } of framePlaces(handle, 0, base)) {
        const { baseOffset, count, frameBytes, firstAppendMs } = header;
        const end = baseOffset + count;
        const inside = Math.min(end, to) - Math.max(baseOffset, from);
        if (inside > 0) stretch.bytes += (frameBytes * inside) / count;
        if (end > to) {
          stretch.nextMs ??= firstAppendMs;
          return;
        }
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw ioError(error, path, 'read');
  }
}
