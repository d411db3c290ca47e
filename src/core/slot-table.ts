// A hash table from a 32-bit hash to row numbers: open addressing with linear probing, hash and row side by
// side in one Int32Array. A Map with string keys takes four times the time and five times the memory.
// Entries with equal hashes are told apart by the caller, who knows the rows.

const EMPTY = -1;
const CAPACITY_MIN = 8;
const LOAD_MAX = 0.8;
/** Small tables double; larger ones grow by little, since they are many. */
const SMALL = 1024;
const GROWTH = 1.25;

export class SlotTable {
  /** Pairs (hash, row); row is EMPTY (-1) in a free slot. */
  private slots: Int32Array;
  private capacity: number;
  /** capacity / 2^32: multiplying a hash by it gives its home slot, for any capacity (Lemire's fast range). */
  private scale: number;
  private sizeMax: number;
  size = 0;

  /** A table that holds `expected` rows before it grows. */
  constructor(expected = 0) {
    this.capacity = Math.max(CAPACITY_MIN, Math.ceil(expected / LOAD_MAX) + 1);
    this.scale = this.capacity / 4_294_967_296;
    this.sizeMax = this.capacity * LOAD_MAX;
    this.slots = new Int32Array(2 * this.capacity).fill(EMPTY);
  }

  get bytes(): number {
    return this.slots.byteLength;
  }

  /** First slot to look at for `hash`. */
  first(hash: number): number {
    return ((hash >>> 0) * this.scale) | 0;
  }

  /** The slot after `slot`. */
  next(slot: number): number {
    return slot + 1 === this.capacity ? 0 : slot + 1;
  }

  /**
   * From `slot` on, the next slot that has `hash` (its row may be the one looked for), or the free slot that
   * ends the search: `rowAt(slot)` is then -1.
   */
  seek(slot: number, hash: number): number {
    const { slots, capacity } = this;
    const wanted = hash | 0;
    while (slots[2 * slot + 1] !== EMPTY && slots[2 * slot] !== wanted)
      slot = slot + 1 === capacity ? 0 : slot + 1;
    return slot;
  }

  rowAt(slot: number): number {
    return this.slots[2 * slot + 1]!;
  }

  replaceRow(slot: number, row: number): void {
    this.slots[2 * slot + 1] = row;
  }

  /** Adds a row. `slot` is the free slot where the search for it ended. */
  insertAt(slot: number, hash: number, row: number): void {
    this.slots[2 * slot] = hash;
    this.slots[2 * slot + 1] = row;
    if (++this.size > this.sizeMax) this.grow();
  }

  /** All rows, in no order. */
  rows(): Int32Array {
    const { slots } = this;
    const rows = new Int32Array(this.size);
    let count = 0;
    for (let i = 1; i < slots.length; i += 2) if (slots[i] !== EMPTY) rows[count++] = slots[i]!;
    return rows;
  }

  /** Gives every row the number that `renumbered` has for it. */
  renumber(renumbered: Int32Array): void {
    const { slots } = this;
    for (let i = 1; i < slots.length; i += 2) if (slots[i] !== EMPTY) slots[i] = renumbered[slots[i]!]!;
  }

  private grow(): void {
    const old = this.slots;
    this.capacity = Math.ceil(this.capacity * (this.capacity < SMALL ? 2 : GROWTH));
    this.scale = this.capacity / 4_294_967_296;
    this.sizeMax = this.capacity * LOAD_MAX;
    this.slots = new Int32Array(2 * this.capacity).fill(EMPTY);
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === EMPTY) continue;
      let slot = this.first(old[i]!);
      while (this.slots[2 * slot + 1] !== EMPTY) slot = slot + 1 === this.capacity ? 0 : slot + 1;
      this.slots[2 * slot] = old[i]!;
      this.slots[2 * slot + 1] = old[i + 1]!;
    }
  }
}
