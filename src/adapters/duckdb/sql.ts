// Small ways to ask DuckDB: rows as arrays, single numbers, quoted text.
import type { DuckDBConnection, DuckDBValue } from './node-api.js';

/** A bound parameter. */
export type Parameter = string | number;

/** All rows of an answer, each as the list of its columns. */
export async function rowsOf(
  connection: DuckDBConnection,
  sql: string,
  parameters: readonly Parameter[] = [],
): Promise<DuckDBValue[][]> {
  const result = await (parameters.length === 0
    ? connection.run(sql)
    : connection.run(sql, parameters as DuckDBValue[]));
  return result.getRows();
}

/** The one number that a query answers. */
export async function numberOf(
  connection: DuckDBConnection,
  sql: string,
  parameters: readonly Parameter[] = [],
): Promise<number> {
  const [row] = await rowsOf(connection, sql, parameters);
  return Number(row?.[0] ?? 0);
}

/** A text as an SQL literal, for the places that take no parameter (file names). */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
