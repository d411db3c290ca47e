// Several processes, real Kafka, real PostgreSQL: the one that counts is killed or falls asleep, the server of the
// totals dies, partitions are added, records are deleted, and all the while clicks come. What is counted in the end
// must be what a run that nobody disturbed counts. FAILOVER_SEED=… repeats a load.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type OwnService, ownService, SERVICE_START_MS, service } from '../services.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';
import {
  asAdmin,
  countedIn,
  loadOf,
  outcomeOf,
  type Process,
  recordsIn,
  startClickAgg,
  succeed,
  until,
} from './topic-runs.js';

const SEED = Number(process.env.FAILOVER_SEED ?? Date.now() % 1_000_000);
const STANDS_BY = 'standing by for topic';
const COUNTS = 'counting topic';
/** A click's `--start`, and how many of them make a second of event time. */
const START_MS = Date.parse('2026-02-22T10:00:00Z');
const EVENT_RATE = 60;

const directory = temporaryDirectory();
const processes: Process[] = [];
let brokers: string;
let postgres: OwnService<'postgres'>;

beforeAll(async () => {
  brokers = (await service('kafka')).brokers;
  postgres = await ownService('postgres');
}, SERVICE_START_MS);
afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.signal('SIGCONT');
    await one.kill();
  }
});
afterAll(async () => {
  await postgres?.remove();
  directory.remove();
});

let names = 0;
const newName = (): string => `failover-${process.pid}-${names++}`;
const storeAt = (schema: string): string => `${postgres.address.url}?schema=${schema.replaceAll('-', '_')}`;

async function newTopic(partitions: number): Promise<string> {
  const topic = newName();
  await succeed([
    'topics',
    'create',
    '--brokers',
    brokers,
    '--topic',
    topic,
    '--partitions',
    `${partitions}`,
  ]);
  return topic;
}

function runOn(topic: string, store: string, more: readonly string[] = []): string[] {
  const cluster = ['--brokers', brokers, '--topic', topic, '--kafka-session-timeout', '2s'];
  // Their way to a topic has tests of its own; here they are compared in the store.
  cluster.push('--dead-letter-topic', 'none');
  return ['run', ...cluster, '--store', store, '--data-dir', join(directory.path, newName()), ...more];
}

function start(name: string, args: readonly string[]): Process {
  const started = startClickAgg(name, args);
  processes.push(started);
  return started;
}

/** Clicks of every kind, `first` clicks after the start of the load; at `rate` a second of real time. */
function load(
  topic: string,
  { first, count, rate }: { first: number; count: number; rate?: number },
): string[] {
  const start = new Date(START_MS + (first / EVENT_RATE) * 1000).toISOString();
  return loadOf({ brokers, topic, seed: SEED + first, count, start, eventRate: EVENT_RATE, rate });
}

/** What a run of a group and store of its own counts that nobody disturbs. */
async function undisturbed(topic: string): Promise<string> {
  const store = storeAt(newName());
  await succeed(runOn(topic, store, ['--group', newName(), '--until-end']));
  return await outcomeOf(store);
}

test(`killed, paused, without its store, with more partitions: the totals of an undisturbed run (FAILOVER_SEED=${SEED})`, async () => {
  const topic = await newTopic(4);
  const store = storeAt(newName());
  const group = ['--group', newName(), '--commit-every', '50ms'];
  const counted = (atLeast: number) =>
    until(`${atLeast} records are counted`, async () => (await countedIn(store)) >= atLeast);

  const allCounted = async () => counted(await recordsIn(brokers, topic));

  const first = start('the first', runOn(topic, store, group));
  await first.says(COUNTS);
  const second = start('the second', runOn(topic, store, group));
  await second.says(STANDS_BY);
  const firstLoad = start('the first load', load(topic, { first: 0, count: 24_000, rate: 6000 }));
  await counted(4000);
  await first.kill();
  await second.says(COUNTS);
  const third = start('the third', runOn(topic, store, group));
  await third.says(STANDS_BY);
  expect(await firstLoad.ended).toBe(0);

  const secondLoad = start('the second load', load(topic, { first: 24_000, count: 24_000, rate: 6000 }));
  await counted(28_000);
  second.signal('SIGSTOP');
  await third.says(COUNTS);
  expect(await secondLoad.ended).toBe(0);
  await allCounted();
  second.signal('SIGCONT');
  await second.says(STANDS_BY, 2);

  await postgres.kill();
  await succeed(load(topic, { first: 48_000, count: 8000 }));
  await third.says('waiting up to');
  await postgres.start();
  await allCounted();

  await asAdmin(brokers, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 7 }] }));
  await succeed(load(topic, { first: 56_000, count: 20_000 }));
  await allCounted();

  third.signal('SIGTERM');
  expect(await third.ended).toBe(0);
  await second.says(COUNTS, 1);
  second.signal('SIGTERM');
  expect(await second.ended).toBe(0);
  expect(third.said(), 'no stack').not.toMatch(/^\s+at /m);

  const expected = await undisturbed(topic);
  expect(JSON.parse(expected).ledger).toHaveLength(7);
  if ((await outcomeOf(store)) !== expected) expect(await outcomeOf(store)).toBe(expected);
});

