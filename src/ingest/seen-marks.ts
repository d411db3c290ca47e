// `--mark-seen`: whether a user clicked on the same ad within the last minute, as far as Redis can tell at once. It is
// for people who watch the load. It decides nothing: a double click is one in event time, over all clicks, late ones
// too, and that the stream and the recomputation find out by themselves, to the click.

/** As the counting method's default period; the method's own value does not matter for a mark. */
const PERIOD_MS = 60_000;

/** The part of Redis that this needs: whether the key was new; undefined where it did not answer in time. */
export interface SharedKeys {
  setIfAbsent(key: string, value: string, ttlMs: number): Promise<boolean | undefined>;
}

/** How long a redirect may wait for the mark. */
export const SEEN_WAIT_MS = 5;

/** True: seen; false: the first; undefined: nobody answered in time. */
export type SeenMarks = (userId: string, adId: string) => Promise<boolean | undefined>;

/** Marks by keys that all ingest servers of a Redis share. */
export function seenMarks(keys: SharedKeys): SeenMarks {
  return async (userId, adId) => {
    // The length keeps `a:b` and `c` apart from `a` and `b:c`.
    const key = `click-agg:seen:${userId.length}:${userId}:${adId}`;
    const isNew = await keys.setIfAbsent(key, '1', PERIOD_MS);
    return isNew === undefined ? undefined : !isNew;
  };
}
