// Reads the columns of an answer of millions of rows. The package's own reader makes a typed array for every
// text and decodes it; here texts lie still in the vector until a row needs one that wasn't decoded lately.
import bindings from '@duckdb/node-bindings';
import type { DuckDBDataChunk } from './node-api.js';

/** A text in a vector: its length, and either up to 12 bytes or the first 4 of them and a pointer. */
const TEXT_BYTES = 16;
const INLINE_BYTES_MAX = 12;
/** Texts that one column remembers. */
const REMEMBERED_MAX = 50_000;

/** A DOUBLE column without NULLs. */
export function numberColumn(chunk: DuckDBDataChunk, column: number): Float64Array {
  const count = chunk.rowCount;
  const vector = bindings.data_chunk_get_vector(chunk.chunk, column);
  const raw = bindings.vector_get_data(vector, count * Float64Array.BYTES_PER_ELEMENT);
  return new Float64Array(raw.buffer, raw.byteOffset, count);
}

/** A VARCHAR column without NULLs, decoded text by text. */
export function textColumn(chunk: DuckDBDataChunk, column: number): (row: number) => string {
  const vector = bindings.data_chunk_get_vector(chunk.chunk, column);
  const raw = bindings.vector_get_data(vector, chunk.rowCount * TEXT_BYTES);
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  return (row) => {
    const at = row * TEXT_BYTES;
    const length = bytes.readUInt32LE(at);
    if (length <= INLINE_BYTES_MAX) return bytes.toString('utf8', at + 4, at + 4 + length);
    const pointerAt = bytes.byteOffset + at + 8;
    const far = bindings.get_data_from_pointer(bytes.buffer as ArrayBuffer, pointerAt, length);
    return Buffer.from(far.buffer, far.byteOffset, far.byteLength).toString('utf8');
  };
}

/** Makes a text once for each number: a time from its minute, an ad's id from its number. */
export class Remembered {
  private readonly texts = new Map<number, string>();
  private lastKey = -1;
  private lastText = '';

  textOf(key: number, make: () => string): string {
    if (key === this.lastKey) return this.lastText;
    let text = this.texts.get(key);
    if (text === undefined) {
      text = make();
      if (this.texts.size >= REMEMBERED_MAX) this.texts.clear();
      this.texts.set(key, text);
    }
    this.lastKey = key;
    this.lastText = text;
    return text;
  }
}
