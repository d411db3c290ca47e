// The dead letters that a topic holds, as they stand: of several records about one click the newest counts, and who
// was withdrawn is hidden. The topic is looked through once, and only places are kept of it; letters that are asked
// for are fetched.
import type { DeadLetter } from '../../../core/ports/commit.js';
import type { DeadLetterFilter, StoreReader } from '../../../core/ports/store.js';
import { COUNTED_MARKS_MAX } from '../../../core/stored-rows.js';
import type { KafkaConnection } from '../connection.js';
import { type OffsetRange, openTopicScan, singles, type TopicScan } from '../topic-scan.js';
import { kafkaError } from '../world-errors.js';
import { readLetter, type TopicLetter, type TopicRecord } from './letter-message.js';

/** Offsets of one partition stay far below. */
const OFFSETS_OF_PARTITION = 2 ** 40;

interface Entry {
  verdict: string;
  reason: string;
  /** Where the letter is in its topic. */
  partition: number;
  offset: number;
  timeMs: number;
  /** Of the store that numbers it, the number. */
  store: string;
  sequence: number;
  redrivenAtMs: number | undefined;
}

type Place = Pick<DeadLetter, 'partition' | 'offset'>;

export type LetterReader = Pick<StoreReader, 'deadLetters' | 'deadLetterCounts' | 'close'>;

export interface LetterTopicPlace {
  connection: KafkaConnection;
  /** The topic of the clicks. */
  topic: string;
  letterTopic: string;
}

/** Looks a topic of dead letters through. UserError: the cluster can't be reached or refuses us, or has no such topic. */
export async function openLetterTopic(place: LetterTopicPlace): Promise<LetterReader> {
  const { connection, letterTopic } = place;
  const scan = await openTopicScan(connection, letterTopic);
  const asked = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw kafkaError(error, connection, letterTopic);
    }
  };
  try {
    const index = await asked(indexOf(scan, place.topic));
    return {
      deadLetters: (filter) => asked(lettersOf(scan, index, filter)),
      deadLetterCounts: async () => countsOf(index),
      close: () => scan.close(),
    };
  } catch (error) {
    await scan.close();
    throw error;
  }
}

type Index = Map<number, Entry>;

/** Everything that is committed up to now. */
async function indexOf(scan: TopicScan, topic: string): Promise<Index> {
  const index: Index = new Map();
  const ranges = new Map<number, OffsetRange[]>();
  for (const [partition, { low, high }] of await scan.ends())
    ranges.set(partition, [{ from: low, to: high }]);
  await scan.read(ranges, (partition, message) => {
    const record = readLetter(message);
    if (record && sourceOf(record) === topic) {
      note(index, record, { partition, offset: message.offset, timeMs: message.timeMs });
    }
  });
  return index;
}

function sourceOf(record: TopicRecord): string {
  if ('letter' in record) return record.letter.topic;
  return 'withdrawn' in record ? record.withdrawn.topic : record.redriven.topic;
}

function note(index: Index, record: TopicRecord, at: Pick<Entry, 'partition' | 'offset' | 'timeMs'>): void {
  if ('redriven' in record) {
    const entry = index.get(keyOf(record.redriven));
    if (entry) entry.redrivenAtMs = record.atMs;
    return;
  }
  const key = keyOf('letter' in record ? record.letter : record.withdrawn);
  const known = index.get(key);
  // All about one click are in one partition, and so in order; unless partitions were added in between.
  if (known && known.store === record.store && known.sequence > record.sequence) return;
  if ('withdrawn' in record) {
    index.delete(key);
    return;
  }
  const { verdict, reason, store, sequence } = record.letter;
  index.set(key, { verdict, reason, store, sequence, ...at, redrivenAtMs: known?.redrivenAtMs });
}

function keyOf({ partition, offset }: Place): number {
  return partition * OFFSETS_OF_PARTITION + offset;
}

async function lettersOf(scan: TopicScan, index: Index, filter: DeadLetterFilter): Promise<TopicLetter[]> {
  const chosen = chosenOf(index, filter);
  const wanted = new Map<number, Map<number, number>>();
  chosen.forEach(([, { partition, offset }], rank) => {
    const ranks = wanted.get(partition) ?? new Map<number, number>();
    wanted.set(partition, ranks.set(offset, rank));
  });
  const letters: TopicLetter[] = [];
  const ranges = new Map([...wanted].map(([partition, ranks]) => [partition, singles(ranks.keys())]));
  await scan.read(ranges, (partition, message) => {
    const rank = wanted.get(partition)!.get(message.offset);
    const record = rank === undefined ? undefined : readLetter(message);
    if (rank === undefined || !record || !('letter' in record)) return;
    letters[rank] = { ...record.letter, redrivenAtMs: chosen[rank]![1].redrivenAtMs };
  });
  // What retention took between the two looks is left out.
  return letters.filter((letter) => letter !== undefined);
}

/** The entries that the filter lets through, in its order. */
function chosenOf(index: Index, filter: DeadLetterFilter): [number, Entry][] {
  const { verdict, reason, at, after, limit } = filter;
  const candidates: Iterable<[number, Entry]> =
    at.length === 0
      ? index
      : at.flatMap((place): [number, Entry][] => {
          const entry = index.get(keyOf(place));
          return entry ? [[keyOf(place), entry]] : [];
        });
  const behind = after ? keyOf(after) : -Infinity;
  const chosen: [number, Entry][] = [];
  for (const one of candidates) {
    const [key, entry] = one;
    const fits = (verdict ?? entry.verdict) === entry.verdict && (reason ?? entry.reason) === entry.reason;
    if (fits && key > behind) chosen.push(one);
  }
  chosen.sort(after ? ([a], [b]) => a - b : newestFirst);
  return chosen.slice(0, Math.max(0, Math.floor(limit)));
}

function newestFirst([, a]: [number, Entry], [, b]: [number, Entry]): number {
  return b.timeMs - a.timeMs || b.sequence - a.sequence;
}

function countsOf(index: Index): { verdict: string; reason: string; count: number }[] {
  const counts = new Map<string, { verdict: string; reason: string; count: number }>();
  const add = (verdict: string, reason: string, records: number): void => {
    const key = `${verdict} ${reason}`;
    const count = counts.get(key) ?? { verdict, reason, count: 0 };
    count.count += records;
    counts.set(key, count);
  };
  const marks = new Map<string, number>();
  for (const { verdict, reason } of index.values()) {
    if (verdict === 'invalid_traffic') marks.set(reason, (marks.get(reason) ?? 0) + 1);
    else add(verdict, verdict === 'invalid' ? reason : '', 1);
  }
  const byCount = [...marks].sort(([a, m], [b, n]) => n - m || compare(a, b));
  for (const [rank, [mark, records]] of byCount.entries()) {
    add('invalid_traffic', rank < COUNTED_MARKS_MAX ? mark : '', records);
  }
  return [...counts.values()].sort(
    (a, b) => b.count - a.count || compare(a.verdict, b.verdict) || compare(a.reason, b.reason),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
