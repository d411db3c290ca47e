// The store on DynamoDB: rows and a register there, and what is made of them in adapters/journaled.
import type { StoreBooks } from '../../core/ports/books.js';
import type { LetterOutbox } from '../../core/ports/letters.js';
import type { StoreDifference, StoreMade } from '../../core/ports/server.js';
import type { Store, StoreReader } from '../../core/ports/store.js';
import type { RowDatabase } from '../journaled/database.js';
import { openJournaledBooks, openJournaledReader, openJournaledStore } from '../journaled/store.js';
import { parseAddress } from './address.js';
import { rowDatabase } from './database.js';
import { tableDifferences } from './differences.js';
import { Session, type SessionOptions } from './session.js';
import { hasTables, makeTables } from './tables.js';

interface ReadOptions {
  allowScan?: boolean | undefined;
}
type Reader = StoreReader & Pick<StoreBooks, 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

/** Opens the store at a URL for writing; its tables are made if need be. UserError: DynamoDB can't be used, and why. */
export async function openStore(
  url: string,
  options: SessionOptions & { allowScan?: boolean | undefined } = {},
): Promise<Store & StoreBooks & LetterOutbox> {
  const session = new Session(parseAddress(url), options);
  const database = await closedUnless(session, async () => {
    await makeTables(session);
    return rowDatabase(session);
  });
  return await openJournaledStore(database, { allowScan: options.allowScan });
}

/** Makes the tables that are missing, for a writer that may not. UserError as for `openStore`. */
export async function initStore(url: string): Promise<StoreMade[]> {
  const session = new Session(parseAddress(url));
  try {
    return await makeTables(session);
  } finally {
    session.close();
  }
}

/** Whether the store at a URL could be opened for writing, without touching it. UserError as for `openStore`. */
export async function checkStore(url: string): Promise<void> {
  await (await databaseAt(url))?.close();
}

/** What about the tables differs from what `initStore` makes. UserError as for `openStore`, or: there are none. */
export async function storeDifferences(url: string): Promise<StoreDifference[]> {
  const session = new Session(parseAddress(url));
  try {
    return await tableDifferences(session);
  } finally {
    session.close();
  }
}

/** Opens the store at a URL to read; undefined where nothing was counted yet. UserError as for `openStore`. */
export async function openStoreReader(url: string, options: ReadOptions = {}): Promise<Reader | undefined> {
  const database = await databaseAt(url);
  return database && (await openJournaledReader(database, options));
}

/** As `openStoreReader`, to keep the books as well. */
export async function openStoreBooks(
  url: string,
  options: ReadOptions = {},
): Promise<(StoreReader & StoreBooks) | undefined> {
  const database = await databaseAt(url);
  return database && (await openJournaledBooks(database, options));
}

/** The URL as it may be shown; it never holds keys. UsageError: it is none. */
export function storeName(url: string): string {
  return parseAddress(url).name;
}

/** undefined: its tables are not made yet. */
async function databaseAt(url: string): Promise<RowDatabase | undefined> {
  const session = new Session(parseAddress(url));
  return await closedUnless(session, async () =>
    (await hasTables(session)) ? rowDatabase(session) : undefined,
  );
}

/** The session ends where opening fails, or there is nothing to open. */
async function closedUnless<T>(session: Session, open: () => Promise<T>): Promise<T> {
  const [opened] = await Promise.allSettled([open()]);
  if (opened.status === 'rejected' || opened.value === undefined) session.close();
  if (opened.status === 'rejected') throw opened.reason;
  return opened.value;
}
