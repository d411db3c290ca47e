// Connections to the server, made ready for us, and transactions on them.
import pg from 'pg';
import { invariant } from '../../errors.js';
import type { Address } from './address.js';

/** A transaction whose process hangs is given up by the server. A writer's holds up others; a reader may be a person. */
const IDLE_IN_TRANSACTION = { write: '60s', read: '1h' } as const;

/** More than the answers that a living run gives at a time. */
const READERS_MAX = 12;

/** Memory of the server for sorting and temporary tables of a writer's connection. */
const WRITER_MEMORY = `SET work_mem = '64MB'; SET temp_buffers = '64MB';`;

const settings = ({ schema }: Address, kind: keyof typeof IDLE_IN_TRANSACTION): string => `
  SET search_path = ${schema}, pg_temp;
  SET TimeZone = 'UTC';
  SET idle_in_transaction_session_timeout = '${IDLE_IN_TRANSACTION[kind]}';
  SET jit = off;`;

/** A commit that was told to be made must survive the server's sudden death, whatever the server's default is. */
export const DURABLE = `SELECT set_config('synchronous_commit', 'on', false)
  WHERE current_setting('synchronous_commit') = 'off'`;

/** A writer's connection of its own; end it. */
export async function connectWriter(address: Address): Promise<pg.Client> {
  const client = new pg.Client(address.config);
  client.on('error', told);
  await client.connect();
  try {
    await client.query(settings(address, 'write') + WRITER_MEMORY);
    await client.query(DURABLE);
  } catch (error) {
    await client.end();
    throw error;
  }
  return client;
}

/** Connections to read by, made when they are needed; nothing is connected yet. */
export function readers(address: Address): pg.Pool {
  const pool = new pg.Pool({
    ...address.config,
    max: READERS_MAX,
    onConnect: (client) => {
      client.on('error', told);
      return client.query(settings(address, 'read'));
    },
  });
  pool.on('error', told);
  return pool;
}

/** A connection that is lost while nobody asks: whoever asks next is told, or gets another one. */
function told(error: Error): void {
  invariant(error instanceof Error, 'an error');
}

/** Everything in a read transaction is of one commit. */
const BEGIN = {
  read: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  write: 'BEGIN ISOLATION LEVEL READ COMMITTED',
} as const;

/** Carries out `work` in a transaction; what goes wrong undoes all of it. */
export async function inTransaction<T>(
  client: pg.ClientBase,
  kind: keyof typeof BEGIN,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  await client.query(BEGIN[kind]);
  let result: T;
  try {
    result = await work(client);
  } catch (error) {
    await rollBack(client);
    throw error;
  }
  await client.query('COMMIT');
  return result;
}

/** A connection that is lost has rolled back by itself. */
async function rollBack(client: pg.ClientBase): Promise<void> {
  await Promise.allSettled([client.query('ROLLBACK')]);
}

/** All rows of an answer, each as the list of its columns. */
export async function rowsOf(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[] = [],
): Promise<unknown[][]> {
  return (await client.query({ text, values: [...values], rowMode: 'array' })).rows;
}
