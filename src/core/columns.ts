// Growing typed arrays: the columns of rows, cells and groups.

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

const GROWTH = 1.5;

/** Capacity for one more row than `capacity`. Pages beyond the used rows are reserved but not resident. */
export function grownCapacity(capacity: number): number {
  return Math.ceil(capacity * GROWTH) + 64;
}

/** A copy of `column` with room for `length` items. */
export function grown<C extends Column>(column: C, length: number): C {
  const copy = new (column.constructor as new (length: number) => C)(length);
  copy.set(column as never);
  return copy;
}
