// Dead letters in a topic, each exactly once: whatever is withdrawn, whoever publishes beside, and however often the
// run is killed while it publishes. LETTER_KILLS=30 kills more often, KILL_SEED=… repeats a seed (moments are real
// time: they vary a little).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import {
  readLetter,
  sequenceOf,
  type TopicLetter,
  type TopicRecord,
} from '../../src/adapters/kafka/dead-letters/letter-message.js';
import { startLetterPublisher } from '../../src/adapters/kafka/dead-letters/letter-publisher.js';
import { openTopicScan } from '../../src/adapters/kafka/topic-scan.js';
import { unmarkedId } from '../../src/commands/redrive-unmarked.js';
import type { DeadLetter } from '../../src/core/ports/commit.js';
import type { LetterOutbox } from '../../src/core/ports/letters.js';
import type { LedgerCounts, Store } from '../../src/core/ports/store.js';
import { BIN, clickAgg, temporaryDirectory } from '../cli/click-agg.js';
import { commitOf, deadLetter, randomBy } from '../contract/commits.js';
import { SERVICE_START_MS, service } from '../services.js';
import { asAdmin, clientOf, connectionTo, newTopic } from './clusters.js';

const KILLS = Number(process.env.LETTER_KILLS ?? 4);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
/** Records come between the kills: each run has letters to publish that no run before it had. */
const PART = 3000;
const RECORDS = PART * (KILLS + 1);
const EVENT_RATE = 50;
const START_MS = Date.parse('2026-02-22T00:00:00Z');
const PARTITIONS = 3;
/** How long a killed run keeps its place in the group. */
const SESSION = '4s';
const PATIENCE_MS = 60_000;

const directory = temporaryDirectory();
let address: string;
beforeAll(async () => {
  address = (await service('kafka')).brokers;
}, SERVICE_START_MS);
afterAll(() => directory.remove());

/** Everything committed that a topic holds, by partition in order. */
async function recordsIn(
  topic: string,
): Promise<{ key: string | undefined; value: string; record: TopicRecord }[]> {
  const scan = await openTopicScan(connectionTo(address), topic);
  try {
    const found: { key: string | undefined; value: string; record: TopicRecord }[] = [];
    const last = new Map<number, number>();
    const ranges = [...(await scan.ends())].map(([partition, { low, high }]) => {
      return [partition, [{ from: low, to: high }]] as const;
    });
    await scan.read(new Map(ranges), (partition, message) => {
      const record = readLetter(message);
      if (!record) throw new Error(`a record that is none of ours: ${JSON.stringify(message)}`);
      const sequence = sequenceOf(message)?.sequence ?? Number.NaN;
      expect(sequence, 'ascending in its partition').toBeGreaterThan(last.get(partition) ?? -1);
      last.set(partition, sequence);
      found.push({ key: message.key?.toString(), value: String(message.value ?? ''), record });
    });
    return found;
  } finally {
    await scan.close();
  }
}

function eventOf({ record }: { record: TopicRecord }): string {
  if ('letter' in record)
    return `${record.letter.partition}:${record.letter.offset} ${record.letter.verdict}`;
  if ('withdrawn' in record) return `${record.withdrawn.partition}:${record.withdrawn.offset} withdrawn`;
  return 'redriven';
}

