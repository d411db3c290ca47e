// Reads the columns of an answer of millions of rows. The package's own reader makes a typed array for every
// text; here a text that lies in its 16 bytes of the vector is decoded from there.
import type { DuckDBDataChunk } from '@duckdb/node-api';
import bindings from '@duckdb/node-bindings';

/** A text in a vector: its length, and either up to 12 bytes or the first 4 of them and a pointer. */
const TEXT_BYTES = 16;
const INLINE_BYTES_MAX = 12;

/** A VARCHAR column without NULLs. */
export function textColumn(chunk: DuckDBDataChunk, column: number): string[] {
  const count = chunk.rowCount;
  const texts = new Array<string>(count);
  const vector = bindings.data_chunk_get_vector(chunk.chunk, column);
  const raw = bindings.vector_get_data(vector, count * TEXT_BYTES);
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  for (let i = 0; i < count; i++) {
    const at = i * TEXT_BYTES;
    const length = bytes.readUInt32LE(at);
    if (length <= INLINE_BYTES_MAX) {
      texts[i] = bytes.toString('utf8', at + 4, at + 4 + length);
    } else {
      const far = bindings.get_data_from_pointer(
        bytes.buffer as ArrayBuffer,
        bytes.byteOffset + at + 8,
        length,
      );
      texts[i] = Buffer.from(far.buffer, far.byteOffset, far.byteLength).toString('utf8');
    }
  }
  return texts;
}

/** A DOUBLE column without NULLs. */
export function numberColumn(chunk: DuckDBDataChunk, column: number): Float64Array {
  const count = chunk.rowCount;
  const vector = bindings.data_chunk_get_vector(chunk.chunk, column);
  const raw = bindings.vector_get_data(vector, count * Float64Array.BYTES_PER_ELEMENT);
  return new Float64Array(raw.buffer, raw.byteOffset, count);
}
