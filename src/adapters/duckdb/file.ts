// One open DuckDB file: connections to it, reading in transactions, writing in turn, errors as clear lines.
import { setTimeout as sleep } from 'node:timers/promises';
import { type DuckDBConnection, DuckDBInstance } from './node-api.js';
import { isLocked, storeError } from './store-errors.js';

/**
 * Memory for DuckDB's cache and sorting; more spills to `<file>.tmp`. A writer's stands beside the engine's, and
 * commits are no faster with more.
 */
const MEMORY_LIMIT = { READ_WRITE: '256MiB', READ_ONLY: '512MiB' } as const;
/** So long one waits for another process to let go, in steps: for a writer that ends, or for readers, who look for a moment. */
const LOCKED_WAIT_MS = 5_000;
const LOCKED_STEP_MS = 50;

export interface StoreFile {
  readonly path: string;
  /** A connection of one's own; close it. */
  connect(): Promise<DuckDBConnection>;
  /** Runs `work` in a read transaction: everything it sees is of one commit. */
  read<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  /** Waits for a promise; DuckDB's complaints about the world become UserErrors. */
  explained<T>(promise: Promise<T>): Promise<T>;
  closeSync(): void;
}

/** Opens the file, waiting a bounded time while another process holds it; a UserError says why not. */
export async function openFile(path: string, mode: 'READ_ONLY' | 'READ_WRITE'): Promise<StoreFile> {
  const instance = await openInstance(path, mode);
  const explained = async <T>(promise: Promise<T>): Promise<T> => {
    try {
      return await promise;
    } catch (error) {
      throw storeError(error, path);
    }
  };
  const connect = (): Promise<DuckDBConnection> => explained(instance.connect());
  return {
    path,
    connect,
    explained,
    async read(work) {
      const connection = await connect();
      try {
        await connection.run('BEGIN TRANSACTION READ ONLY');
        return await explained(work(connection));
      } finally {
        // Ends the transaction too.
        connection.closeSync();
      }
    },
    closeSync: () => instance.closeSync(),
  };
}

async function openInstance(path: string, mode: 'READ_ONLY' | 'READ_WRITE'): Promise<DuckDBInstance> {
  const untilMs = Date.now() + LOCKED_WAIT_MS;
  for (;;) {
    try {
      return await DuckDBInstance.create(path, {
        access_mode: mode,
        memory_limit: MEMORY_LIMIT[mode],
        // The order of rows means nothing here, and keeping it costs memory.
        preserve_insertion_order: 'false',
        autoinstall_known_extensions: 'false',
        autoload_known_extensions: 'false',
      });
    } catch (error) {
      if (!isLocked(error) || Date.now() >= untilMs) throw storeError(error, path);
      await sleep(LOCKED_STEP_MS);
    }
  }
}
