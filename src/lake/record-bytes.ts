// A record's bytes out of the columns of a lake file. Those of a malformed one are there as they came; a click's
// fields become JSON again, which says the same in other words.
import { DuckDBBlobValue, DuckDBInstance, type DuckDBValue } from '../adapters/duckdb/node-api.js';
import { LAKE_COLUMNS } from './columns.js';
import { recordsIn } from './duckdb.js';

/** The fields of a click that have a column; the others are in `extra`. */
const COLUMN_FIELDS = fieldsBetween('click_id', 'impression_id');

/** What `recordBytes` wants of a row, in this order, for a SELECT. */
export const BYTES_COLUMNS: readonly string[] = [...COLUMN_FIELDS, 'extra', 'value'];

function fieldsBetween(first: string, last: string): string[] {
  const names = LAKE_COLUMNS.map(({ name }) => name);
  return names.slice(names.indexOf(first), names.indexOf(last) + 1);
}

/**
 * The original bytes of a malformed record (cut to 1 MiB), else the click's fields as JSON: the event time in epoch ms,
 * whatever form it came in.
 */
export function recordBytes(row: readonly DuckDBValue[]): Uint8Array {
  const [extra, value] = row.slice(COLUMN_FIELDS.length);
  if (value instanceof DuckDBBlobValue) return value.bytes;
  const fields: Record<string, string | number> = {};
  for (const [index, name] of COLUMN_FIELDS.entries()) {
    const field = row[index]!;
    if (field !== null) fields[name] = name === 'event_time' ? Number(field) : String(field);
  }
  const known = JSON.stringify(fields);
  const others = extra === null ? '' : String(extra).trim().slice(1, -1).trim();
  return Buffer.from(others === '' ? known : `${known.slice(0, -1)},${others}}`);
}

/** The record at a place, if one of these Parquet files has it. */
export async function lakeRecord(
  paths: readonly string[],
  { partition, offset }: { partition: number; offset: number },
): Promise<Uint8Array | undefined> {
  if (paths.length === 0) return undefined;
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll(
      `SELECT ${BYTES_COLUMNS.join(', ')}
       FROM ${recordsIn(paths)}
       WHERE partition = ${Math.trunc(partition)} AND "offset" = ${Math.trunc(offset)} LIMIT 1`,
    );
    connection.closeSync();
    const [row] = reader.getRows();
    return row && recordBytes(row);
  } finally {
    instance.closeSync();
  }
}
