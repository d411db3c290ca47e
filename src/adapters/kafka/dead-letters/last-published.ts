// How far the letters of a store were published: the topic itself knows, from the last committed record of each
// partition. A sequence rises from one transaction to the next, so the greatest of them is the last.
import type { OffsetRange, ScannedRecord, TopicScan } from '../topic-scan.js';
import { sequenceOf } from './letter-message.js';

/** The end may hold nothing but marks of transactions, or records that were aborted: then further back. */
const LOOK_BACK = 100;
const LOOK_BACK_TIMES = 8;

export interface LastPublished {
  /** Sequence of the last committed event of this store; undefined: the topic holds none. */
  sequence: number | undefined;
  /** The topic's last letters came from another store. */
  foreign: boolean;
}

/** The last event of `store` that a committed transaction has put into the topic. */
export async function lastPublished(scan: TopicScan, store: string): Promise<LastPublished> {
  const result: LastPublished = { sequence: undefined, foreign: false };
  const ends = await scan.ends();
  let open = [...ends].filter(([, { low, high }]) => high > low).map(([partition]) => partition);
  for (let back = LOOK_BACK; open.length > 0; back *= LOOK_BACK_TIMES) {
    const ranges = new Map<number, OffsetRange[]>();
    const seen = new Map<number, OffsetRange>();
    for (const partition of open) {
      const { low, high } = ends.get(partition)!;
      // What was looked through before is looked through again: it is little, beside what is new.
      const range = { from: Math.max(low, high - back), to: high };
      ranges.set(partition, [range]);
      seen.set(partition, range);
    }
    const found = new Set<number>();
    await scan.read(ranges, (partition, message) => {
      if (note(result, message, store)) found.add(partition);
    });
    open = open.filter(
      (partition) => !found.has(partition) && seen.get(partition)!.from > ends.get(partition)!.low,
    );
  }
  return result;
}

/** Whether the record is an event of this store. */
function note(result: LastPublished, message: ScannedRecord, store: string): boolean {
  const place = sequenceOf(message);
  if (!place) return false;
  if (place.store !== store) {
    result.foreign = true;
    return false;
  }
  result.sequence = Math.max(result.sequence ?? -1, place.sequence);
  return true;
}