test('a partition that retention has emptied is begun where it begins; one that it has passed stops the run in a line', async () => {
  const topic = await newTopic(2);
  const store = storeAt(newName());
  await succeed(load(topic, { first: 0, count: 2000 }));
  const deleteAll = (): Promise<void> =>
    asAdmin(brokers, async (admin) => {
      const ranges = await admin.fetchTopicOffsets(topic);
      const { high } = ranges.find(({ partition }) => partition === 1)!;
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: high }] });
    });
  await deleteAll();
  const runToEnd = runOn(topic, store, ['--until-end']);
  await succeed(runToEnd);
  expect(await countedIn(store)).toBe(await recordsIn(brokers, topic));
  await succeed(runToEnd);

  const before = await outcomeOf(store);
  await succeed(load(topic, { first: 2000, count: 2000 }));
  await deleteAll();
  const { code, stderr } = await clickAgg([...runToEnd, '--quiet']);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^click-agg: offset \d+ of partition 1 .* is due, but retention has deleted all before \d+\n/,
  );
  expect(await outcomeOf(store)).toBe(before);
});

test('another log, another group or a topic that is gone ends the run in a line', async () => {
  const topic = await newTopic(2);
  const store = storeAt(newName());
  await succeed(load(topic, { first: 0, count: 500 }));
  await succeed(runOn(topic, store, ['--until-end']));
  const other = await newTopic(2);
  for (const args of [runOn(other, store), runOn(topic, store, ['--group', newName()])]) {
    const { code, stderr } = await clickAgg([...args, '--until-end', '--quiet']);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^click-agg: this store (has counted kafka|is counted into by the consumer group)/,
    );
  }
  const standby = start('the standby', runOn(topic, `${postgres.address.url}_missing`));
  expect(await standby.ended, 'a store that can’t be used is told before the turn').toBe(1);
  expect(standby.said()).toMatch(/^click-agg: .*_missing/m);
  expect(standby.said()).not.toContain(COUNTS);
  const counting = start('the run', runOn(topic, store));
  await counting.says(COUNTS);
  await asAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
  expect(await counting.ended).toBe(1);
  expect(counting.said()).toContain(`click-agg: there is no topic ${topic} on Kafka`);
  expect(await countedIn(store)).toBe(500);
});

test('with a store in a file the next one waits for a paused owner to let go of it', async () => {
  const topic = await newTopic(2);
  await succeed(load(topic, { first: 0, count: 500 }));
  const dataDir = ['--data-dir', join(directory.path, newName())];
  const first = start('the first', [...runOn(topic, 'duckdb'), ...dataDir]);
  await first.says(COUNTS);
  const second = start('the second', [...runOn(topic, 'duckdb'), ...dataDir]);
  await second.says(STANDS_BY);
  first.signal('SIGSTOP');
  await second.says('is counted into by another process');
  expect(second.said()).not.toContain(COUNTS);
  first.signal('SIGCONT');
  await first.says(STANDS_BY, 2);
  await second.says(COUNTS);
  await second.kill();
  await first.says(COUNTS, 2);
  first.signal('SIGTERM');
  expect(await first.ended).toBe(0);
  const { stdout } = await clickAgg(['query', '--ledger', '--json', ...dataDir, '--quiet']);
  expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({ records: 500 });
});
