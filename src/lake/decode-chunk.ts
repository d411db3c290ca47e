// Hands a chunk to DuckDB and lets it decode the records into a table; what is not plainly a click is only
// kept there as doubtful, and decoded exactly when all is gathered. A row of `texts` holds some hundred
// records: their numbers as lists, copied as they lie in memory, their values and keys as texts that DuckDB
// splits again. Runs on a connection of its own, so that chunks overlap.
import { BLOB, DOUBLE, type DuckDBConnection, DuckDBDataChunk, INTEGER, LIST } from '@duckdb/node-api';
import bindings from '@duckdb/node-bindings';
import { type ClickShape, shapeOf, USUAL_SHAPE } from './click-shape.js';
import { decodeSql } from './decode-sql.js';
import { type Chunk, KIND, TEXT_RECORDS } from './intake.js';
import { quickSql } from './quick-sql.js';

const NUMBERS = `partition, "offset"::BIGINT AS "offset",
  CASE WHEN isnan(append_time) THEN NULL ELSE append_time::BIGINT END AS append_time,
  kind, value_bytes::BIGINT AS value_bytes`;

/** The lists of a row go side by side; that none slipped is seen by each value's length. */
const LINES = `SELECT ${NUMBERS}, value, encode(key_text) AS key_bytes FROM (
    SELECT unnest(partition) AS partition, unnest("offset") AS "offset", unnest(append_time) AS append_time,
      unnest(kind) AS kind, unnest(value_bytes) AS value_bytes,
      unnest(string_split(decode("values"), chr(10))) AS value,
      unnest(string_split(decode("keys"), chr(10))) AS key_text
    FROM texts)
  WHERE CASE WHEN kind = ${KIND.apart} THEN false WHEN strlen(value) = value_bytes THEN true
    ELSE error('values and their numbers are out of step') END`;

/** Odd records are doubtful ones. */
const ODD_RECORDS = `SELECT ${NUMBERS}, "key", "value", true AS doubtful FROM odd`;

/** Doubtful records as lines for the exact decoding. */
const doubtfulLines = (table: string): string =>
  `SELECT partition, "offset", append_time, kind, value_bytes, try(decode("value")) AS value,
    "value" AS raw, coalesce("key", ''::BLOB) AS key_bytes FROM ${table} WHERE doubtful`;

/** Made anew for each chunk: rows deleted from a table in memory would stay there. */
const TEXTS_TABLE = `CREATE OR REPLACE TEMP TABLE texts("values" BLOB, "keys" BLOB, partition INTEGER[],
  "offset" DOUBLE[], append_time DOUBLE[], kind INTEGER[], value_bytes INTEGER[])`;
const ODD_TABLE = `CREATE OR REPLACE TEMP TABLE odd(partition INTEGER, "offset" DOUBLE, append_time DOUBLE,
  kind INTEGER, value_bytes INTEGER, "value" BLOB, "key" BLOB)`;
const TEXTS_TYPES = [BLOB, BLOB, LIST(INTEGER), LIST(DOUBLE), LIST(DOUBLE), LIST(INTEGER), LIST(INTEGER)];

/** Decodes chunks into one table, on one connection, one at a time. */
export class ChunkDecoder {
  readonly connection: DuckDBConnection;
  readonly #table: string;
  #shape: ClickShape = USUAL_SHAPE;

  /** `createGathered` must make the table before the first chunk comes. */
  constructor(connection: DuckDBConnection, table: string) {
    this.connection = connection;
    this.#table = table;
  }

  /** Decodes a sealed chunk, as far as that is quick. The chunk may be used again when it returns. */
  async decode(chunk: Chunk): Promise<void> {
    const { connection } = this;
    if (chunk.count === 0) return;
    this.#shape = shapeOf(chunk.sample()) ?? this.#shape;
    await connection.run(TEXTS_TABLE);
    await appendTexts(connection, chunk);
    await connection.run(`INSERT INTO ${this.#table} ${quickSql(LINES, this.#shape)}`);
    await connection.run('DROP TABLE texts');
    if (chunk.odd.length === 0) return;
    await connection.run(ODD_TABLE);
    await appendOdd(connection, chunk);
    await connection.run(`INSERT INTO ${this.#table} BY NAME ${ODD_RECORDS}`);
    await connection.run('DROP TABLE odd');
  }
}

