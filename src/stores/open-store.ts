// Stores opened by their place. A store in a file belongs to one process: while a `run` lives, the others ask that
// run. A store on a server is opened by everyone.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreBooks } from '../core/ports/books.js';
import type { LetterOutbox } from '../core/ports/letters.js';
import type { Store, StoreReader } from '../core/ports/store.js';
import { UserError } from '../errors.js';
import { connectLive, type LiveStore } from '../live/client.js';
import { isFile, type OpenOptions, type Reader, type ReadOptions, serverOf } from './kinds.js';

export type { Reader } from './kinds.js';

/** A run that begins or ends holds the file for a moment without being there to ask. */
const CHANGE_WAIT_MS = 10_000;
const CHANGE_STEP_MS = 100;

/** Where totals are: what the options --data-dir and --store say. */
export interface StorePlace {
  dataDir: string;
  /** `duckdb`, or the URL of a server. */
  store: string;
}

/** Begins to load what opening such a store takes; what goes wrong with it, opening will say. */
export function preload(store: string): void {
  void Promise.allSettled([isFile(store) ? duckdb() : serverOf(store)]);
}

/** The store for its one writer, made if there is none. UserError: it can't be used, and why. */
export async function openStore(
  { dataDir, store }: StorePlace,
  options: OpenOptions = {},
): Promise<Store & StoreBooks & LetterOutbox> {
  if (isFile(store)) return await (await duckdb()).openStore(fileOf(dataDir));
  return await (await serverOf(store)).openStore(store, options);
}

/**
 * A look at a store on a server, by a process that may have to write it later: better to hear of a mistaken password
 * now. A file belongs to whoever counts. UserError: it can't be used, and why.
 */
export async function checkStore({ store }: StorePlace): Promise<void> {
  if (!isFile(store)) await (await serverOf(store)).checkStore(store);
}

/** Totals to read: from the living run or its file, or from the server. UserError: nothing was counted yet. */
export async function openReader(place: StorePlace, options: ReadOptions = {}): Promise<Reader> {
  if (isFile(place.store))
    return await liveOrFile(place.dataDir, async (path) => await (await duckdb()).openStoreReader(path));
  const { openStoreReader } = await serverOf(place.store);
  return snapshotWhole(place, await onServer(place, (url) => openStoreReader(url, options)));
}

/** As `openReader`; undefined where nothing was counted yet. */
export async function openReaderIfAny(
  place: StorePlace,
  options: ReadOptions = {},
): Promise<Reader | undefined> {
  try {
    return await openReader(place, options);
  } catch (error) {
    if (error instanceof NothingCounted) return undefined;
    throw error;
  }
}

/** Totals and books to read and write: through the living run or in its file, or on the server. UserError as for `openReader`. */
export async function openBooks(place: StorePlace): Promise<StoreReader & StoreBooks> {
  if (isFile(place.store))
    return await liveOrFile(place.dataDir, async (path) => await (await duckdb()).openStore(path));
  const { openStoreBooks } = await serverOf(place.store);
  return snapshotWhole(place, await onServer(place, (url) => openStoreBooks(url)));
}

const duckdb = () => import('../adapters/duckdb/store.js');

/** A store as it may be shown: without a password. UsageError: it is none. */
export async function shownName({ store }: StorePlace): Promise<string> {
  return isFile(store) ? store : (await serverOf(store)).storeName(store);
}

/** There is no store yet. */
class NothingCounted extends UserError {
  constructor(place: string, option: string) {
    super(`no totals in ${place} yet: run \`click-agg run\` first`, { hint: `Or check ${option}.` });
  }
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'store.duckdb');
}

async function onServer<T>({ store }: StorePlace, open: (url: string) => Promise<T | undefined>): Promise<T> {
  const opened = await open(store);
  if (opened === undefined) throw new NothingCounted((await serverOf(store)).storeName(store), '--store');
  return opened;
}

/** A run of this data directory still has open minutes in memory: it writes them before a snapshot is taken. */
function snapshotWhole<T extends Reader>({ dataDir }: StorePlace, store: T): T {
  return {
    ...store,
    async snapshot(...args: Parameters<Reader['snapshot']>) {
      const run = await connectLive(dataDir);
      await run?.commitAll();
      return await store.snapshot(...args);
    },
  };
}

async function liveOrFile<T>(
  dataDir: string,
  openFile: (path: string) => Promise<T>,
): Promise<T | LiveStore> {
  const path = fileOf(dataDir);
  const untilMs = Date.now() + CHANGE_WAIT_MS;
  for (;;) {
    const live = await connectLive(dataDir);
    if (live) return live;
    if (!existsSync(path)) {
      throw new NothingCounted(dataDir, '--data-dir');
    }
    try {
      return await openFile(path);
    } catch (error) {
      const inUse = error instanceof UserError && error.message.includes('is in use by another process');
      if (!inUse || Date.now() >= untilMs) throw error;
      await sleep(CHANGE_STEP_MS);
    }
  }
}
