// The store as a server needs it that lives longer than any run: opened for each question where it is a file, which
// a run may want to have the next moment; kept open where it is on a server.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreReader } from '../core/ports/store.js';
import { isFile } from '../stores/kinds.js';
import { openReaderIfAny, type Reader, type StorePlace } from '../stores/open-store.js';

/** What is asked of the store. */
export type TotalsReader = Pick<StoreReader, 'query' | 'ledger' | 'standing'>;

/** Questions to the store at a time; others wait. */
const READS_MAX = 4;

export interface StoreSource {
  /** Runs `work` with the store; undefined where nothing was counted yet. UserError: it can't be read, and why. */
  read<T>(work: (reader: TotalsReader) => Promise<T>): Promise<T | undefined>;
  /** Another text once something else was counted; a file that nobody writes is not even opened for it. */
  fingerprint(): Promise<string>;
  close(): Promise<void>;
}

/** The store at this place, whether or not it is there by now. */
export function storeSource(place: StorePlace): StoreSource {
  const inFile = isFile(place.store);
  const inTurn = turns(READS_MAX);
  let kept: Promise<Reader | undefined> | undefined;
  const opened = async (): Promise<Reader | undefined> => {
    if (inFile) return await openReaderIfAny(place);
    kept ??= openReaderIfAny(place);
    const [outcome] = await Promise.allSettled([kept]);
    // Not there yet, or not reachable: asked anew the next time.
    if (outcome.status === 'rejected' || outcome.value === undefined) kept = undefined;
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  };
  const read: StoreSource['read'] = (work) =>
    inTurn(async () => {
      const reader = await opened();
      if (!reader) return undefined;
      try {
        return await work(reader);
      } finally {
        if (inFile) await reader.close();
      }
    });
  let seen = { file: '', fingerprint: '' };
  return {
    read,
    async fingerprint() {
      const file = inFile ? await fileState(place.dataDir) : undefined;
      if (file !== undefined && file === seen.file) return seen.fingerprint;
      const standing = await read((reader) => reader.standing());
      seen = { file: file ?? '', fingerprint: JSON.stringify(standing?.positions ?? []) };
      return seen.fingerprint;
    },
    async close() {
      const reader = await kept;
      await reader?.close();
    },
  };
}

/** Size and time of the store's files: they change with each commit. */
async function fileState(dataDir: string): Promise<string> {
  const files = ['store.duckdb', 'store.duckdb.wal'].map((name) => stat(join(dataDir, name)));
  const found = await Promise.allSettled(files);
  return found
    .map((one) => (one.status === 'fulfilled' ? `${one.value.size} ${one.value.mtimeMs}` : ''))
    .join();
}

/** Lets so many run at a time, in the order in which they came. */
function turns(atOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
