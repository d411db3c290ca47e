// Original keys and bytes of clicks whose dead letters are on their way to a topic. The store keeps a bot's click by its
// place alone; who publishes its letter a moment later finds the bytes here, or reads them again if they are gone.
// They lie in a few large blocks: an object for each would outlive the collections of young ones, and be moved by them.
import type { RecentRecord } from './recent-batches.js';

export interface Original {
  key: Uint8Array | undefined;
  value: Uint8Array;
}

const BLOCK_BYTES_MAX = 1_048_576;
/** A part of what may be kept, so that a little less is enough. */
const BLOCKS_MIN = 16;
/** Lengths of key (-1: none) and value, before them. */
const HEAD_BYTES = 8;
/** About what the place of an entry takes. */
const PLACE_BYTES = 40;

/** Where each original begins, by partition and offset: its block's number times the bytes of one, and its place there. */
type Places = Map<number, Map<number, number>>;

/** Originals that came after each other, and are forgotten together. */
class Generation {
  readonly #blocks: Buffer[] = [];
  readonly #places: Places = new Map();
  /** Of the last block. */
  #used = 0;
  /** Of everything. */
  bytes = 0;

  constructor(private readonly blockBytes: number) {}

  keep({ batch, index }: RecentRecord): void {
    const { bytes, valueStart, valueEnd, keyStart, keyEnd } = batch;
    const partition = batch.partition[index]!;
    const offset = batch.offset[index]!;
    const places = this.#placesOf(partition);
    if (places.has(offset)) return;
    const keyAt = keyStart[index]!;
    const keyBytes = keyAt < 0 ? -1 : keyEnd[index]! - keyAt;
    const valueAt = valueStart[index]!;
    const valueBytes = valueEnd[index]! - valueAt;
    const { block, at } = this.#take(HEAD_BYTES + Math.max(0, keyBytes) + valueBytes);
    block.writeInt32LE(keyBytes, at);
    block.writeInt32LE(valueBytes, at + 4);
    if (keyBytes > 0) block.set(bytes.subarray(keyAt, keyAt + keyBytes), at + HEAD_BYTES);
    block.set(bytes.subarray(valueAt, valueAt + valueBytes), at + HEAD_BYTES + Math.max(0, keyBytes));
    places.set(offset, (this.#blocks.length - 1) * this.blockBytes + at);
    this.bytes += PLACE_BYTES;
  }

  find(partition: number, offset: number): Original | undefined {
    const place = this.#places.get(partition)?.get(offset);
    if (place === undefined) return undefined;
    const block = this.#blocks[Math.floor(place / this.blockBytes)]!;
    const at = place % this.blockBytes;
    const keyBytes = block.readInt32LE(at);
    const valueAt = at + HEAD_BYTES + Math.max(0, keyBytes);
    return {
      key: keyBytes < 0 ? undefined : block.subarray(at + HEAD_BYTES, valueAt),
      value: block.subarray(valueAt, valueAt + block.readInt32LE(at + 4)),
    };
  }

  #placesOf(partition: number): Map<number, number> {
    const known = this.#places.get(partition);
    if (known) return known;
    const places = new Map<number, number>();
    this.#places.set(partition, places);
    return places;
  }

  /** Room for so many bytes, in one block: in one of its own if there is too much. */
  #take(bytes: number): { block: Buffer; at: number } {
    const last = this.#blocks.at(-1);
    if (last && this.#used + bytes <= last.length) {
      this.#used += bytes;
      return { block: last, at: this.#used - bytes };
    }
    const block = Buffer.allocUnsafeSlow(Math.max(bytes, this.blockBytes));
    this.#blocks.push(block);
    this.#used = bytes;
    this.bytes += block.length;
    return { block, at: 0 };
  }
}

export class KeptOriginals {
  readonly #blockBytes: number;
  /** When the younger one is full, the older one is forgotten. */
  #young: Generation;
  #old: Generation;

  /** Holds about `bytesMax` bytes at most. */
  constructor(private readonly bytesMax: number) {
    this.#blockBytes = Math.min(BLOCK_BYTES_MAX, Math.ceil(bytesMax / BLOCKS_MIN));
    this.#young = new Generation(this.#blockBytes);
    this.#old = this.#young;
  }

  /** Copies what the record has. */
  keep(record: RecentRecord): void {
    if (this.#young.bytes > this.bytesMax / 2) {
      this.#old = this.#young;
      this.#young = new Generation(this.#blockBytes);
    }
    this.#young.keep(record);
  }

  /** What is kept of this place. Its bytes stay as they are. */
  find(partition: number, offset: number): Original | undefined {
    return this.#young.find(partition, offset) ?? this.#old.find(partition, offset);
  }
}
