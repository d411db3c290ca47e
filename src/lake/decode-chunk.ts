// Hands a chunk to DuckDB and lets it decode the records into a table; what is not plainly a click is only kept
// there as doubtful, and decoded exactly when all is gathered. A row of `texts` holds up to two thousand
// records of one partition: their numbers as lists, copied as they lie in memory, their values and keys as
// texts that DuckDB splits again. Runs on a connection of its own, so that chunks overlap.
import bindings from '@duckdb/node-bindings';
import {
  BLOB,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  INTEGER,
  LIST,
  STRUCT,
} from '../adapters/duckdb/node-api.js';
import { type ClickShape, shapeOf, USUAL_SHAPE } from './click-shape.js';
import { decodeSql } from './decode-sql.js';
import { gatheredRow } from './gathered.js';
import { type Chunk, KIND, type Lane } from './intake.js';
import { quickSql } from './quick-sql.js';

const NUMBERS = `partition, "offset"::BIGINT AS "offset",
  CASE WHEN isnan(append_time) THEN NULL ELSE append_time::BIGINT END AS append_time,
  kind, value_bytes::BIGINT AS value_bytes`;

/** The lists of a row go side by side; that none slipped is seen by each value's length. */
const LINES = `SELECT ${NUMBERS}, value, encode(key_text) AS key_bytes FROM (
    SELECT partition, unnest("offset") AS "offset", unnest(append_time) AS append_time,
      unnest(kind) AS kind, unnest(value_bytes) AS value_bytes,
      unnest(string_split(decode(t."values"), chr(10))) AS value,
      unnest(string_split(decode(t."keys"), chr(10))) AS key_text
    FROM texts)
  WHERE CASE WHEN kind = ${KIND.apart} THEN false WHEN strlen(value) = value_bytes THEN true
    ELSE error('values and their numbers are out of step') END`;

/** For the types of the columns. */
const NO_LINE = `SELECT 0 AS partition, 0::BIGINT AS "offset", 0::BIGINT AS append_time, 0 AS kind,
  0::BIGINT AS value_bytes, '' AS value, ''::BLOB AS raw, ''::BLOB AS key_bytes`;

/** Odd records are doubtful ones. */
const ODD_RECORDS = `SELECT ${NUMBERS}, "key", "value", true AS doubtful FROM odd`;

/** Doubtful records as lines for the exact decoding. */
const doubtfulLines = (table: string): string =>
  `SELECT partition, "offset", append_time, kind, value_bytes, try(decode("value")) AS value,
    "value" AS raw, coalesce("key", ''::BLOB) AS key_bytes FROM ${table} WHERE doubtful`;

/** Made anew for each chunk: rows deleted from a table in memory would stay there. */
const TEXTS_TABLE = `CREATE OR REPLACE TEMP TABLE texts(t STRUCT("values" BLOB, "keys" BLOB), partition INTEGER,
  "offset" DOUBLE[], append_time DOUBLE[], kind INTEGER[], value_bytes INTEGER[])`;
const ODD_TABLE = `CREATE OR REPLACE TEMP TABLE odd(partition INTEGER, "offset" DOUBLE, append_time DOUBLE,
  kind INTEGER, value_bytes INTEGER, "value" BLOB, "key" BLOB)`;
/** The texts in one struct, as in gathered.ts: their bytes are not hashed then. */
const TEXTS_TYPES = [
  STRUCT({ values: BLOB, keys: BLOB }),
  INTEGER,
  LIST(DOUBLE),
  LIST(DOUBLE),
  LIST(INTEGER),
  LIST(INTEGER),
];

/** Records joined into one text: the rows of one of DuckDB's vectors, which it works on at a time. */
const TEXT_RECORDS = 2048;
/** Rows of one data chunk. */
const CHUNK_ROWS_MAX = 2048;

/** Decodes chunks on one connection, one at a time. */
export class ChunkDecoder {
  readonly connection: DuckDBConnection;
  #shape: ClickShape = USUAL_SHAPE;

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  /** Decodes a sealed chunk into `table`, as far as that is quick. The chunk may be used again when it returns. */
  async decode(chunk: Chunk, table: string): Promise<void> {
    const { connection } = this;
    if (chunk.count === 0) return;
    this.#shape = shapeOf(chunk.sample()) ?? this.#shape;
    await connection.run(TEXTS_TABLE);
    await appendTexts(connection, chunk);
    await connection.run(`INSERT INTO ${table} ${gatheredRow(quickSql(LINES, this.#shape))}`);
    await connection.run('DROP TABLE texts');
    const lanes = chunk.lanes().filter(({ odd }) => odd.length > 0);
    if (lanes.length === 0) return;
    await connection.run(ODD_TABLE);
    await appendOdd(connection, lanes);
    await connection.run(`INSERT INTO ${table} BY NAME ${ODD_RECORDS}`);
    await connection.run('DROP TABLE odd');
  }
}

