// Retention, in minutes instead of days: what is old in the topic of clicks is deleted, as far as nobody needs it any
// more. It is looked at before, so that in the end all can still be held against it.
import { setTimeout as sleep } from 'node:timers/promises';
import { openReader } from '../stores/open-store.js';
import { readLakeFiles } from './lake-files.js';
import { type Evidence, lettersOf, storedLetters } from './proof.js';
import { type Census, quietKafka, rangesOf, takeCensus } from './topic-census.js';

/** Letters of a store that works are in the topic after so long. */
const TOLD_MS = 15_000;
const POLL_MS = 500;

/**
 * Deletes the records that a run's memory, the letters under way and the lake need no more. Gives how many. Throws if a
 * server does not answer, or the lake is just being compacted: then some may be deleted.
 */
export async function deleteOldRecords(evidence: Evidence, census: Census): Promise<number> {
  const { brokers, topic } = evidence;
  await takeCensus(brokers, topic, census);
  const inLake = await readLakeFiles(evidence.lake);
  const limits = await storeLimits(evidence);
  const old: { partition: number; offset: string }[] = [];
  let records = 0;
  for (const [partition, { low }] of await rangesOf(brokers, topic)) {
    const seen = (census.partitions.get(partition)?.lastOffset ?? -1) + 1;
    const limit = Math.min(seen, limits.get(partition) ?? 0, (inLake.get(partition)?.last ?? -1) + 1);
    if (limit <= low) continue;
    old.push({ partition, offset: String(limit) });
    records += limit - low;
  }
  if (old.length === 0) return 0;
  const admin = quietKafka(brokers).admin();
  await admin.connect();
  try {
    // Only what this client has looked at can it delete from.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: old });
  } finally {
    await admin.disconnect();
  }
  return records;
}

/**
 * Below these a run starts no reading, and no letter waits whose record would have to be read again. Letters are told in
 * the order in which they came and went: when the topic tells of a record that was not counted at the look at the store,
 * or of just the letters that it had, all is told that had happened then; what happens later is about records that
 * memory still needs. Throws if the letters don't come.
 */
async function storeLimits({ store, brokers, letterTopic }: Evidence): Promise<Map<number, number>> {
  const { positions, stored } = await lookAt(store);
  const counted = new Map(positions.map(({ partition, position }) => [partition, position]));
  const isNewer = (place: string): boolean => {
    const [partition, offset] = place.split(':').map(Number);
    return offset! >= (counted.get(partition!) ?? 0);
  };
  for (let waitedMs = 0; waitedMs < TOLD_MS; waitedMs += POLL_MS) {
    const { letters } = await lettersOf(brokers, letterTopic);
    const same = [...letters].filter(([place, verdict]) => stored.get(place) === verdict).length;
    const areEqual = same === stored.size && letters.size === stored.size;
    if (areEqual || [...letters.keys()].some(isNewer)) {
      return new Map(positions.map(({ partition, rewindOffset }) => [partition, rewindOffset]));
    }
    await sleep(POLL_MS);
  }
  throw new Error('dead letters wait in the store');
}

async function lookAt(place: Evidence['store']) {
  const reader = await openReader(place);
  try {
    const { positions } = await reader.standing();
    return { positions, stored: await storedLetters(reader) };
  } finally {
    await reader.close();
  }
}
