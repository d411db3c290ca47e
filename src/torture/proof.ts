// After a storm: everything is held against what Kafka itself says that the topic holds. The store is asked as its users
// ask it, so that the proof is the same whatever the store is; nothing else here uses the code that is tried.
import { existsSync } from 'node:fs';
import { VERDICTS } from '../core/method.js';
import type { DeadLetter } from '../core/ports/commit.js';
import { EVERYTHING, type StoreReader } from '../core/ports/store.js';
import { openReader, type StorePlace } from '../stores/open-store.js';
import { type InLake, readLakeFiles } from './lake-files.js';
import {
  type Census,
  digestOf,
  newCensus,
  type PartitionCensus,
  readWhole,
  takeCensus,
} from './topic-census.js';

export interface Evidence {
  brokers: string;
  topic: string;
  letterTopic: string;
  store: StorePlace;
  /** A folder. */
  lake: string;
}

export interface Proof {
  /** What is wrong; empty: nothing. */
  problems: string[];
  records: number;
  partitions: number;
  verdicts: Record<string, number>;
  deadLetters: number;
  withdrawn: number;
}

/** Looks at store, letters and lake. `before`: what was seen of the topic before old records were deleted. */
export async function prove(evidence: Evidence, before: Census = newCensus()): Promise<Proof> {
  const seen = await takeCensus(evidence.brokers, evidence.topic, before);
  const census = seen.partitions;
  const problems: string[] = [];
  const store = await openReader(evidence.store, { allowScan: true });
  try {
    const verdicts = await proveLedger(store, census, problems);
    const letters = await proveLetters(store, evidence, { verdicts, bytes: seen.bytes }, problems);
    await proveLake(evidence.lake, census, problems);
    const records = [...census.values()].reduce((sum, { records }) => sum + records, 0);
    return { problems, records, partitions: census.size, verdicts, ...letters };
  } finally {
    await store.close();
  }
}

/** Letters that the store is asked for at a time. */
const LETTERS_PAGE = 1000;

/** Every record of every partition has one verdict, and the totals hold the billable ones. */
async function proveLedger(
  store: StoreReader,
  census: ReadonlyMap<number, PartitionCensus>,
  problems: string[],
): Promise<Record<string, number>> {
  const counted = await store.ledgerByPartition();
  const { positions } = await store.standing();
  const reached = new Map(positions.map(({ partition, position }) => [partition, position]));
  const verdicts: Record<string, number> = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0]));
  for (const [partition, { records, firstOffset, lastOffset }] of census) {
    const row = counted.get(partition);
    const inLedger = VERDICTS.reduce((sum, verdict) => sum + (row?.[verdict] ?? 0), 0);
    for (const verdict of VERDICTS) verdicts[verdict]! += row?.[verdict] ?? 0;
    if (inLedger !== records) {
      problems.push(`partition ${partition} holds ${records} records, the ledger has ${inLedger}`);
    }
    const position = reached.get(partition);
    if (position !== lastOffset + 1) {
      problems.push(`partition ${partition} ends at ${lastOffset}, the position is ${position}`);
    }
    if (records !== lastOffset - firstOffset + 1) {
      problems.push(`partition ${partition} has holes: ${records} records up to offset ${lastOffset}`);
    }
  }
  const clicks = await clicksOf(store);
  if (clicks !== verdicts.billable) {
    problems.push(`the totals hold ${clicks} clicks, the ledger ${verdicts.billable} billable ones`);
  }
  return verdicts;
}

/** All clicks of all cells, as the totals have them. */
async function clicksOf(store: StoreReader): Promise<number> {
  let clicks = 0;
  for await (const rows of store.pages(EVERYTHING)) {
    for (const row of rows) clicks += Number(row.clicks);
  }
  return clicks;
}

/** The verdict of each letter that is in the store, by `partition:offset`. */
export async function storedLetters(store: StoreReader): Promise<Map<string, DeadLetter['verdict']>> {
  const found = new Map<string, DeadLetter['verdict']>();
  let after = { partition: -1, offset: -1 };
  for (;;) {
    const filter = { verdict: undefined, reason: undefined, at: [], after, limit: LETTERS_PAGE };
    const page = await store.deadLetters(filter);
    for (const { partition, offset, verdict } of page) found.set(`${partition}:${offset}`, verdict);
    if (page.length < LETTERS_PAGE) return found;
    after = page.at(-1)!;
  }
}

