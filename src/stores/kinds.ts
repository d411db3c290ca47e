// Every kind of store on a server, by how its URL begins. A new one is a line here and what it does in a room of its
// own; each is loaded when it is named, since their packages are big.
import type { StoreBooks } from '../core/ports/books.js';
import type { LetterOutbox } from '../core/ports/letters.js';
import type { StoreDifference, StoreMade } from '../core/ports/server.js';
import type { Store, StoreReader } from '../core/ports/store.js';
import { invariant } from '../errors.js';

export interface OpenOptions {
  /** Told in one line when the server is gone and waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** The server is waited for when the store is opened, too: it may be restarting just when a process takes over. */
  waitsToOpen?: boolean | undefined;
  /** Aborted: nobody waits any more. */
  signal?: AbortSignal | undefined;
  /** False: questions that only a look at everything answers are refused, where the store has tables for the others. */
  allowScan?: boolean | undefined;
}

export interface ReadOptions {
  /** Questions that only a look at everything answers are answered so, where the store would refuse them. */
  allowScan?: boolean | undefined;
}

/** Totals and the books that can be read. */
export type Reader = StoreReader &
  Pick<StoreBooks, 'audit' | 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

/** What a kind of store on a server can do. Each UserError says why the server can't be used. */
export interface StoreServer {
  /** For its one writer, made or migrated if need be. */
  openStore(url: string, options?: OpenOptions): Promise<Store & StoreBooks & LetterOutbox>;
  /** Whether it could be opened for writing, without touching it. */
  checkStore(url: string): Promise<void>;
  /** To read, beside its writer; undefined where nothing was counted yet. */
  openStoreReader(url: string, options?: ReadOptions): Promise<Reader | undefined>;
  /** To keep the books as well. */
  openStoreBooks(url: string, options?: ReadOptions): Promise<(StoreReader & StoreBooks) | undefined>;
  /** The URL as it may be shown: without a password. UsageError: it is none. */
  storeName(url: string): string;
  /** Makes what must be there before the store can be opened, and says what it made if it knows; absent: opening it makes all. */
  initStore?(url: string): Promise<readonly StoreMade[]>;
  /** What would work, but is not as it should be. */
  storeDifferences?(url: string): Promise<readonly StoreDifference[]>;
}

const KINDS: readonly { begins: RegExp; load: () => Promise<StoreServer> }[] = [
  { begins: /^postgres(ql)?:\/\//, load: () => import('../adapters/postgres/store.js') },
  { begins: /^cassandra:\/\//, load: () => import('../adapters/cassandra/store.js') },
  { begins: /^clickhouse:\/\//, load: () => import('../adapters/clickhouse/store.js') },
  { begins: /^dynamodb:\/\//, load: () => import('../adapters/dynamodb/store.js') },
];

/** The store in the data directory: a file, which belongs to one process. */
export function isFile(store: string): boolean {
  return store === 'duckdb';
}

/** The kind of store that a URL names. */
export async function serverOf(url: string): Promise<StoreServer> {
  const kind = KINDS.find(({ begins }) => begins.test(url));
  invariant(kind, 'the option --store lets known kinds pass only');
  return await kind.load();
}