describe('a publisher of dead letters', () => {
  let topic: string;
  let letterTopic: string;
  let store: Store & LetterOutbox;
  const warnings: string[] = [];

  beforeAll(async () => {
    topic = await newTopic(address, PARTITIONS);
    letterTopic = await newTopic(address, 2);
    store = await openStore(join(directory.path, 'publisher.duckdb'));
    const producer = clientOf(address).producer();
    await producer.connect();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const messages = Array.from({ length: 3000 }, (_, n) => ({
        ...{ partition, key: `k${n}`, value: `original ${partition}:${n}` },
      }));
      await producer.send({ topic, messages });
    }
    await producer.disconnect();
  });
  afterAll(() => store.close());

  const publisher = (group = topic) =>
    startLetterPublisher({
      ...{ outbox: store, group, topic: letterTopic, connection: connectionTo(address) },
      origin: { topic, methodHash: 'hash', methodVersion: 1 },
      warn: (line) => warnings.push(line),
    });
  const bot = (partition: number, offset: number): DeadLetter => ({
    ...deadLetter({ partition, offset }),
    ...{ verdict: 'bot', reason: 'many clicks', clickId: 'c' },
  });

  test('sends original keys and bytes, tells what is gone, and takes back what was withdrawn', async () => {
    const bytes = Buffer.from('bad \u0000 bytes');
    const bad = { partition: 1, offset: 7, key: Buffer.from('k'), value: bytes, valueBytes: bytes.length };
    await store.commit(commitOf({ deadLetters: [deadLetter(bad), bot(0, 3), bot(2, 2999), bot(2, 99_999)] }));
    await store.commit(commitOf({ withdrawn: [{ partition: 0, offset: 3 }] }));
    expect(await publisher().finish(PATIENCE_MS)).toEqual({ waiting: 0, trouble: undefined });
    const records = await recordsIn(letterTopic);
    expect(new Map(records.map((one) => [eventOf(one), [one.key, one.value]]))).toEqual(
      new Map([
        ['1:7 invalid', ['k', bytes.toString()]],
        ['0:3 bot', ['k3', 'original 0:3']],
        ['2:2999 bot', ['k2999', 'original 2:2999']],
        ['2:99999 bot', [undefined, '']],
        ['0:3 withdrawn', ['k3', '']],
      ]),
    );
    const letters = records.flatMap(({ record }) => ('letter' in record ? [record.letter] : []));
    expect(letters.map(({ offset, original }) => [offset, original])).toContainEqual([99_999, 'gone']);
    expect(letters[0]).toMatchObject({ topic, methodHash: 'hash', reason: expect.any(String) });
  });

  test('takes the bytes that are at hand, without looking into the topic of the clicks', async () => {
    const own = await openStore(join(directory.path, 'at-hand.duckdb'));
    await own.commit(commitOf({ deadLetters: [bot(2, 100_001), bot(2, 100_002)] }));
    const ownTopic = await newTopic(address, 2);
    const atHand = (partition: number, offset: number) => ({
      key: undefined,
      value: Buffer.from(`at hand ${partition}:${offset}`),
    });
    const nowhere = { topic: 'a-topic-that-is-not-there', methodHash: 'hash', methodVersion: 1 };
    const one = startLetterPublisher({
      ...{ outbox: own, group: ownTopic, topic: ownTopic, connection: connectionTo(address) },
      ...{ origin: nowhere, atHand, warn: (line: string) => warnings.push(line) },
    });
    expect(await one.finish(PATIENCE_MS)).toEqual({ waiting: 0, trouble: undefined });
    await own.close();
    expect((await recordsIn(ownTopic)).map((record) => [eventOf(record), record.value])).toEqual([
      ['2:100001 bot', 'at hand 2:100001'],
      ['2:100002 bot', 'at hand 2:100002'],
    ]);
  });

  test('goes on where the topic ends, also when two of them publish at a time', async () => {
    const before = (await recordsIn(letterTopic)).length;
    const letters = Array.from({ length: 3000 }, (_, n) => bot(n % PARTITIONS, n % 2999));
    for (let i = 0; i < letters.length; i += 1000)
      await store.commit(commitOf({ deadLetters: letters.slice(i, i + 1000) }));
    const several = [publisher(), publisher(), publisher()];
    const ends = await Promise.all(several.map((one) => one.finish(PATIENCE_MS)));
    expect(ends.map(({ waiting }) => waiting)).toEqual([0, 0, 0]);
    const records = await recordsIn(letterTopic);
    expect(records.length).toBe(before + letters.length);
    // The events of the store, and nothing else.
    const events = await store.letterEvents(-1, 10_000);
    const sequences = records.flatMap(({ record }) => ('sequence' in record ? [record.sequence] : []));
    expect(sequences.sort((a, b) => a - b)).toEqual(events.map(({ sequence }) => sequence));
  });

  test('lets the command read them and send them again, each once', async () => {
    const click = {
      ...{ click_id: 'c-1', event_time: new Date().toISOString(), ad_id: 'ad-1', campaign_id: 'campaign-1' },
      ...{ user_id: 'u-1', ip_address: '192.0.2.1', country: 'DE', device_type: 'mobile' },
    };
    const value = Buffer.from(JSON.stringify(click, null, 1));
    const early = {
      partition: 1,
      offset: 500,
      reason: 'from_the_future',
      key: Buffer.from('a key of its own'),
    };
    await store.commit(
      commitOf({ deadLetters: [deadLetter({ ...early, value, valueBytes: value.length }), bot(0, 2999)] }),
    );
    await publisher().finish(PATIENCE_MS);
    const where = ['--brokers', address, '--topic', topic, '--dead-letter-topic', letterTopic, '--json'];
    const redrive = (...places: string[]) =>
      clickAgg(['dead-letters', 'redrive', ...where, ...places.flatMap((place) => ['--at', place])], {
        cwd: directory.path,
      });
    const [first, second] = await Promise.all([redrive('1:500'), redrive('1:500')]);
    // One of them sent it; the other one was fenced, or came when it was done.
    expect([first!.code, second!.code].sort(), first!.stderr + second!.stderr).toEqual([0, 1]);
    const third = await redrive('1:500');
    expect([third.code, third.stderr]).toEqual([1, expect.stringContaining('was sent again already')]);
    expect((await redrive('0:2999')).stderr).toContain("a bot's click");

    const sent: [string | undefined, string | undefined][] = [];
    const scan = await openTopicScan(connectionTo(address), topic);
    const { high } = (await scan.ends()).get(1)!;
    await scan.read(new Map([[1, [{ from: 3000, to: high }]]]), (_, message) => {
      sent.push([message.key?.toString(), message.value?.toString()]);
    });
    await scan.close();
    expect(sent).toEqual([['a key of its own', value.toString()]]);

    const list = ['dead-letters', 'list', ...where, '--reason', 'from_the_future'];
    expect(JSON.parse(await succeed(list))).toMatchObject([{ offset: 500, redriven_at: expect.any(String) }]);
    const counts = JSON.parse(await succeed(['dead-letters', 'count', ...where])) as { count: number }[];
    const standing = await store.deadLetters({
      verdict: undefined,
      reason: undefined,
      at: [],
      limit: 10_000,
    });
    const places = new Set(standing.map(({ partition, offset }) => `${partition}:${offset}`));
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(places.size);
  });

  test('lets the command bill a click that was wrongly marked, once, by a record beside its own', async () => {
    const mark = 'crawler (isbot 5.1.31)';
    const click = {
      ...{ click_id: 'c-2', event_time: new Date().toISOString(), ad_id: 'ad-1', campaign_id: 'campaign-1' },
      ...{ user_id: 'u-2', ip_address: '192.0.2.2', country: 'DE', device_type: 'mobile' },
      ...{ invalid_traffic: mark, extra: 12 },
    };
    const producer = clientOf(address).producer();
    await producer.connect();
    const messages = [{ partition: 2, key: 'ad-1', value: JSON.stringify(click) }];
    const [sent] = await producer.send({ topic, messages });
    await producer.disconnect();
    const offset = Number(sent!.baseOffset);
    const letter = { ...bot(2, offset), verdict: 'invalid_traffic', reason: mark, clickId: 'c-2' } as const;
    await store.commit(commitOf({ deadLetters: [letter] }));
    await publisher().finish(PATIENCE_MS);

    const where = ['--brokers', address, '--topic', topic, '--dead-letter-topic', letterTopic, '--json'];
    const redrive = (...args: string[]) =>
      clickAgg(['dead-letters', 'redrive', ...where, '--at', `2:${offset}`, ...args], {
        cwd: directory.path,
      });
    expect((await redrive()).stderr).toContain('marked as invalid traffic');
    const billed = await redrive('--unmark');
    expect(billed.code, billed.stderr).toBe(0);
    expect(JSON.parse(billed.stdout)).toEqual({ sent: 1, to: `topic ${topic}` });
    expect((await redrive('--unmark')).stderr).toContain('was sent again already');

    const found: [string | undefined, unknown][] = [];
    const scan = await openTopicScan(connectionTo(address), topic);
    const { high } = (await scan.ends()).get(2)!;
    await scan.read(new Map([[2, [{ from: offset + 1, to: high }]]]), (_, message) => {
      found.push([message.key?.toString(), JSON.parse(String(message.value))]);
    });
    await scan.close();
    const { invalid_traffic: _, ...unmarked } = click;
    expect(found).toEqual([['ad-1', { ...unmarked, click_id: unmarkedId('c-2'), unmarks: 'c-2' }]]);
    const list = ['dead-letters', 'list', ...where, '--verdict', 'invalid_traffic'];
    expect(JSON.parse(await succeed(list))).toMatchObject([{ offset, redriven_at: expect.any(String) }]);
  });

  test('without a topic leaves them in the store, and says so', async () => {
    const nowhere = startLetterPublisher({
      ...{ outbox: store, group: 'g', topic: `${letterTopic}-none`, connection: connectionTo(address) },
      origin: { topic, methodHash: 'hash', methodVersion: 1 },
      warn: (line) => warnings.push(line),
    });
    const { waiting, trouble } = await nowhere.finish(PATIENCE_MS);
    expect([waiting > 0 || trouble, trouble]).toEqual([expect.anything(), 'it is not there']);
  });
});

