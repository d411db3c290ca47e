// Retention has deleted what a run needs again, and a lake has it: the run takes it from there, and its totals are what
// the recomputation finds. ARCHIVE_SEED=… repeats the loads.
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lettersOf } from '../../src/torture/proof.js';
import { takeCensus } from '../../src/torture/topic-census.js';
import { SERVICE_START_MS, service } from '../services.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';
import { asAdmin, loadOf, recordsIn, succeed } from './topic-runs.js';

const SEED = Number(process.env.ARCHIVE_SEED ?? Date.now() % 1_000_000);
const START = '2026-02-22T10:00:00Z';
const directory = temporaryDirectory();
let brokers: string;

beforeAll(async () => {
  brokers = (await service('kafka')).brokers;
}, SERVICE_START_MS);
afterAll(() => directory.remove());

interface Place {
  topic: string;
  dataDir: string;
  run: string[];
  lake: string[];
  reconcile: string[];
  /** Clicks of all kinds; a second of event time for each 60 of them, unless told. */
  load(count: number, start: string, eventRate?: number): string[];
}

let places = 0;

async function newPlace(partitions: number): Promise<Place> {
  const topic = `archive-${process.pid}-${places++}`;
  const dataDir = join(directory.path, topic);
  const cluster = ['--brokers', brokers, '--topic', topic];
  await succeed(['topics', 'create', ...cluster, '--partitions', `${partitions}`]);
  return {
    topic,
    dataDir,
    run: ['run', ...cluster, '--data-dir', dataDir, '--dead-letter-topic', 'none', '--until-end'],
    lake: ['lake', ...cluster, '--data-dir', dataDir, '--until-end'],
    reconcile: ['reconcile', '--data-dir', dataDir, '--json'],
    load: (count, start, eventRate = 60) =>
      loadOf({ brokers, topic, seed: SEED + places, count, start, eventRate }),
  };
}

/** Deletes the records of these partitions, up to that share of them. */
async function deleteRecords(topic: string, shares: Readonly<Record<number, number>>): Promise<void> {
  await asAdmin(brokers, async (admin) => {
    const partitions = (await admin.fetchTopicOffsets(topic)).flatMap(({ partition, high }) => {
      const share = shares[partition];
      return share === undefined ? [] : [{ partition, offset: `${Math.floor(Number(high) * share)}` }];
    });
    await admin.deleteTopicRecords({ topic, partitions });
  });
}

async function expectAgreement({ reconcile }: Place, records: number): Promise<void> {
  const { code, stdout, stderr } = await clickAgg(reconcile);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ agree: true, differences: [], ledger: { records } });
}

test(`a run that stood still for longer than retention goes on from the lake (ARCHIVE_SEED=${SEED})`, async () => {
  const place = await newPlace(3);
  const { topic, run, lake, load } = place;
  await succeed(load(6000, START));
  await succeed(run);
  await succeed(load(12_000, '2026-02-22T10:01:00Z'));
  const records = await recordsIn(brokers, topic);
  await succeed(lake);
  await deleteRecords(topic, { 0: 1, 1: 0.6 });

  const without = await clickAgg([...run, '--quiet']);
  expect(without.code).toBe(1);
  expect(without.stderr).toMatch(
    /^click-agg: offset \d+ of partition \d .* retention has deleted all before/,
  );
  expect(without.stderr).toContain('--archive');

  const { code, stderr } = await clickAgg([...run, '--archive']);
  expect(code).toBe(0);
  expect(stderr).toContain(`reading what is missing there from the lake ${join(place.dataDir, 'lake')}`);
  await expectAgreement(place, records);
});

