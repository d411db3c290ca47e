// Parquet files of a snapshot for stores that aren't DuckDB: made from CSV, and read row by row.
import { DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import { quoted } from './sql.js';
import { storeError } from './store-errors.js';

/** Memory for reading and writing them; they are streamed. */
const MEMORY_LIMIT = '512MiB';

export interface FileColumn {
  name: string;
  type: 'INTEGER' | 'BIGINT' | 'VARCHAR';
}

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
