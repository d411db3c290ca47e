// The stores of a run behind the first one, as the run needs them: opened by their places, told to those who watch.
import type { DataDir } from '../engine/data-dir.js';
import { UsageError } from '../errors.js';
import { Followers } from '../followers/followers.js';
import { openReaderIfAny, openStore, type StorePlace, shownName } from '../stores/open-store.js';
import type { Terminal } from '../ui/terminal.js';

export interface RunFollowers {
  followers: Followers;
  /** The first store is another process's now: it is asked what became of the last commit. */
  standsBy(first: StorePlace): void;
  close(): Promise<void>;
}

/** Starts them; undefined: there is one store only. UsageError: two are the same. UserError: the data directory is in use. */
export async function startFollowers(
  stores: readonly string[],
  { dataDir, terminal, bytesMax }: { dataDir: DataDir; terminal: Terminal; bytesMax: number },
): Promise<RunFollowers | undefined> {
  const places = stores.map((store) => ({ dataDir: dataDir.path, store }));
  const names = await Promise.all(places.map(shownName));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new UsageError(`--store names ${twice} twice`);
  if (stores.length === 1) return undefined;
  const lock = await dataDir.lock('followers');
  try {
    const followers = await Followers.open({
      folder: dataDir.followersDir,
      bytesMax,
      places: places.slice(1).map((place, index) => ({
        name: names[index + 1]!,
        open: (signal) => openStore(place, { signal }),
      })),
      warn: (line) => terminal.warn(line),
      info: (line) => terminal.info(line),
    });
    return {
      followers,
      standsBy(first) {
        followers.rest();
        followers.standsBy(async () => {
          const reader = await openReaderIfAny(first).catch(() => undefined);
          try {
            return await reader?.standing().catch(() => undefined);
          } finally {
            await reader?.close();
          }
        });
      },
      async close() {
        await followers.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