interface Log {
  topic: string;
  letterTopic: string;
  options: string[];
}

/** An empty log, and where its letters go. */
async function newLog(): Promise<Log> {
  const topic = await newTopic(address, PARTITIONS, { 'max.message.bytes': '2097152' });
  // It refuses records that are too long for the counting method: they come cut.
  const letterTopic = await newTopic(address, 2);
  const where = ['--brokers', address, '--topic', topic];
  const data = ['--data-dir', join(directory.path, 'killed')];
  return { topic, letterTopic, options: [...where, ...data, '--dead-letter-topic', letterTopic] };
}

/** Adds the next part of the records, of which many are not billed. */
async function addPart({ topic }: Log, part: number): Promise<void> {
  const start = new Date(START_MS + ((part * PART) / EVENT_RATE) * 1000).toISOString();
  const shares = ['--malformed', '0.05', '--bots', '0.2', '--too-late', '0.02', '--late', '0.05'];
  const load = [
    '--count',
    String(PART),
    '--event-rate',
    String(EVENT_RATE),
    '--day-night',
    '0',
    '--start',
    start,
  ];
  const seed = ['--seed', String(SEED + part)];
  await succeed(['loadgen', '--brokers', address, '--topic', topic, ...load, ...seed, ...shares]);
}

async function succeed(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await clickAgg(args, { cwd: directory.path });
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Starts a run that has something to publish, and kills it some time after it has begun to. */
async function killedRun({ options, letterTopic }: Log, afterMs: number): Promise<void> {
  const args = [BIN, 'run', ...options, '--commit-every', '50ms', '--kafka-session-timeout', SESSION];
  await asAdmin(address, async (admin) => {
    const before = await endOf(admin, letterTopic);
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    while (child.exitCode === null && (await endOf(admin, letterTopic)) === before) await sleep(10);
    await Promise.race([sleep(afterMs), ended]);
    expect(child.exitCode, log).toBeNull();
    child.kill('SIGKILL');
    await ended;
  });
}

/** Sum of the partitions' ends, what is not committed yet included. */
async function endOf(admin: Admin, topic: string): Promise<number> {
  const partitions = await admin.fetchTopicOffsets(topic);
  return partitions.reduce((sum, { high }) => sum + Number(high), 0);
}

test(`a run that is killed ${KILLS} times publishes every letter once (KILL_SEED=${SEED})`, async () => {
  const random = randomBy(SEED);
  const log = await newLog();
  const seen: number[] = [];
  for (let i = 0; i < KILLS; i++) {
    await addPart(log, i);
    await killedRun(log, 400 * random());
    seen.push((await recordsIn(log.letterTopic)).length);
  }
  await addPart(log, KILLS);
  await succeed(['run', ...log.options, '--until-end', '--kafka-session-timeout', SESSION]);
  const records = await recordsIn(log.letterTopic);
  console.info(`${seen.join(', ')} of ${records.length} events published at the kills (KILL_SEED=${SEED})`);

  const standing = new Map<string, TopicLetter>();
  for (const { record } of records) {
    if ('letter' in record) {
      const place = `${record.letter.partition}:${record.letter.offset}`;
      expect(standing.has(place), `${place} is there twice`).toBe(false);
      standing.set(place, record.letter);
    } else if ('withdrawn' in record) {
      const { partition, offset } = record.withdrawn;
      expect(standing.delete(`${partition}:${offset}`), 'withdrawn before it was there').toBe(true);
    }
  }
  const data = ['--data-dir', join(directory.path, 'killed'), '--json'];
  const ledger = JSON.parse(await succeed(['query', '--ledger', ...data])) as LedgerCounts;
  expect(ledger.records).toBe(RECORDS);
  for (const verdict of ['invalid', 'too_late', 'bot'] as const) {
    const letters = [...standing.values()].filter((letter) => letter.verdict === verdict);
    expect(letters.length, verdict).toBe(ledger[verdict]);
    expect(letters.length, verdict).toBeGreaterThan(0);
  }
  const store = await openStore(join(directory.path, 'killed', 'store.duckdb'));
  const stored = await store.deadLetters({ verdict: undefined, reason: undefined, at: [], limit: RECORDS });
  await store.close();
  expect(new Set(stored.map(shortOf))).toEqual(new Set([...standing.values()].map(shortOf)));
  await expectOriginals(log, [...standing.values()]);
});

function shortOf({ partition, offset, verdict, reason }: DeadLetter): string {
  return `${partition}:${offset} ${verdict} ${reason}`;
}

/** Key and value are those of the record that the letter names. */
async function expectOriginals({ topic }: Log, letters: readonly TopicLetter[]): Promise<void> {
  const wanted = new Map(letters.map((letter) => [`${letter.partition}:${letter.offset}`, letter]));
  const scan = await openTopicScan(connectionTo(address), topic);
  const ranges = [...(await scan.ends())].map(([partition, { low, high }]) => {
    return [partition, [{ from: low, to: high }]] as const;
  });
  let compared = 0;
  await scan.read(new Map(ranges), (partition, { offset, key, value }) => {
    const letter = wanted.get(`${partition}:${offset}`);
    if (!letter) return;
    compared++;
    const bytes = Buffer.from(letter.value ?? []);
    const original = value ?? Buffer.alloc(0);
    const same =
      Buffer.from(letter.key ?? []).equals(key ?? Buffer.alloc(0)) &&
      bytes.equals(letter.original === 'cut' ? original.subarray(0, 262_144) : original);
    if (!same) throw new Error(`${partition}:${offset} is not as it came`);
  });
  await scan.close();
  expect(compared).toBe(letters.length);
}
