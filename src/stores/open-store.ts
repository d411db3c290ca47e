// The one place that names stores. A store in a file belongs to one process: while a `run` lives, the others ask
// that run. A store on a server is opened by everyone.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as duckdb from '../adapters/duckdb/store.js';
import type { Store, StoreBooks, StoreReader } from '../core/ports.js';
import { UsageError, UserError } from '../errors.js';
import { connectLive, type LiveStore } from '../live/client.js';

/** A run that begins or ends holds the file for a moment without being there to ask. */
const CHANGE_WAIT_MS = 10_000;
const CHANGE_STEP_MS = 100;

/** Where totals are: what the options --data-dir and --store say. */
export interface StorePlace {
  dataDir: string;
  /** `duckdb`, or the URL of a server. */
  store: string;
}

/** Totals and the books that can be read. */
export type Reader = StoreReader &
  Pick<StoreBooks, 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

/** The store for its one writer, made if there is none. UserError: it can't be used, and why. */
export async function openStore(place: StorePlace): Promise<Store & StoreBooks> {
  return await duckdb.openStore(fileOf(place));
}

/** Totals to read: from the living run, else from the file. UserError: nothing was counted yet. */
export async function openReader(place: StorePlace): Promise<Reader> {
  return await liveOrFile(place, duckdb.openStoreReader);
}

/** As `openReader`; undefined where nothing was counted yet. */
export async function openReaderIfAny(place: StorePlace): Promise<Reader | undefined> {
  try {
    return await openReader(place);
  } catch (error) {
    if (error instanceof NothingCounted) return undefined;
    throw error;
  }
}

/** Totals and books to read and write: through the living run, else in the file. UserError as for `openReader`. */
export async function openBooks(place: StorePlace): Promise<StoreReader & StoreBooks> {
  return await liveOrFile(place, duckdb.openStore);
}

/** There is no store yet. */
class NothingCounted extends UserError {
  constructor(place: string, option: string) {
    super(`no totals in ${place} yet: run \`click-agg run\` first`, { hint: `Or check ${option}.` });
  }
}

function fileOf({ dataDir, store }: StorePlace): string {
  if (store !== 'duckdb') throw new UsageError('--store: must be duckdb');
  return join(dataDir, 'store.duckdb');
}

async function liveOrFile<T>(
  place: StorePlace,
  openFile: (path: string) => Promise<T>,
): Promise<T | LiveStore> {
  const { dataDir } = place;
  const path = fileOf(place);
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
