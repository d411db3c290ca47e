// Several processes on one topic, and a log or a broker that isn't what it was: one member reads, another takes
// over; what was lost is said in a line and never passed over.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { KafkaConnection } from '../../src/adapters/kafka/connection.js';
import { type KafkaSource, kafkaSource } from '../../src/adapters/kafka/kafka-source.js';
import { topicWriter } from '../../src/adapters/kafka/topic-writer.js';
import type { Positions } from '../../src/core/ports/log.js';
import { UserError } from '../../src/errors.js';
import { batchOf } from '../adapters/embedded-logs.js';
import { until } from '../cli/topic-runs.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../services.js';
import { asAdmin, connectionTo, newTopic, untilLed } from './clusters.js';

let broker: OwnService<'kafka'>;
let address: string;
const opened: KafkaSource[] = [];
const warnings: string[] = [];

beforeAll(async () => {
  broker = await ownService('kafka');
  address = broker.address.brokers;
}, SERVICE_START_MS);

afterEach(async () => {
  for (const source of opened.splice(0)) await source.close();
  warnings.length = 0;
});

afterAll(async () => {
  await broker?.remove();
});

/** A connection whose sessions end soon. */
function brief(sessionTimeoutMs: number): KafkaConnection {
  return connectionTo(address, { sessionTimeoutMs, connectTimeoutMs: 1000 });
}

async function open(topic: string, group?: string): Promise<KafkaSource> {
  const source = await kafkaSource({
    connection: brief(5000),
    topic,
    group,
    warn: (line) => warnings.push(line),
  });
  opened.push(source);
  return source;
}

/** Writes values `from` to `to` round the partitions. */
async function write(topic: string, from: number, to: number): Promise<void> {
  const writer = await topicWriter({ connection: connectionTo(address), topic, warn: () => {} });
  const records = Array.from({ length: to - from }, (_, i) => ({
    partition: (from + i) % writer.partitions,
    value: String(from + i),
  }));
  await writer.append(batchOf(records));
  await writer.close();
}

interface Reading {
  values: number[];
  /** Settles as the reading ends: undefined, or why it failed. */
  ended: Promise<unknown>;
  stop(): void;
}

/** Reads on and on. */
function follow(source: KafkaSource, positions: Positions = new Map(), untilEnd = false): Reading {
  const stopping = new AbortController();
  const values: number[] = [];
  const ended = (async () => {
    try {
      for await (const batch of source.read({ positions, untilEnd, signal: stopping.signal })) {
        const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
        for (let i = 0; i < batch.count; i++)
          values.push(Number(bytes.toString('utf8', batch.valueStart[i], batch.valueEnd[i])));
      }
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  return { values, ended, stop: () => stopping.abort() };
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const forever = new AbortController().signal;

test('one member reads all partitions; one that joins doesn’t disturb it, and takes over when it leaves', async () => {
  const topic = await newTopic(address, 3);
  const first = await open(topic, topic);
  const reading = follow(first);
  await write(topic, 0, 300);
  await until('the first reads', () => reading.values.length === 300);

  const second = await open(topic, topic);
  const third = await open(topic, topic);
  const actives: string[] = [];
  void second.membership!.active(forever).then(() => actives.push('second'));
  void third.membership!.active(forever).then(() => actives.push('third'));
  await until('all are in the group', async () => (await membersOf(topic)) === 3);
  await write(topic, 300, 600);
  await until('the first reads on', () => reading.values.length === 600);
  expect(sorted(reading.values)).toEqual(numbers(0, 600));
  expect(actives).toEqual([]);

  opened.splice(opened.indexOf(first), 1);
  await first.close();
  await until('another takes over', () => actives.length > 0);
  expect(actives).toEqual(['second']);
});

test('members of one group that want different topics don’t wait for each other', async () => {
  const topics = [await newTopic(address, 3), await newTopic(address, 1)] as const;
  const group = `shared-${topics[0]}`;
  const opening = await Promise.all(topics.map((topic) => open(topic, group)));
  const readings = opening.map((source) => follow(source));
  for (const topic of topics) await write(topic, 0, 90);
  await until('both read', () => readings.every(({ values }) => values.length === 90));

  // One of them leads the group, and is not asked for the partitions of the other's topic.
  const standby = await open(topics[1], group);
  let isActive = false;
  void standby.membership!.active(forever).then(() => (isActive = true));
  for (const topic of topics) {
    await asAdmin(address, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] }));
    await write(topic, 90, 300);
  }
  await until('both read what was added', () => readings.every(({ values }) => values.length === 300));
  for (const { values } of readings) expect(sorted(values)).toEqual(numbers(0, 300));
  expect(isActive).toBe(false);

  opened.splice(opened.indexOf(opening[1]!), 1);
  await opening[1]!.close();
  await until('the other of the same topic takes over', () => isActive);
  await write(topics[0], 300, 400);
  await until('the first topic is read on', () => readings[0]!.values.length === 400);
});

/** How many members its group has, as the broker sees it. */
async function membersOf(group: string): Promise<number> {
  const { groups } = await asAdmin(address, (admin) => admin.describeGroups([group]));
  return groups[0]!.members.length;
}

test('a member that falls silent is replaced, and told so when it wakes up; one that is killed is, too', async () => {
  const topic = await newTopic(address, 2);
  await write(topic, 0, 100);
  const first = startMember(topic);
  // Not the last that they said: they may have been warned since.
  const says = ({ said }: Member, words: string) => until(`it says ${words}`, () => said.includes(words));
  await says(first, 'read 100');
  const second = startMember(topic);
  first.process.kill('SIGSTOP');
  await says(second, 'read 100');
  first.process.kill('SIGCONT');
  await says(first, 'lost');
  await write(topic, 100, 200);
  await says(second, 'read 200');
  expect(first.said).not.toContain('read 200');
  second.process.kill('SIGKILL');
  await says(first, 'read 200');
  first.process.kill('SIGKILL');
});

interface Member {
  process: ChildProcess;
  said: string[];
}

/** A member in a process of its own. */
function startMember(topic: string): Member {
  const script = join(import.meta.dirname, 'member.mjs');
  const child = spawn(process.execPath, [script, JSON.stringify(brief(4000)), topic], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  return { process: child, said };
}

test('committed offsets are what was reported, and are not where reading begins', async () => {
  const topic = await newTopic(address, 2);
  await write(topic, 0, 200);
  const source = await open(topic, topic);
  const reading = follow(source);
  await until('it reads', () => reading.values.length === 200);
  await source.membership!.report(
    new Map([
      [0, 70],
      [1, 30],
    ]),
  );
  const committed = await asAdmin(address, async (admin) =>
    admin.fetchOffsets({ groupId: topic, topics: [topic] }),
  );
  const offsets = committed[0]!.partitions.map(({ partition, offset }) => [partition, Number(offset)]);
  expect(Object.fromEntries(offsets)).toEqual({ 0: 70, 1: 30 });
  reading.stop();
  expect(await reading.ended).toBeUndefined();
  const again = follow(source, new Map([[0, 90]]), true);
  expect(await again.ended).toBeUndefined();
  expect(again.values).toHaveLength(110);
});

test('partitions that are added are read from their first record', async () => {
  const topic = await newTopic(address, 1);
  const source = await open(topic, topic);
  const reading = follow(source);
  await write(topic, 0, 50);
  await until('it reads', () => reading.values.length === 50);
  await asAdmin(address, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }));
  await write(topic, 50, 200);
  await until('it reads the new partitions', () => reading.values.length === 200);
  expect(sorted(reading.values)).toEqual(numbers(0, 200));
});

