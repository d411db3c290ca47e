// Hands columns to DuckDB without a call for each value. Numbers: a typed array becomes the child of one LIST
// value, with a single memory copy, and SQL unnests it in DuckDB's own threads: half a million cells cost the
// JavaScript thread ten milliseconds. Text and bytes: chunks of rows through an appender.
import bindings from '@duckdb/node-bindings';
import { invariant } from '../../errors.js';
import {
  BOOLEAN,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  LIST,
} from './node-api.js';

/** Rows that fit one chunk, as DuckDB has it built in. */
const CHUNK_ROWS_MAX = bindings.vector_size();
/** A list longer than this is handed over in pieces. */
const LIST_ITEMS_MAX = 1_048_576;
const LIST_ENTRY_WORDS = 2;

type Items =
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

export interface NumberColumn {
  type: DuckDBType;
  items: Items;
}

/**
 * Appends `[from, to)` of all columns as lists to a temporary table: one row, or more if they are long. `mark`
 * goes into the table's first column, a BOOLEAN.
 */
export async function appendLists(
  connection: DuckDBConnection,
  table: string,
  stretch: { mark: boolean; from: number; to: number },
  columns: readonly NumberColumn[],
): Promise<void> {
  const appender = await connection.createAppender(table, null, 'temp');
  try {
    for (let from = stretch.from; from < stretch.to; from += LIST_ITEMS_MAX) {
      const to = Math.min(stretch.to, from + LIST_ITEMS_MAX);
      const types = [BOOLEAN, ...columns.map(({ type }) => LIST(type))];
      const chunk = DuckDBDataChunk.create(types, 1);
      chunk.setColumnValues(0, [stretch.mark]);
      columns.forEach(({ items }, index) => {
        fillList(chunk, index + 1, items, from, to);
      });
      appender.appendDataChunk(chunk);
    }
  } finally {
    appender.closeSync();
  }
}

/** Makes row 0 of a LIST column `items[from, to)`. */
function fillList(chunk: DuckDBDataChunk, column: number, items: Items, from: number, to: number): void {
  const vector = bindings.data_chunk_get_vector(chunk.chunk, column);
  const count = to - from;
  bindings.list_vector_reserve(vector, count);
  bindings.list_vector_set_size(vector, count);
  const child = bindings.list_vector_get_child(vector);
  const bytes = items.BYTES_PER_ELEMENT;
  bindings.copy_data_to_vector(child, 0, items.buffer, items.byteOffset + from * bytes, count * bytes);
  const entry = new BigUint64Array(LIST_ENTRY_WORDS);
  entry[1] = BigInt(count);
  bindings.copy_data_to_vector(vector, 0, entry.buffer, 0, entry.byteLength);
}

/** Appends rows, given as columns of equal length, to a temporary table. */
export async function appendColumns(
  connection: DuckDBConnection,
  table: string,
  types: readonly DuckDBType[],
  columns: readonly (readonly DuckDBValue[])[],
): Promise<void> {
  const count = columns[0]?.length ?? 0;
  invariant(
    columns.length === types.length && columns.every(({ length }) => length === count),
    'columns of one length',
  );
  if (count === 0) return;
  const appender = await connection.createAppender(table, null, 'temp');
  try {
    for (let from = 0; from < count; from += CHUNK_ROWS_MAX) {
      const chunk = DuckDBDataChunk.create(types);
      chunk.setColumns(columns.map((column) => column.slice(from, from + CHUNK_ROWS_MAX)));
      appender.appendDataChunk(chunk);
    }
  } finally {
    appender.closeSync();
  }
}
