// The store on a Cassandra cluster: what all stores of rows do, on connections to its nodes. The keyspace and its tables
// are made by `store init`; whoever opens a store only looks whether they are there.
import type { StoreBooks } from '../../core/ports/books.js';
import type { LetterOutbox } from '../../core/ports/letters.js';
import type { StoreDifference, StoreMade } from '../../core/ports/server.js';
import type { Store, StoreReader } from '../../core/ports/store.js';
import type { RowDatabase } from '../journaled/database.js';
import { openJournaledBooks, openJournaledReader, openJournaledStore } from '../journaled/store.js';
import { parseAddress } from './address.js';
import { Cluster, type ClusterOptions } from './cluster.js';
import { createDatabase } from './database.js';
import { makeSchema, requireSchema, schemaDifferences } from './schema.js';

export interface CassandraStoreOptions {
  /** Told in one line when the nodes are waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** The nodes are waited for when the store is opened, too: they may be restarting just when a process takes over. */
  waitsToOpen?: boolean | undefined;
  /** Aborted: nobody waits any more. */
  signal?: AbortSignal | undefined;
  /** False: questions that no table is made for are refused. */
  allowScan?: boolean | undefined;
}

type Reader = StoreReader & Pick<StoreBooks, 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

/**
 * Opens the store at a URL for writing. UserError: the cluster can't be used, and why; the keyspace or its tables are
 * not there, of another version or of something else.
 */
export async function openStore(
  url: string,
  { onWait, signal, waitsToOpen, allowScan }: CassandraStoreOptions = {},
): Promise<Store & StoreBooks & LetterOutbox> {
  const cluster = await connected(url, { onWait, signal, patient: true }, waitsToOpen);
  return await openJournaledStore(createDatabase(cluster), { allowScan });
}

/** Whether the store at a URL could be opened for writing, without touching it. UserError as for `openStore`. */
export async function checkStore(url: string): Promise<void> {
  const cluster = await connected(url, { patient: false });
  await cluster.close();
}

/** Opens the store at a URL to read, beside its writer; undefined where nothing was counted yet. UserError as for `openStore`. */
export async function openStoreReader(
  url: string,
  { allowScan }: { allowScan?: boolean | undefined } = {},
): Promise<Reader | undefined> {
  return await openJournaledReader(await databaseAt(url), { allowScan });
}

/** As `openStoreReader`, to keep the books as well: each of its writes waits for the commit that is under way. */
export async function openStoreBooks(
  url: string,
  { allowScan }: { allowScan?: boolean | undefined } = {},
): Promise<(StoreReader & StoreBooks) | undefined> {
  return await openJournaledBooks(await databaseAt(url), { allowScan });
}

/** Makes the keyspace and the tables that are missing. UserError: it can't be done, and why. */
export async function initStore(url: string): Promise<StoreMade[]> {
  return await withCluster(url, makeSchema);
}

/** What about the keyspace and its tables is not as it should be. UserError as for `openStore`. */
export async function storeDifferences(url: string): Promise<StoreDifference[]> {
  return await withCluster(url, schemaDifferences);
}

/** The URL as it may be shown: without the password. UsageError: it is none. */
export function storeName(url: string): string {
  return parseAddress(url).name;
}

/** A cluster on which a store can be opened. */
async function connected(url: string, options: ClusterOptions, waits = false): Promise<Cluster> {
  const cluster = await Cluster.connect(parseAddress(url), options, waits);
  const [checked] = await Promise.allSettled([requireSchema(cluster)]);
  if (checked.status === 'fulfilled') return cluster;
  await cluster.close();
  throw checked.reason;
}

async function databaseAt(url: string): Promise<RowDatabase> {
  return createDatabase(await connected(url, { patient: false }));
}

async function withCluster<T>(url: string, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.connect(parseAddress(url), { patient: false });
  try {
    return await use(cluster);
  } finally {
    await cluster.close();
  }
}
