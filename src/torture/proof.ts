// After a storm: everything is held against what Kafka itself says that the topic holds. Nothing here uses the code
// that is tried; the one exception, `reconcile`, is asked as its users ask it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
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
  /** Of the store, with its schema. */
  store: string;
  schema: string;
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
  const client = new pg.Client(evidence.store);
  await client.connect();
  try {
    await client.query(`SET search_path = ${evidence.schema}`);
    const verdicts = await proveLedger(client, census, problems);
    const letters = await proveLetters(client, evidence, { verdicts, bytes: seen.bytes }, problems);
    await proveLake(evidence.lake, census, problems);
    const records = [...census.values()].reduce((sum, { records }) => sum + records, 0);
    return { problems, records, partitions: census.size, verdicts, ...letters };
  } finally {
    await client.end();
  }
}

const VERDICTS = ['invalid', 'too_late', 'duplicate', 'invalid_traffic', 'double_click', 'bot', 'billable'];

/** Every record of every partition has one verdict, and the totals hold the billable ones. */
async function proveLedger(
  client: pg.Client,
  census: ReadonlyMap<number, PartitionCensus>,
  problems: string[],
): Promise<Record<string, number>> {
  const sums = VERDICTS.map((verdict) => `sum(${verdict})::float8 AS ${verdict}`).join(', ');
  const { rows } = await client.query<Record<string, number>>(
    `SELECT l.partition, p.position::float8, ${sums} FROM ledger AS l JOIN positions AS p USING (partition)
     GROUP BY l.partition, p.position`,
  );
  const counted = new Map(rows.map((row) => [row.partition!, row]));
  const verdicts: Record<string, number> = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0]));
  for (const [partition, { records, firstOffset, lastOffset }] of census) {
    const row = counted.get(partition);
    const inLedger = VERDICTS.reduce((sum, verdict) => sum + (row?.[verdict] ?? 0), 0);
    for (const verdict of VERDICTS) verdicts[verdict]! += row?.[verdict] ?? 0;
    if (inLedger !== records) {
      problems.push(`partition ${partition} holds ${records} records, the ledger has ${inLedger}`);
    }
    if (row?.position !== lastOffset + 1) {
      problems.push(`partition ${partition} ends at ${lastOffset}, the position is ${row?.position}`);
    }
    if (records !== lastOffset - firstOffset + 1) {
      problems.push(`partition ${partition} has holes: ${records} records up to offset ${lastOffset}`);
    }
  }
  const totals = await client.query<{ clicks: number }>(
    'SELECT coalesce(sum(clicks), 0)::float8 AS clicks FROM totals',
  );
  const { clicks } = totals.rows[0]!;
  if (clicks !== verdicts.billable) {
    problems.push(`the totals hold ${clicks} clicks, the ledger ${verdicts.billable} billable ones`);
  }
  return verdicts;
}

/** The letters of the store are those of the ledger, and the topic tells of each once, with its record's bytes. */
async function proveLetters(
  client: pg.Client,
  { brokers, letterTopic }: Evidence,
  { verdicts, bytes }: { verdicts: Readonly<Record<string, number>>; bytes: Census['bytes'] },
  problems: string[],
): Promise<Pick<Proof, 'deadLetters' | 'withdrawn'>> {
  const { rows } = await client.query<{ place: string; verdict: string }>(
    `SELECT partition || ':' || "offset" AS place, verdict FROM dead_letters`,
  );
  const stored = new Map(rows.map(({ place, verdict }) => [place, verdict]));
  for (const verdict of ['invalid', 'too_late', 'invalid_traffic', 'bot']) {
    const letters = rows.filter((row) => row.verdict === verdict).length;
    if (letters !== verdicts[verdict]) {
      problems.push(`${letters} dead letters are ${verdict}, of ${verdicts[verdict]} such records`);
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

interface Told {
  /** Verdict by `partition:offset`, as they stand after all events. */
  letters: Map<string, string>;
  /** How often each event of a store is there. */
  events: Map<string, number>;
  /** Digest of key and value by `partition:offset`, of the last letter that told of it. */
  bytes: Map<string, string>;
  withdrawn: number;
}

async function lettersOf(brokers: string, letterTopic: string): Promise<Told> {
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
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT partition, count(*)::DOUBLE AS records, count(DISTINCT "offset")::DOUBLE AS offsets,
         min("offset")::DOUBLE AS first, max("offset")::DOUBLE AS last
       FROM read_parquet(?, hive_partitioning = false) GROUP BY partition`,
      [join(lake, 'dt=*/hour=*/*.parquet')],
    );
    const kept = new Map(reader.getRowObjects().map((row) => [Number(row.partition), row]));
    for (const [partition, { records, firstOffset, lastOffset }] of census) {
      const row = kept.get(partition);
      const expected = { records, offsets: records, first: firstOffset, last: lastOffset };
      for (const [what, number] of Object.entries(expected)) {
        if (row?.[what] !== number) {
          problems.push(`the lake has ${what} ${row?.[what]} of partition ${partition}, the topic ${number}`);
        }
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
