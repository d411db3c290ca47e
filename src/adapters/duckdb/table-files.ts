// Parquet files of a snapshot for stores that aren't DuckDB: made from CSV, and read row by row.
import { LEDGER_COLUMNS as LEDGER_VERDICTS } from '../../core/stored-rows.js';
import { DuckDBInstance, type DuckDBValue } from './node-api.js';
import { quoted } from './sql.js';
import { storeError } from './store-errors.js';

/** Memory for reading and writing them; they are streamed. */
const MEMORY_LIMIT = '512MiB';

export interface FileColumn {
  name: string;
  type: 'INTEGER' | 'BIGINT' | 'VARCHAR';
}

/** The columns of a snapshot's totals, as core/ports/books.ts tells them. */
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

/** Makes a Parquet file of the totals of a period in another one. UserError: the disk is full. */
export async function parquetOfPeriod(
  fromPath: string,
  toPath: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<void> {
  await withDuckDb(toPath, async (instance) => {
    const connection = await instance.connect();
    await connection.run(`
      COPY (FROM read_parquet(${quoted(fromPath)})
        WHERE minute >= ${Math.trunc(fromMs)} AND minute < ${Math.trunc(toMs)})
      TO ${quoted(toPath)} (FORMAT parquet)`);
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

/** How totals are summed up to be compared. */
export interface SummedUp {
  /** Length of what a row is the start of, ms. */
  grainMs: number;
  /** Columns of text that are kept; the others are ''. */
  kept: readonly string[];
  /** Only rows of whole grains in it. */
  fromMs: number;
  toMs: number;
}

/**
 * Rows of two files of totals that differ: minute, the four texts, and the clicks before and after, 0 where there is no
 * row. With `summedUp` those after are summed up first.
 */
export async function* differingTotals(files: {
  before: string;
  after: string;
  summedUp?: SummedUp;
}): AsyncGenerator<DuckDBValue[][]> {
  const instance = await openInstance();
  try {
    const connection = await instance.connect();
    const names = TOTALS_COLUMNS.map(({ name }) => name).filter((name) => name !== 'clicks');
    const within = files.summedUp
      ? `minute >= ${files.summedUp.fromMs} AND minute < ${files.summedUp.toMs}`
      : 'true';
    const rows = (path: string): string =>
      `(SELECT * FROM read_parquet(${quoted(path)}) WHERE clicks <> 0 AND ${within})`;
    const after = files.summedUp ? summedUpRows(rows(files.after), names, files.summedUp) : rows(files.after);
    const result = await connection.stream(`
      SELECT ${names.join(', ')}, coalesce(a.clicks, 0)::BIGINT, coalesce(b.clicks, 0)::BIGINT
      FROM ${rows(files.before)} AS a FULL JOIN ${after} AS b USING (${names.join(', ')})
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

function summedUpRows(rows: string, names: readonly string[], { grainMs, kept }: SummedUp): string {
  const columns = names.map((name) => {
    if (name === 'minute') return `minute // ${grainMs} * ${grainMs} AS minute`;
    return kept.includes(name) ? name : `'' AS ${name}`;
  });
  return `(SELECT ${columns.join(', ')}, sum(clicks)::BIGINT AS clicks FROM ${rows} GROUP BY ALL)`;
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
