// The last batches that were judged, as they are, before their buffers go back to the decoding thread: a click that turns
// out to be a bot's is then looked up here, where reading it again would take a fetch from the log.
import type { DecodedBatch } from '../core/decoded-batch.js';

/** A record of a batch. */
export interface RecentRecord {
  batch: DecodedBatch;
  index: number;
}

/** Batches of a topic: each is of one partition, with ascending offsets. */
export class RecentBatches {
  /** From the oldest to the newest. */
  readonly #batches: DecodedBatch[] = [];
  #bytes = 0;

  /** `bytesMax`: of the buffers that are left after `shed`; 0: none. */
  constructor(private readonly bytesMax: number) {}

  add(batch: DecodedBatch): void {
    this.#batches.push(batch);
    this.#bytes += batch.buffer.byteLength;
  }

  /** Lets the oldest ones go that are too much, and gives their buffers. */
  shed(): ArrayBuffer[] {
    let count = 0;
    while (this.#bytes > this.bytesMax) this.#bytes -= this.#batches[count++]!.buffer.byteLength;
    return this.#batches.splice(0, count).map(({ buffer }) => buffer);
  }

  /** The record of this place, if it is still there. */
  find(partition: number, offset: number): RecentRecord | undefined {
    for (let at = this.#batches.length - 1; at >= 0; at--) {
      const batch = this.#batches[at]!;
      if (batch.partition[0] !== partition || batch.offset[0]! > offset) continue;
      // Of a partition, what is older holds smaller offsets only; unless it was read again.
      if (batch.offset[batch.count - 1]! < offset) return undefined;
      const index = indexOf(batch, offset);
      return index === undefined ? undefined : { batch, index };
    }
    return undefined;
  }
}

function indexOf({ offset: offsets, count }: DecodedBatch, offset: number): number | undefined {
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = offsets[middle]!;
    if (found === offset) return middle;
    if (found < offset) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
