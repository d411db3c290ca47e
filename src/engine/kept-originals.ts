// Original keys and bytes of clicks whose dead letters are on their way to a topic. The store keeps a bot's click by its
// place alone; who publishes its letter a moment later finds the bytes here, or reads them again if they are gone.
import type { RecentRecord } from './recent-batches.js';

export interface Original {
  key: Uint8Array | undefined;
  value: Uint8Array;
}

/** About what an entry takes beside its bytes. */
const ENTRY_BYTES = 200;

type ByPlace = Map<number, Map<number, Original>>;

export class KeptOriginals {
  /** Two generations: when the younger one is full, the older one is forgotten. */
  #young: ByPlace = new Map();
  #old: ByPlace = new Map();
  #youngBytes = 0;

  /** Holds about `bytesMax` bytes at most. */
  constructor(private readonly bytesMax: number) {}

  /** Copies what the record has. */
  keep({ batch, index }: RecentRecord): void {
    const { bytes, valueStart, valueEnd, keyStart, keyEnd } = batch;
    const start = keyStart[index]!;
    const key = start < 0 ? undefined : Buffer.from(bytes.subarray(start, keyEnd[index]!));
    const value = Buffer.from(bytes.subarray(valueStart[index]!, valueEnd[index]!));
    this.#youngBytes += ENTRY_BYTES + value.length + (key?.length ?? 0);
    if (this.#youngBytes > this.bytesMax / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    const partition = batch.partition[index]!;
    const places = this.#young.get(partition) ?? new Map<number, Original>();
    this.#young.set(partition, places);
    places.set(batch.offset[index]!, { key, value });
  }

  /** What is kept of this place. */
  find(partition: number, offset: number): Original | undefined {
    return this.#young.get(partition)?.get(offset) ?? this.#old.get(partition)?.get(offset);
  }
}
