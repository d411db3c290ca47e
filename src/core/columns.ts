// Typed arrays that grow and shrink: the columns of rows and cells.

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

const GROWTH = 1.5;
const LIST_CAPACITY_MIN = 1024;

/** Capacity for one more row than `capacity`. Pages beyond the used rows are reserved but not resident. */
export function grownCapacity(capacity: number): number {
  return Math.ceil(capacity * GROWTH) + 64;
}

/** A copy of `column` with room for `length` items; what is beyond is left out. */
export function resized<C extends Column>(column: C, length: number): C {
  const copy = new (column.constructor as new (length: number) => C)(length);
  copy.set((length < column.length ? column.subarray(0, length) : column) as never);
  return copy;
}

/**
 * A list of row numbers (or indexes of records) that is emptied and filled again for every batch: an array would give its
 * memory back each time, and keep the garbage collector at work.
 */
export class IndexList {
  private items = new Int32Array(LIST_CAPACITY_MIN);
  count = 0;

  at(index: number): number {
    return this.items[index]!;
  }

  push(item: number): void {
    if (this.count === this.items.length) this.items = resized(this.items, grownCapacity(this.count));
    this.items[this.count++] = item;
  }

  clear(): void {
    this.count = 0;
  }
}

/**
 * Numbers below `bound`, each of which is there once, from the greatest to the least. By a set of bits: sorting them by
 * comparison takes ten times as long where they are many.
 */
export function descending(numbers: Int32Array, bound: number): Int32Array {
  const bits = new Uint32Array((bound >>> 5) + 1);
  for (const number of numbers) bits[number >>> 5]! |= 1 << (number & 31);
  const sorted = new Int32Array(numbers.length);
  let count = 0;
  for (let word = bits.length - 1; word >= 0; word--) {
    for (let rest = bits[word]!; rest !== 0; ) {
      const bit = 31 - Math.clz32(rest);
      sorted[count++] = (word << 5) | bit;
      rest &= ~(1 << bit);
    }
  }
  return sorted;
}
