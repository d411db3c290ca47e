// Redeliveries: a record whose click id and event time an earlier record of its partition has. Only clicks of
// the horizon need to be known: an older redelivery has the event time of its original, and is too late.
import { type ClickRows, clickIdHash, NONE } from './click-rows.js';
import type { DecodedBatch } from './decoded-batch.js';
import { SlotTable } from './slot-table.js';

export class Duplicates {
  private readonly table = new SlotTable();

  constructor(private readonly rows: ClickRows) {}

  get bytes(): number {
    return this.table.bytes;
  }

  /** Adds record `i` as a row and returns it, or NONE if it is a redelivery. */
  admit(batch: DecodedBatch, i: number): number {
    const { table, rows } = this;
    const hash = clickIdHash(batch, i);
    let slot = table.seek(table.first(hash), hash);
    for (let row = table.rowAt(slot); row !== NONE; row = table.rowAt(slot)) {
      if (rows.isSameClick(row, batch, i)) return NONE;
      slot = table.seek(table.next(slot), hash);
    }
    const row = rows.add(batch, i);
    table.insertAt(slot, hash, row);
    return row;
  }

  forget(row: number): void {
    const { table, rows } = this;
    const hash = rows.idHash(row);
    table.remove(hash, row);
  }
}
