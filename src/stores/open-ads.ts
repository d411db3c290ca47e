// The one place that names kinds of ads tables, and puts memory and Redis before them.
import type { AdsPlace, AdsTable, Target } from '../ads/ad.js';
import type { Targets } from '../ads/targets.js';

/** In Redis. A change is written there at once; this is for changes that Redis did not hear of. */
const SHARED_LIVES = { knownMs: 600_000, unknownMs: 30_000 };
/** Redis takes changes over a connection that nobody waits for long. */
const CHANGE_WAIT_MS = 5_000;
/** What Redis is told at a time. */
const CHANGES_AT_ONCE = 1_000;
/** A redirect does not wait for the table longer than this. */
const TABLE_WAIT_MS = 2_000;

/** The table for reading, or with `write` to import and change ads. UserError: it can't be used, and why. */
export async function openAdsTable(
  { dataDir, ads }: AdsPlace,
  options: { write?: boolean; answerWaitMs?: number } = {},
): Promise<AdsTable> {
  if (ads === 'file') return (await import('../ads/file-table.js')).openFileTable(dataDir);
  return await (await import('../adapters/postgres/ads-table.js')).openPostgresAds(ads, options);
}

export interface TargetsPlace extends AdsPlace {
  /** URL of the Redis that servers share; undefined: there is none. */
  redis: string | undefined;
  /** How long an ad is kept in memory, and so how late a change is seen. */
  adsTtlMs: number;
}

/** Told in one line what is gone, and what is back. */
type OnChange = (line: string) => void;

/**
 * Targets for redirects. Servers that are gone for the moment are told of and waited for; UserError: what can't be used
 * as it was given.
 */
export async function openTargets(place: TargetsPlace, onChange?: OnChange): Promise<Targets> {
  const { cachedTargets } = await import('../ads/cached-targets.js');
  const table = await openAdsTable(place, { answerWaitMs: TABLE_WAIT_MS });
  try {
    return cachedTargets({
      table,
      redis: await redisOf(place.redis, { onChange }),
      memory: { knownMs: place.adsTtlMs, unknownMs: place.adsTtlMs / 2 },
      shared: SHARED_LIVES,
      tableWaitMs: TABLE_WAIT_MS,
      onChange,
    });
  } catch (error) {
    await table.close();
    throw error;
  }
}

/**
 * Tells Redis what the table says from now on. False: it did not hear all of it, and servers may go on with old targets
 * for as long as Redis keeps them.
 */
export async function shareChanges(redis: string, targets: readonly Target[]): Promise<boolean> {
  const { SharedTargets } = await import('../ads/shared-targets.js');
  const connection = await redisOf(redis, { answerWaitMs: CHANGE_WAIT_MS });
  try {
    const shared = new SharedTargets(connection!, SHARED_LIVES);
    for (let from = 0; from < targets.length; from += CHANGES_AT_ONCE) {
      if (!(await shared.replace(targets.slice(from, from + CHANGES_AT_ONCE)))) return false;
    }
    return true;
  } finally {
    await connection!.close();
  }
}

async function redisOf(
  url: string | undefined,
  options: { onChange?: OnChange | undefined; answerWaitMs?: number },
) {
  if (url === undefined) return undefined;
  const { connectRedis } = await import('../adapters/redis/connection.js');
  return await connectRedis(url, options);
}
