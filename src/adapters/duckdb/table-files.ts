// Parquet files of a snapshot for stores that aren't DuckDB: made from CSV, and read row by row.
import { DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import { LEDGER_COLUMNS as LEDGER_VERDICTS } from '../../core/stored-rows.js';
import { quoted } from './sql.js';
import { storeError } from './store-errors.js';

/** Memory for reading and writing them; they are streamed. */
const MEMORY_LIMIT = '512MiB';

export interface FileColumn {
  name: string;
  type: 'INTEGER' | 'BIGINT' | 'VARCHAR';
}

/** The columns of a snapshot's totals, as core/ports.ts tells them. */
export const TOTALS_COLUMNS: readonly FileColumn[] = [
  { name: 'minute', type: 'BIGINT' },
  { name: 'ad_id', type: 'VARCHAR' },
  { name: 'campaign_id', type: 'VARCHAR' },
  { name: 'country', type: 'VARCHAR' },
  { name: 'device_type', type: 'VARCHAR' },
  { name: 'clicks', type: 'BIGINT' },
];

/** The columns of a snapshot's ledger. */
export const LEDGER_COLUMNS: readonly FileColumn[] = [
  { name: 'partition', type: 'INTEGER' },
  { name: 'minute', type: 'BIGINT' },
  ...LEDGER_VERDICTS.map((name): FileColumn => ({ name, type: 'BIGINT' })),
];

/** Makes a Parquet file of a CSV file without a header, in which every value is quoted. UserError: the disk is full. */
export async function parquetOfCsv(
  csvPath: string,
  parquetPath: string,
  columns: readonly FileColumn[],
): Promise<void> {
  const types = columns.map(({ name, type }) => `${quoted(name)}: ${quoted(type)}`).join(', ');
  await withDuckDb(parquetPath, async (instance) => {
    const connection = await instance.connect();
    await connection.run(`
      COPY (FROM read_csv(${quoted(csvPath)}, columns = {${types}}, auto_detect = false, header = false,
        delim = ',', quote = '"', escape = '"', allow_quoted_nulls = false, new_line = '\\n'))
      TO ${quoted(parquetPath)} (FORMAT parquet)`);
    connection.closeSync();
  });
}

/** The rows of a Parquet file that meet a condition, some thousand at a time. */
export async function* rowsOfParquet(
  path: string,
  columns: readonly FileColumn[],
  where: string,
): AsyncGenerator<DuckDBValue[][]> {
  const instance = await openInstance();
  try {
    const connection = await instance.connect();
    const names = columns.map(({ name }) => `"${name}"`).join(', ');
    const result = await connection.stream(
      `SELECT ${names} FROM read_parquet(${quoted(path)}) WHERE ${where}`,
    );
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield chunk.getRows();
    }
  } catch (error) {
    throw storeError(error, path);
  } finally {
    instance.closeSync();
  }
}

/** Rows of two files of totals that differ: the columns of the key, and the clicks before and after, 0 where there are none. */
export async function* differingTotals(files: {
  before: string;
  after: string;
  /** Names of the columns that tell rows apart. */
  key: readonly string[];
}): AsyncGenerator<DuckDBValue[][]> {
  const instance = await openInstance();
  try {
    const connection = await instance.connect();
    const names = files.key.map((name) => `"${name}"`).join(', ');
    const side = (path: string): string => `(SELECT * FROM read_parquet(${quoted(path)}) WHERE clicks <> 0)`;
    const result = await connection.stream(`
      SELECT ${names}, coalesce(a.clicks, 0), coalesce(b.clicks, 0)
      FROM ${side(files.before)} AS a FULL JOIN ${side(files.after)} AS b USING (${names})
      WHERE a.clicks IS DISTINCT FROM b.clicks`);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield chunk.getRows();
    }
  } catch (error) {
    throw storeError(error, files.after);
  } finally {
    instance.closeSync();
  }
}

function openInstance(): Promise<DuckDBInstance> {
  return DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
}

async function withDuckDb(path: string, work: (instance: DuckDBInstance) => Promise<void>): Promise<void> {
  const instance = await openInstance();
  try {
    await work(instance);
  } catch (error) {
    throw storeError(error, path);
  } finally {
    instance.closeSync();
  }
}