/** The table that decoded records gather in until a flush. */
export async function createGathered(connection: DuckDBConnection, table: string): Promise<void> {
  await connection.run(
    `CREATE TABLE ${table} AS ${decodeSql(`SELECT 0 AS partition, 0::BIGINT AS "offset",
      0::BIGINT AS append_time, 0 AS kind, 0::BIGINT AS value_bytes, '' AS value, ''::BLOB AS raw,
      ''::BLOB AS key_bytes`)} LIMIT 0`,
  );
}

/** Decodes the doubtful records exactly, beside themselves. What is gathered are then the rows not doubtful. */
export async function decodeDoubtful(connection: DuckDBConnection, table: string): Promise<void> {
  await connection.run(`INSERT INTO ${table} ${decodeSql(doubtfulLines(table))}`);
}

async function appendTexts(connection: DuckDBConnection, chunk: Chunk): Promise<void> {
  const rows = Math.ceil(chunk.count / TEXT_RECORDS);
  const data = DuckDBDataChunk.create(TEXTS_TYPES, rows);
  const vectors = TEXTS_TYPES.map((_, column) => bindings.data_chunk_get_vector(data.chunk, column));
  for (let row = 0; row < rows; row++) {
    const from = row * TEXT_RECORDS;
    const to = Math.min(from + TEXT_RECORDS, chunk.count);
    bindings.vector_assign_string_element_len(vectors[0], row, chunk.values.slice(from, to));
    bindings.vector_assign_string_element_len(vectors[1], row, chunk.keys.slice(from, to));
  }
  const numbers = [chunk.partition, chunk.offset, chunk.appendTimeMs, chunk.kind, chunk.valueBytes];
  for (const [i, items] of numbers.entries()) fillLists(vectors[2 + i], items, chunk.count);
  const appender = await connection.createAppender('texts', 'main', 'temp');
  appender.appendDataChunk(data);
  appender.closeSync();
}

/** Two 64-bit words: where a list begins in the child vector, and how many items it has. */
const LIST_ENTRY_BYTES = 16;

/** Makes rows of a LIST vector of `items[0, count)`, TEXT_RECORDS to a row. */
function fillLists(
  vector: ReturnType<typeof bindings.data_chunk_get_vector>,
  items: Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>,
  count: number,
): void {
  bindings.list_vector_reserve(vector, count);
  bindings.list_vector_set_size(vector, count);
  const child = bindings.list_vector_get_child(vector);
  bindings.copy_data_to_vector(child, 0, items.buffer, items.byteOffset, count * items.BYTES_PER_ELEMENT);
  const rows = Math.ceil(count / TEXT_RECORDS);
  const entries = new BigUint64Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    entries[2 * row] = BigInt(row * TEXT_RECORDS);
    entries[2 * row + 1] = BigInt(Math.min(TEXT_RECORDS, count - row * TEXT_RECORDS));
  }
  bindings.copy_data_to_vector(vector, 0, entries.buffer, 0, rows * LIST_ENTRY_BYTES);
}

async function appendOdd(connection: DuckDBConnection, chunk: Chunk): Promise<void> {
  const appender = await connection.createAppender('odd', 'main', 'temp');
  for (const { index, kind, value, keyBytes } of chunk.odd) {
    appender.appendInteger(chunk.partition[index]);
    appender.appendDouble(chunk.offset[index]);
    appender.appendDouble(chunk.appendTimeMs[index]);
    appender.appendInteger(kind);
    appender.appendInteger(chunk.valueBytes[index]);
    appender.appendBlob(value);
    appender.appendBlob(keyBytes);
    appender.endRow();
  }
  appender.closeSync();
}