test('what the log still has is read there, so that dead letters carry the bytes that came', async () => {
  const place = await newPlace(2);
  const { topic, dataDir, lake, load } = place;
  const run = place.run.filter((arg) => !['--dead-letter-topic', 'none'].includes(arg));
  await succeed(load(6000, START));
  await succeed(run);
  await succeed(load(12_000, '2026-02-22T10:01:00Z'));
  await succeed(lake);
  await deleteRecords(topic, { 0: 0.7 });
  const { partitions, bytes } = await takeCensus(brokers, topic);
  const { code, stderr } = await clickAgg([...run, '--archive', join(dataDir, 'lake')]);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('reading what is missing there from the lake');

  const letters = [...(await lettersOf(brokers, `${topic}.dead-letters`)).bytes].filter(([at]) => {
    const [partition, offset] = at.split(':').map(Number);
    return offset! >= partitions.get(partition!)!.firstOffset;
  });
  for (const partition of [0, 1]) {
    expect(letters.filter(([at]) => at.startsWith(`${partition}:`)).length).toBeGreaterThan(30);
  }
  expect(letters.filter(([at, digest]) => bytes.get(at) !== digest)).toEqual([]);
});

test('an old click of a partition that was quiet is judged by what the lake still has', async () => {
  const place = await newPlace(2);
  const { topic, run, lake, load } = place;
  // Two hours: much more than memory holds.
  await succeed(load(20_000, START, 3));
  await succeed(run);
  await succeed(lake);
  await asAdmin(brokers, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }));
  await sendOldClick(topic);
  const records = await recordsIn(brokers, topic);
  await deleteRecords(topic, { 0: 0.7, 1: 0.5 });

  const without = await clickAgg([...run, '--quiet']);
  expect(without.code).toBe(1);
  expect(without.stderr).toMatch(
    /\nclick-agg: a click of \S+ can't be judged: partition \d of the log begins at/,
  );
  expect(without.stderr).toContain('--archive');

  const { code, stderr } = await clickAgg([...run, '--lake']);
  expect(code, stderr).toBe(0);
  await expectAgreement(place, records);
});

test('a lake that is none, or of another log, is refused in a line', async () => {
  const place = await newPlace(1);
  const { topic, run, lake, load, dataDir } = place;
  await succeed(load(500, START));
  await succeed(run);
  await succeed(load(500, '2026-02-22T10:01:00Z'));
  await deleteRecords(topic, { 0: 1 });
  const other = await newPlace(1);
  await succeed(other.load(10, START));
  await succeed(other.lake);
  for (const [args, line] of [
    [['--archive', join(other.dataDir, 'lake')], 'is not of topic'],
    [['--archive'], 'begins too late for what is to be read, and there is no lake at'],
    [['--archive', 'http://lake'], '--archive http://lake is neither a folder nor s3://bucket/prefix'],
  ] as const) {
    const { code, stderr } = await clickAgg([...run, ...args, '--quiet']);
    expect({ code: code! > 0, stderr }).toEqual({ code: true, stderr: expect.stringContaining(line) });
    expect(stderr).not.toMatch(/^\s+at /m);
  }
  // It begins where the log does.
  await succeed(load(100, '2026-02-22T10:02:00Z'));
  await succeed(lake);
  const late = await clickAgg([...run, '--archive', '--quiet']);
  expect(late.code).toBe(1);
  expect(late.stderr).toMatch(
    /retention has deleted offsets \d+ to \d+ of partition 0 from the log, and the lake lacks them/,
  );
  const file = await clickAgg(['run', '--input', 'x.ndjson', '--archive', '--data-dir', dataDir]);
  expect(file).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--archive and --input exclude each other'),
  });
});

async function sendOldClick(topic: string): Promise<void> {
  const { Kafka, logLevel } = kafkajs;
  const producer = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const click = {
    ...{ click_id: 'old', event_time: '2026-02-22T10:10:00Z', ad_id: 'ad-1', campaign_id: 'camp-1' },
    ...{ user_id: 'somebody', ip_address: '192.0.2.1', country: 'DE', device_type: 'mobile' },
  };
  await producer.send({
    topic,
    messages: [{ partition: 2, key: click.ad_id, value: JSON.stringify(click) }],
  });
  await producer.disconnect();
}
