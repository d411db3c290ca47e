// A DuckDB of our own, in memory, for one recomputation: bounded memory, spilling to a temporary folder, and
// errors of the world told apart from errors of ours.
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '../adapters/duckdb/node-api.js';
import { EXIT, UserError } from '../errors.js';

/** A value of a row: BIGINT comes as bigint. */
export type SqlValue = string | number | bigint | boolean | null;
export type SqlRow = Record<string, SqlValue>;

export interface BatchSession {
  /** Runs statements, one or several. */
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<SqlRow[]>;
  /** The single number that a query answers. */
  number(sql: string): Promise<number>;
  close(): Promise<void>;
}

export interface SessionOptions {
  /** Memory before sorting and grouping spill to disk; default: half of the machine's. */
  memoryBytesMax?: number;
  threads?: number;
  /** Where spilled rows go; default: the system's folder for temporary files. */
  temporaryParent?: string;
  /** Interrupts the running statement. */
  signal?: AbortSignal;
}

/**
 * DuckDB guesses how many rows a list of Parquet files has by the first of them. The lake's first file holds the few
 * malformed records, so it would take millions of clicks for the small side of a join, three times slower. Joins
 * are as they are written: the large side first, the small one, which is kept in a hash table, second.
 */
const PLANNED_BY_US = 'join_order,build_side_probe_side';

/** Opens a session; close it, or its temporary folder stays. */
export async function openSession(options: SessionOptions = {}): Promise<BatchSession> {
  const folder = await mkdtemp(join(options.temporaryParent ?? tmpdir(), 'click-agg-batch-'));
  const bytes = options.memoryBytesMax ?? Math.max(512 * 1024 * 1024, Math.floor(totalmem() / 2));
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(bytes / 1_048_576)}MiB`,
    temp_directory: folder,
    threads: String(options.threads ?? availableParallelism()),
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  await connection.run(`SET disabled_optimizers = '${PLANNED_BY_US}'`);
  const interrupt = (): void => connection.interrupt();
  options.signal?.addEventListener('abort', interrupt);
  return {
    run: (sql) => explained(options.signal, async () => void (await connection.run(sql))),
    rows: (sql) => explained(options.signal, () => rowsOf(connection, sql)),
    async number(sql) {
      const [row] = await explained(options.signal, () => rowsOf(connection, sql));
      return Number(Object.values(row ?? {})[0] ?? 0);
    },
    async close() {
      options.signal?.removeEventListener('abort', interrupt);
      connection.closeSync();
      instance.closeSync();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function rowsOf(connection: DuckDBConnection, sql: string): Promise<SqlRow[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjects() as SqlRow[];
}

/** What DuckDB says when a file, the disk or the memory is at fault, and not a statement of ours. */
const WORLD_ERROR =
  /^(IO|Invalid Input|Out of Memory|Serialization|Conversion|Not implemented|Permission|HTTP|TransactionContext) Error: /i;

async function explained<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal?.aborted) throw new UserError('interrupted', { exitCode: EXIT.interrupted });
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (signal?.aborted) throw new UserError('interrupted', { exitCode: EXIT.interrupted, cause: error });
    if (!WORLD_ERROR.test(message)) throw error;
    const line = message.replace(WORLD_ERROR, '').split('\n')[0]!.trim();
    throw new UserError(`the recomputation failed: ${line}`, {
      cause: error,
      hint: 'if a file of the lake is named: check it with `click-agg lake verify`',
    });
  }
}

/** A string as an SQL literal. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
