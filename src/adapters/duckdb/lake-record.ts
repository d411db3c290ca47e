// One record out of lake files, as JSON: for a click whose own bytes are kept nowhere else any more.
import { DuckDBBlobValue, DuckDBInstance } from '@duckdb/node-api';
import { KNOWN_FIELDS } from '../../core/record-fields.js';
import { quoted, rowsOf } from './sql.js';

/** The fields that have a column of the lake; a mark of invalid traffic is among the others, in `extra`. */
const COLUMN_FIELDS = KNOWN_FIELDS.filter((name) => name !== 'invalid_traffic');

/**
 * The record at a place, if one of these Parquet files has it: the original bytes of a malformed one, else the
 * click's fields as JSON (the event time in epoch ms, whatever form it came in).
 */
export async function lakeRecord(
  paths: readonly string[],
  { partition, offset }: { partition: number; offset: number },
): Promise<Uint8Array | undefined> {
  if (paths.length === 0) return undefined;
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    const [row] = await rowsOf(
      connection,
      `SELECT ${COLUMN_FIELDS.join(', ')}, extra, value
       FROM read_parquet([${paths.map(quoted).join(', ')}], hive_partitioning = false)
       WHERE partition = ${Math.trunc(partition)} AND "offset" = ${Math.trunc(offset)} LIMIT 1`,
    );
    connection.closeSync();
    if (!row) return undefined;
    const [extra, value] = row.slice(COLUMN_FIELDS.length);
    if (value instanceof DuckDBBlobValue) return new Uint8Array(value.bytes);
    const fields = COLUMN_FIELDS.map((name, index): [string, string | number | undefined] => {
      const field = row[index];
      if (field === null) return [name, undefined];
      return [name, name === 'event_time' ? Number(field) : String(field)];
    });
    const known = JSON.stringify(Object.fromEntries(fields));
    const others = extra === null ? '' : String(extra).trim().slice(1, -1).trim();
    return Buffer.from(others === '' ? known : `${known.slice(0, -1)},${others}}`);
  } finally {
    instance.closeSync();
  }
}
