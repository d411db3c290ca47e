// The store on a PostgreSQL server. Its writer has a connection of its own, on which one transaction follows the
// other; whoever reads, and whoever keeps the books, has others. A server that goes away for a while is waited for:
// the number of commits in the store tells whether one was made whose answer was lost.
import type pg from 'pg';
import type { Method } from '../../core/method.js';
import { methodHash } from '../../core/method-hash.js';
import type { StoreBooks } from '../../core/ports/books.js';
import type { LetterOutbox } from '../../core/ports/letters.js';
import type { Store, StoreReader } from '../../core/ports/store.js';
import { parseAddress } from './address.js';
import { type BooksReader, createBooks, createBooksReader } from './books.js';
import { Connections } from './connections.js';
import { createOutbox } from './letter-outbox.js';
import { createReader } from './reader.js';
import { hasTables, migrate, requireKnownSchema, requireServerVersion } from './schema.js';
import { Writer } from './writer.js';

export interface PostgresStoreOptions {
  /** Told in one line when the server is gone and waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** The server is waited for when the store is opened, too: it may be restarting just when a process takes over. */
  waitsToOpen?: boolean | undefined;
  /** Aborted: nobody waits any more. */
  signal?: AbortSignal | undefined;
}

/**
 * Opens the store at a URL for writing, making or migrating its schema. UserError: the server can't be used, and why;
 * the schema is of a newer version or of something else.
 */
export async function openStore(
  url: string,
  options: PostgresStoreOptions = {},
): Promise<Store & StoreBooks & LetterOutbox> {
  const { onWait, signal, waitsToOpen } = options;
  const connections = new Connections(parseAddress(url), { onWait, signal, patient: true });
  try {
    await connections.atOnce(async (client) => {
      await requireServerVersion(client, connections.address);
      await migrate(client, connections.address);
    }, waitsToOpen);
    return storeOf(connections, await Writer.open(connections));
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/**
 * Whether the store at a URL could be opened for writing, without touching it: for a process that will need it later.
 * UserError as for `openStore`.
 */
export async function checkStore(url: string): Promise<void> {
  const connections = new Connections(parseAddress(url), { patient: false });
  try {
    await connections.atOnce(async (client) => {
      await requireServerVersion(client, connections.address);
      await requireKnownSchema(client, connections.address);
    });
  } finally {
    await connections.close();
  }
}

function storeOf(connections: Connections, writer: Writer): Store & StoreBooks & LetterOutbox {
  let closed = false;
  return {
    ...createReader(connections),
    ...createBooks(connections),
    ...createOutbox(connections, (work) => writer.write(work)),
    takeOver: () => writer.takeOver(),
    begin: ({ method, sourceIdentity }) =>
      writer.write((client) => recordIdentity(client, method, sourceIdentity)),
    commit: (commit) => writer.commit(commit),
    async close() {
      if (closed) return;
      closed = true;
      await writer.close();
      await connections.close();
    },
  };
}

async function recordIdentity(client: pg.ClientBase, method: Method, sourceIdentity: string): Promise<void> {
  await client.query('DELETE FROM identity');
  await client.query('INSERT INTO identity VALUES ($1, $2, $3)', [
    ...[JSON.stringify(method), methodHash(method), sourceIdentity],
  ]);
}

/**
 * Opens the store at a URL to read, beside its writer; undefined where nothing was counted yet. UserError: the server
 * can't be used, and why; the schema is of another version or of something else.
 */
export async function openStoreReader(url: string): Promise<(StoreReader & BooksReader) | undefined> {
  return await openFor(url, (connections) => ({
    ...createReader(connections),
    ...createBooksReader(connections),
    close: () => connections.close(),
  }));
}

/** As `openStoreReader`, to keep the books as well: each of its writes waits for the commit that is under way. */
export async function openStoreBooks(url: string): Promise<(StoreReader & StoreBooks) | undefined> {
  return await openFor(url, (connections) => ({
    ...createReader(connections),
    ...createBooks(connections),
    close: () => connections.close(),
  }));
}

/** The URL as it may be shown: without the password. UsageError: it is none. */
export function storeName(url: string): string {
  return parseAddress(url).name;
}

async function openFor<T>(url: string, made: (connections: Connections) => T): Promise<T | undefined> {
  const connections = new Connections(parseAddress(url), { patient: false });
  try {
    const exists = await connections.atOnce((client) => hasTables(client, connections.address));
    if (exists) return made(connections);
  } catch (error) {
    await connections.close();
    throw error;
  }
  await connections.close();
  return undefined;
}