/** The table that decoded records gather in until a flush. */
export async function createGathered(connection: DuckDBConnection, table: string): Promise<void> {
  await connection.run(`CREATE TABLE ${table} AS ${gatheredRow(decodeSql(NO_LINE))} LIMIT 0`);
}

/** Decodes the doubtful records exactly, beside themselves. What is gathered are then the rows not doubtful. */
export async function decodeDoubtful(connection: DuckDBConnection, table: string): Promise<void> {
  // In a table of its own, because `try` is slow where it fails and would be asked for again and again.
  await connection.run(`CREATE OR REPLACE TEMP TABLE doubtful AS ${doubtfulLines(table)}`);
  await connection.run(`INSERT INTO ${table} ${gatheredRow(decodeSql('FROM doubtful'))}`);
  await connection.run('DROP TABLE doubtful');
}

/** Records `[from, to)` of a lane: a row of `texts`. */
interface Stretch {
  lane: Lane;
  from: number;
  to: number;
}

async function appendTexts(connection: DuckDBConnection, chunk: Chunk): Promise<void> {
  const stretches: Stretch[] = [];
  for (const lane of chunk.lanes()) {
    for (let from = 0; from < lane.count; from += TEXT_RECORDS) {
      stretches.push({ lane, from, to: Math.min(from + TEXT_RECORDS, lane.count) });
    }
  }
  const appender = await connection.createAppender('texts', 'main', 'temp');
  for (let at = 0; at < stretches.length; at += CHUNK_ROWS_MAX) {
    appender.appendDataChunk(textsOf(stretches.slice(at, at + CHUNK_ROWS_MAX)));
  }
  appender.closeSync();
}

function textsOf(stretches: readonly Stretch[]): DuckDBDataChunk {
  const texts = DuckDBDataChunk.create(TEXTS_TYPES, stretches.length);
  const [both, partition, offset, appendTime, kind, valueBytes] = TEXTS_TYPES.map((_, column) =>
    bindings.data_chunk_get_vector(texts.chunk, column),
  ) as [Vector, Vector, Vector, Vector, Vector, Vector];
  const values = bindings.struct_vector_get_child(both, 0);
  const keys = bindings.struct_vector_get_child(both, 1);
  for (const [row, { lane, from, to }] of stretches.entries()) {
    bindings.vector_assign_string_element_len(values, row, lane.values.slice(from, to));
    bindings.vector_assign_string_element_len(keys, row, lane.keys.slice(from, to));
  }
  const partitions = Int32Array.from(stretches, ({ lane }) => lane.partition);
  bindings.copy_data_to_vector(partition, 0, partitions.buffer, 0, partitions.byteLength);
  fillLists(offset, stretches, (lane) => lane.offset);
  fillLists(appendTime, stretches, (lane) => lane.appendTimeMs);
  fillLists(kind, stretches, (lane) => lane.kind);
  fillLists(valueBytes, stretches, (lane) => lane.valueBytes);
  return texts;
}

type Vector = ReturnType<typeof bindings.data_chunk_get_vector>;
/** Of a list: where it begins in the child vector, and how many items it has. */
const LIST_ENTRY_WORDS = 2;

/** Makes the rows of a LIST vector of the lanes' numbers, without looking at a single one. */
function fillLists(
  vector: Vector,
  stretches: readonly Stretch[],
  itemsOf: (lane: Lane) => Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>,
): void {
  const count = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  bindings.list_vector_reserve(vector, count);
  bindings.list_vector_set_size(vector, count);
  const child = bindings.list_vector_get_child(vector);
  const entries = new BigUint64Array(LIST_ENTRY_WORDS * stretches.length);
  let at = 0;
  for (const [row, { lane, from, to }] of stretches.entries()) {
    const { buffer, byteOffset, BYTES_PER_ELEMENT: size } = itemsOf(lane);
    bindings.copy_data_to_vector(child, at * size, buffer, byteOffset + from * size, (to - from) * size);
    entries[LIST_ENTRY_WORDS * row] = BigInt(at);
    entries[LIST_ENTRY_WORDS * row + 1] = BigInt(to - from);
    at += to - from;
  }
  bindings.copy_data_to_vector(vector, 0, entries.buffer, 0, entries.byteLength);
}

async function appendOdd(connection: DuckDBConnection, lanes: readonly Lane[]): Promise<void> {
  const appender = await connection.createAppender('odd', 'main', 'temp');
  for (const { partition, offset, appendTimeMs, valueBytes, odd } of lanes) {
    for (const { index, kind, value, keyBytes } of odd) {
      appender.appendInteger(partition);
      appender.appendDouble(offset[index]!);
      appender.appendDouble(appendTimeMs[index]!);
      appender.appendInteger(kind);
      appender.appendInteger(valueBytes[index]!);
      appender.appendBlob(value);
      appender.appendBlob(keyBytes);
      appender.endRow();
    }
  }
  appender.closeSync();
}