test('a broker that is gone is waited for, with a warning; nothing is read twice or left out', async () => {
  const topic = await newTopic(address, 3);
  await write(topic, 0, 3000);
  const source = await open(topic, topic);
  const reading = follow(source);
  await until('it reads', () => reading.values.length === 3000);
  await broker.kill();
  expect((await source.ends()).get(0)).toBe(1000);
  await until('it warns', () => warnings.length > 0);
  expect(warnings.length).toBeLessThan(4);
  await broker.start();
  await write(topic, 3000, 6000);
  await until('it reads on', () => reading.values.length >= 6000);
  reading.stop();
  expect(await reading.ended).toBeUndefined();
  expect(sorted(reading.values)).toEqual(numbers(0, 6000));
});

test('an offset that retention has deleted ends the reading in a line, at the start and on the way', async () => {
  const topic = await newTopic(address, 1, { 'segment.bytes': '1048576' });
  await write(topic, 0, 100);
  const source = await open(topic);
  await asAdmin(address, async (admin) => {
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '60' }] });
  });
  const passed = await follow(source, new Map([[0, 59]]), true).ended;
  expect(passed).toBeInstanceOf(UserError);
  expect((passed as UserError).message).toMatch(
    /^offset 59 of partition 0 .* retention has deleted all before 60$/,
  );
  const fromFirst = follow(await open(topic), new Map(), true);
  expect(await fromFirst.ended).toBeUndefined();
  expect(fromFirst.values).toEqual(numbers(60, 100));
});

test('a log that is shorter than what was read ends the reading in a line', async () => {
  const topic = await newTopic(address, 1);
  await write(topic, 0, 10);
  const error = await follow(await open(topic), new Map([[0, 11]]), true).ended;
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).toMatch(/ends at offset 10, before offset 11 that was read$/);
});

test('a topic that is deleted ends the reading in a line', async () => {
  const topic = await newTopic(address, 2);
  await write(topic, 0, 10);
  const source = await open(topic, topic);
  const reading = follow(source);
  await until('it reads', () => reading.values.length === 10);
  await asAdmin(address, (admin) => admin.deleteTopics({ topics: [topic] }));
  const error = await reading.ended;
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).toMatch(/^there is no topic t-/);
});

test('a topic made anew under its name is not read on as if it were the old one', async () => {
  const topic = await newTopic(address, 1);
  await write(topic, 0, 100);
  const source = await open(topic, topic);
  const reading = follow(source);
  await until('it reads', () => reading.values.length === 100);
  await asAdmin(address, async (admin) => {
    await admin.deleteTopics({ topics: [topic] });
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] });
    await untilLed(admin, topic);
  });
  await write(topic, 1000, 1010);
  const error = await reading.ended;
  expect(error).toBeInstanceOf(UserError);
  expect(reading.values).toHaveLength(100);
});
