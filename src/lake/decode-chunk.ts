// Hands a chunk to DuckDB and lets it decode the records into a table: numbers as columns, values as texts to
// be split again, the odd ones as bytes. Runs on a connection of its own, so that chunks overlap.
import { DOUBLE, type DuckDBConnection, DuckDBDataChunk, INTEGER } from '@duckdb/node-api';
import { decodeSql } from './decode-sql.js';
import { type Chunk, TEXT_RECORDS } from './intake.js';

/** Rows of one of DuckDB's vectors. */
const VECTOR_ROWS = 2048;
const NUMBER_TYPES = [INTEGER, DOUBLE, DOUBLE, INTEGER, INTEGER];

/** Of a record that stands among the odd ones, in the numbers that stand beside the texts. */
const APART = -1;

const NUMBERS = `partition, "offset"::BIGINT AS "offset",
  CASE WHEN isnan(append_time) THEN NULL ELSE append_time::BIGINT END AS append_time,
  kind, value_bytes::BIGINT AS value_bytes`;

/** Numbers and texts meet by their place; that none slipped is seen by each value's length. */
const PLAIN_LINES = `SELECT ${NUMBERS}, value, NULL::BLOB AS raw, encode(key_text) AS key_bytes
  FROM numbers POSITIONAL JOIN (
    SELECT unnest(string_split(decode("values"), chr(10))) AS value,
      unnest(string_split(decode("keys"), chr(10))) AS key_text FROM texts)
  WHERE CASE WHEN kind = ${APART} THEN false WHEN strlen(value) = value_bytes THEN true
    ELSE error('values and their numbers are out of step') END`;

const ODD_LINES = `SELECT ${NUMBERS}, try(decode("value")) AS value, "value" AS raw, "key" AS key_bytes FROM odd`;

const CLEAN_TABLES = [
  `CREATE OR REPLACE TEMP TABLE numbers(partition INTEGER, "offset" DOUBLE, append_time DOUBLE, kind INTEGER, value_bytes INTEGER)`,
  'CREATE OR REPLACE TEMP TABLE texts("values" BLOB, "keys" BLOB)',
  `CREATE OR REPLACE TEMP TABLE odd(partition INTEGER, "offset" DOUBLE, append_time DOUBLE, kind INTEGER, value_bytes INTEGER, "value" BLOB, "key" BLOB)`,
];

/** The table that decoded records gather in until a flush. */
export async function createPending(connection: DuckDBConnection, table: string): Promise<void> {
  const noLines = ODD_LINES.replace(
    'FROM odd',
    `FROM (SELECT 0 AS partition, 0::DOUBLE AS "offset", 0::DOUBLE AS append_time, 0 AS kind, 0 AS value_bytes,
      ''::BLOB AS "value", ''::BLOB AS "key")`,
  );
  await connection.run(`CREATE TABLE ${table} AS ${decodeSql(noLines)} LIMIT 0`);
}

/** Decodes a sealed chunk into `table`. The chunk may be used again when it returns. */
export async function decodeChunk(connection: DuckDBConnection, chunk: Chunk, table: string): Promise<void> {
  for (const statement of CLEAN_TABLES) await connection.run(statement);
  await appendNumbers(connection, chunk);
  await appendTexts(connection, chunk);
  await connection.run(`INSERT INTO ${table} ${decodeSql(PLAIN_LINES)}`);
  if (chunk.odd.length > 0) {
    await appendOdd(connection, chunk);
    await connection.run(`INSERT INTO ${table} ${decodeSql(ODD_LINES)}`);
  }
}

async function appendNumbers(connection: DuckDBConnection, chunk: Chunk): Promise<void> {
  const apart = new Set(chunk.odd.map(({ index }) => index));
  const appender = await connection.createAppender('numbers', 'main', 'temp');
  for (let start = 0; start < chunk.count; start += VECTOR_ROWS) {
    const rows = Math.min(VECTOR_ROWS, chunk.count - start);
    const vectors = DuckDBDataChunk.create(NUMBER_TYPES, rows);
    const [partition, offset, appendTime, kind, valueBytes] = NUMBER_TYPES.map((_, column) =>
      vectors.getColumnVector(column),
    );
    for (let row = 0; row < rows; row++) {
      const index = start + row;
      partition.setItem(row, chunk.partition[index]);
      offset.setItem(row, chunk.offset[index]);
      appendTime.setItem(row, chunk.appendTimeMs[index]);
      kind.setItem(row, apart.has(index) ? APART : chunk.kind[index]);
      valueBytes.setItem(row, chunk.valueBytes[index]);
    }
    for (const vector of [partition, offset, appendTime, kind, valueBytes]) vector.flush();
    appender.appendDataChunk(vectors);
  }
  appender.closeSync();
}

async function appendTexts(connection: DuckDBConnection, chunk: Chunk): Promise<void> {
  const appender = await connection.createAppender('texts', 'main', 'temp');
  for (let from = 0; from < chunk.count; from += TEXT_RECORDS) {
    const to = Math.min(from + TEXT_RECORDS, chunk.count);
    appender.appendBlob(chunk.values.slice(from, to));
    appender.appendBlob(chunk.keys.slice(from, to));
    appender.endRow();
  }
  appender.closeSync();
}

async function appendOdd(connection: DuckDBConnection, chunk: Chunk): Promise<void> {
  const appender = await connection.createAppender('odd', 'main', 'temp');
  for (const { index, value, keyBytes } of chunk.odd) {
    appender.appendInteger(chunk.partition[index]);
    appender.appendDouble(chunk.offset[index]);
    appender.appendDouble(chunk.appendTimeMs[index]);
    appender.appendInteger(chunk.kind[index]);
    appender.appendInteger(chunk.valueBytes[index]);
    appender.appendBlob(value);
    appender.appendBlob(keyBytes);
    appender.endRow();
  }
  appender.closeSync();
}