/** The letters of the store are those of the ledger, and the topic tells of each once, with its record's bytes. */
async function proveLetters(
  store: StoreReader,
  { brokers, letterTopic }: Evidence,
  { verdicts, bytes }: { verdicts: Readonly<Record<string, number>>; bytes: Census['bytes'] },
  problems: string[],
): Promise<Pick<Proof, 'deadLetters' | 'withdrawn'>> {
  const stored = await storedLetters(store);
  const verdictsOfLetters = [...stored.values()];
  const counts = await store.deadLetterCounts();
  for (const verdict of ['invalid', 'too_late', 'invalid_traffic', 'bot'] as const) {
    const letters = verdictsOfLetters.filter((each) => each === verdict).length;
    if (letters !== verdicts[verdict]) {
      problems.push(`${letters} dead letters are ${verdict}, of ${verdicts[verdict]} such records`);
    }
    const ofVerdict = counts.filter((each) => each.verdict === verdict);
    const counted = ofVerdict.reduce((sum, { count }) => sum + count, 0);
    if (counted !== letters) {
      problems.push(`the store counts ${counted} dead letters as ${verdict}, it has ${letters}`);
    }
  }
  const told = await lettersOf(brokers, letterTopic);
  for (const [event, times] of told.events) {
    if (times > 1) problems.push(`the topic of dead letters holds event ${event} ${times} times`);
  }
  const garbled = [...told.bytes].filter(([place, digest]) => bytes.get(place) !== digest);
  if (garbled.length > 0) {
    const places = garbled.slice(0, 5).map(([place]) => place);
    problems.push(`${garbled.length} dead letters have other bytes than their records: ${places.join(' ')}`);
  }
  const missing = [...stored].filter(([place, verdict]) => told.letters.get(place) !== verdict);
  const surplus = [...told.letters].filter(([place]) => !stored.has(place));
  if (missing.length > 0) {
    problems.push(
      `${missing.length} dead letters are missing in the topic: ${missing.slice(0, 5).join(' ')}`,
    );
  }
  if (surplus.length > 0) {
    problems.push(`${surplus.length} dead letters are in the topic alone: ${surplus.slice(0, 5).join(' ')}`);
  }
  return { deadLetters: stored.size, withdrawn: told.withdrawn };
}

export interface Told {
  /** Verdict by `partition:offset`, as they stand after all events. */
  letters: Map<string, string>;
  /** How often each event of a store is there. */
  events: Map<string, number>;
  /** Digest of key and value by `partition:offset`, of the last letter that told of it. */
  bytes: Map<string, string>;
  withdrawn: number;
}

/** What the topic of dead letters tells. */
export async function lettersOf(brokers: string, letterTopic: string): Promise<Told> {
  const events = new Map<string, number>();
  const newest = new Map<string, { sequence: number; verdict: string }>();
  let withdrawn = 0;
  const seen = new Set<string>();
  const bytes = new Map<string, string>();
  await readWhole(brokers, letterTopic, (inPartition, { offset: at, key, value, headers = {} }) => {
    // A consumer may see a record again after a rebalance: the record is one all the same.
    if (seen.has(`${inPartition}:${at}`)) return;
    seen.add(`${inPartition}:${at}`);
    const [verdict, partition, offset, store, number] = [
      'verdict',
      'partition',
      'offset',
      'store',
      'sequence',
    ].map((name) => String(headers[name] ?? ''));
    const sequence = Number(number);
    const event = `${store}:${number}`;
    events.set(event, (events.get(event) ?? 0) + 1);
    const place = `${partition}:${offset}`;
    if (verdict === 'withdrawn') withdrawn++;
    else bytes.set(place, digestOf({ key, value }));
    const known = newest.get(place);
    if (!known || known.sequence < sequence) newest.set(place, { sequence, verdict: verdict! });
  });
  const standing = [...newest].filter(([, { verdict }]) => verdict !== 'withdrawn');
  const letters = new Map(standing.map(([place, { verdict }]) => [place, verdict]));
  return { letters, events, bytes, withdrawn };
}

/** The lake's files, read as any reader would, hold each record of each partition once. */
async function proveLake(
  lake: string,
  census: ReadonlyMap<number, PartitionCensus>,
  problems: string[],
): Promise<void> {
  if (!existsSync(lake)) {
    problems.push(`there is no lake in ${lake}`);
    return;
  }
  const kept = await readLakeFiles(lake);
  for (const [partition, { records, firstOffset, lastOffset }] of census) {
    const row = kept.get(partition);
    const expected: InLake = { records, offsets: records, first: firstOffset, last: lastOffset };
    for (const what of ['records', 'offsets', 'first', 'last'] as const) {
      if (row?.[what] !== expected[what]) {
        problems.push(
          `the lake has ${what} ${row?.[what]} of partition ${partition}, the topic ${expected[what]}`,
        );
      }
    }
  }
}
