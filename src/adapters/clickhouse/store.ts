// The store on a ClickHouse server, for whoever names it by its URL.
import type { StoreBooks } from '../../core/ports/books.js';
import type { LetterOutbox } from '../../core/ports/letters.js';
import type { StoreDifference, StoreMade } from '../../core/ports/server.js';
import type { Store, StoreReader } from '../../core/ports/store.js';
import type { RowDatabase } from '../journaled/database.js';
import { openJournaledBooks, openJournaledReader, openJournaledStore } from '../journaled/store.js';
import { type Address, parseAddress } from './address.js';
import { Connections, type ConnectionsOptions } from './connections.js';
import { clickHouseDatabase } from './database.js';
import { differences, hasTables, makeDatabase, makeTables } from './schema.js';

export interface ClickHouseStoreOptions extends Pick<ConnectionsOptions, 'onWait' | 'signal'> {
  /** The server is waited for when the store is opened, too: it may be restarting just when a process takes over. */
  waitsToOpen?: boolean | undefined;
}

/**
 * Opens the store at a URL for writing, making its tables in a database that is there. UserError: the server can't be
 * used, and why; the tables are of a newer version or of something else.
 */
export async function openStore(
  url: string,
  options: ClickHouseStoreOptions = {},
): Promise<Store & StoreBooks & LetterOutbox> {
  const { onWait, signal, waitsToOpen } = options;
  const address = parseAddress(url);
  if (!waitsToOpen) await withConnections(address, makeTables);
  const connections = new Connections(address, { onWait, signal, patient: true });
  return await openJournaledStore(await databaseOn(connections, makeTables));
}

/** Makes the database and its tables where they are missing, and says what it made. UserError as for `openStore`. */
export async function initStore(url: string): Promise<StoreMade[]> {
  return await withConnections(parseAddress(url), makeDatabase);
}

/** Whether the store at a URL could be opened for writing, without touching it. UserError as for `openStore`. */
export async function checkStore(url: string): Promise<void> {
  await withConnections(parseAddress(url), hasTables);
}

/** What would work, but is not as it should be. */
export async function storeDifferences(url: string): Promise<StoreDifference[]> {
  return await withConnections(parseAddress(url), differences);
}

/** Opens the store at a URL to read, beside its writer; undefined where nothing was counted yet. UserError as for `openStore`. */
export async function openStoreReader(
  url: string,
): Promise<
  (StoreReader & Pick<StoreBooks, 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>) | undefined
> {
  const database = await existing(url);
  return database && (await openJournaledReader(database));
}

/** As `openStoreReader`, to keep the books as well: each of its writes waits for the commit that is under way. */
export async function openStoreBooks(url: string): Promise<(StoreReader & StoreBooks) | undefined> {
  const database = await existing(url);
  return database && (await openJournaledBooks(database));
}

/** The URL as it may be shown: without the password. UsageError: it is none. */
export function storeName(url: string): string {
  return parseAddress(url).name;
}

/** The database at a URL if the tables are there. */
async function existing(url: string): Promise<RowDatabase | undefined> {
  const connections = new Connections(parseAddress(url), { patient: false });
  let found = false;
  const database = await databaseOn(connections, async () => {
    found = await hasTables(connections);
  });
  if (found) return database;
  await database.close();
  return undefined;
}

/** The database on these connections once `ready` has seen to it. */
async function databaseOn(
  connections: Connections,
  ready: (connections: Connections) => Promise<void>,
): Promise<RowDatabase> {
  try {
    await ready(connections);
    return clickHouseDatabase(connections);
  } catch (error) {
    await connections.close();
    throw error;
  }
}

async function withConnections<T>(
  address: Address,
  work: (connections: Connections) => Promise<T>,
): Promise<T> {
  const connections = new Connections(address, { patient: false });
  try {
    return await work(connections);
  } finally {
    await connections.close();
  }
}
