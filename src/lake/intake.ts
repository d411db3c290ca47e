// Collects records for one statement of DuckDB, each partition in a lane of its own, so that a file's rows lie
// together later. Values go in as few long texts joined by newlines, which DuckDB splits again: a call per
// record from JavaScript would cost more than the decoding. What can't stand in such a text (a newline inside,
// bytes that are not UTF-8, a cut value), and what is no object by its ends, goes in one by one, as bytes.
import type { RawBatch } from '../core/batches.js';
import { murmur2, partitionOf } from '../core/murmur2.js';
import { AdIdFinder } from './ad-id-finder.js';
import { GrowingText, grown } from './growing-text.js';

/** How a record names its partition and key; `apart`: it is among the odd ones. Stands in the column `kind`. */
export const KIND = { keyless: 0, keyed: 1, bare: 2, apart: 3 } as const;

/**
 * A chunk is full at either; DuckDB then decodes it while the next one is filled. More rows than one of its row
 * groups has (122,880), because it moves whole ones into a table and copies smaller ones.
 */
const CHUNK_RECORDS = 131_072;
const CHUNK_BYTES = 40 * 1024 * 1024;
const LANE_RECORDS = 256;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/** A record that can't go into the joined texts. */
export interface OddRecord {
  index: number;
  kind: number;
  value: Uint8Array;
  keyBytes: Uint8Array;
}

/** Records of one partition in the order they came. `index` in the columns is the entry's number in the texts. */
export class Lane {
  readonly partition: number;
  count = 0;
  offset = new Float64Array(LANE_RECORDS);
  appendTimeMs = new Float64Array(LANE_RECORDS);
  kind = new Int32Array(LANE_RECORDS);
  valueBytes = new Int32Array(LANE_RECORDS);
  /** An odd record's entry is empty or blank. */
  readonly values = new GrowingText();
  /** Keys (keyed) or the ad that was found (bare). */
  readonly keys = new GrowingText();
  readonly odd: OddRecord[] = [];

  constructor(partition: number) {
    this.partition = partition;
  }

  /** Room for one record more; returns its index. */
  add(): number {
    if (this.count === this.offset.length) {
      this.offset = grown(this.offset);
      this.appendTimeMs = grown(this.appendTimeMs);
      this.kind = grown(this.kind);
      this.valueBytes = grown(this.valueBytes);
    }
    return this.count++;
  }

  clear(): void {
    this.count = 0;
    this.values.clear();
    this.keys.clear();
    this.odd.length = 0;
  }

  setApart(index: number, value: Uint8Array, keyBytes: Uint8Array): void {
    this.odd.push({
      index,
      kind: this.kind[index]!,
      value: Uint8Array.from(value),
      keyBytes: Uint8Array.from(keyBytes),
    });
    this.kind[index] = KIND.apart;
  }

  /** To be called when the chunk is complete: takes the entries out that the texts can't hold. */
  seal(): void {
    for (const index of new Set([
      ...this.values.oddEntries(this.count),
      ...this.keys.oddEntries(this.count),
    ])) {
      if (this.kind[index] === KIND.apart) continue;
      this.setApart(index, this.values.slice(index, index + 1), this.keys.slice(index, index + 1));
      this.values.blank(index);
      this.keys.blank(index);
    }
  }
}

export class Chunk {
  count = 0;
  bytes = 0;
  #lanes = new Map<number, Lane>();

  get isFull(): boolean {
    return this.count >= CHUNK_RECORDS || this.bytes >= CHUNK_BYTES;
  }

  /** Those that hold a record. */
  lanes(): Lane[] {
    return [...this.#lanes.values()].filter(({ count }) => count > 0);
  }

  lane(partition: number): Lane {
    let lane = this.#lanes.get(partition);
    if (!lane) {
      lane = new Lane(partition);
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  seal(): void {
    for (const lane of this.lanes()) lane.seal();
  }

  /** Lanes keep their room for the next time, unless they had nothing to do. */
  clear(): void {
    this.#lanes = new Map(this.lanes().map((lane) => [lane.partition, lane]));
    for (const lane of this.#lanes.values()) lane.clear();
    this.count = 0;
    this.bytes = 0;
  }

  /** Some of its values. */
  *sample(): Iterable<Uint8Array> {
    for (const lane of this.lanes()) {
      for (let index = 0; index < lane.count; index++) {
        if (lane.kind[index] !== KIND.apart) yield lane.values.slice(index, index + 1);
      }
    }
  }
}

/** Puts records of batches into chunks. */
export class Intake {
  readonly #partitions: number;
  readonly #finder = new AdIdFinder();

  /** `partitions`: of bare lines. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Adds record `i` of the batch; `chunk` must not be full. Returns the partition (of a bare line: as guessed). */
  put(chunk: Chunk, batch: RawBatch, i: number): number {
    const { bytes } = batch;
    const start = batch.valueStart[i]!;
    const end = batch.valueEnd[i]!;
    let partition = batch.partition[i]!;
    let keyStart = batch.keyStart?.[i] ?? -1;
    let keyEnd = batch.keyEnd?.[i] ?? -1;
    let kind: number = keyStart < 0 ? KIND.keyless : KIND.keyed;
    if (partition < 0) {
      kind = KIND.bare;
      keyStart = this.#finder.find(bytes, start, end);
      keyEnd = this.#finder.end;
      const found = keyEnd > keyStart;
      partition = found ? partitionOf(murmur2(bytes, keyStart, keyEnd), this.#partitions) : 0;
    }
    if (keyStart < 0) keyStart = keyEnd = 0;

    const lane = chunk.lane(partition);
    const index = lane.add();
    lane.offset[index] = batch.offset[i]!;
    lane.appendTimeMs[index] = batch.appendTimeMs[i]!;
    lane.kind[index] = kind;
    const cutFrom = batch.cutValueBytes?.get(i);
    lane.valueBytes[index] = cutFrom ?? end - start;
    // What is no object by its ends is no plain click: apart from the others it doesn't hold up their decoding.
    if (cutFrom === undefined && bytes[start] === BRACE_OPEN && bytes[end - 1] === BRACE_CLOSE) {
      lane.values.put(index, bytes, start, end);
      lane.keys.put(index, bytes, keyStart, keyEnd);
    } else {
      lane.setApart(index, bytes.subarray(start, end), bytes.subarray(keyStart, keyEnd));
      lane.values.put(index, bytes, 0, 0);
      lane.keys.put(index, bytes, 0, 0);
    }
    chunk.count++;
    chunk.bytes += end - start + keyEnd - keyStart;
    return partition;
  }
}
