// Typed arrays that grow and shrink: the columns of rows and cells.

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

const GROWTH = 1.5;

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
