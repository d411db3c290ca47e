// Redeliveries: a record whose click id and event time an earlier record of its partition has. Only clicks of
// the horizon need to be known: an older redelivery has the event time of its original, and is too late.
import { type ClickRows, clickIdHash, NONE } from './click-rows.js';
import type { DecodedBatch } from './decoded-batch.js';
import type { Slice } from './slices.js';

export class Duplicates {
  constructor(private readonly rows: ClickRows) {}

  /** Adds record `i`, of the given slice, as a row and returns it, or NONE if it is a redelivery. */
  admit({ ids }: Slice, batch: DecodedBatch, i: number): number {
    const { rows } = this;
    const hash = clickIdHash(batch, i);
    let slot = ids.seek(ids.first(hash), hash);
    for (let row = ids.rowAt(slot); row !== NONE; row = ids.rowAt(slot)) {
      if (rows.isSameClick(row, batch, i)) return NONE;
      slot = ids.seek(ids.next(slot), hash);
    }
    const row = rows.add(batch, i);
    ids.insertAt(slot, hash, row);
    return row;
  }
}
