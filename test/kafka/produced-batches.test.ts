// What we write into a real topic is what others read there: kafkajs's consumer, the Java one and ours; plain and in
// transactions, one of which is undone.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import kafkajs, { type KafkaMessage } from 'kafkajs';
import { beforeAll, expect, test } from 'vitest';
import { OutgoingBatches, type PlacedRecord } from '../../src/adapters/kafka/produced-batches.js';
import { openTopicScan } from '../../src/adapters/kafka/topic-scan.js';
import { fencingProducer } from '../../src/adapters/kafka/transactions.js';
import { readWhole } from '../../src/torture/topic-census.js';
import { type Addresses, SERVICE_START_MS, service } from '../services.js';
import { clientOf, connectionTo, newTopic } from './clusters.js';

const SEED = Number(process.env.PRODUCED_SEED ?? randomInt(1_000_000));
const PARTITIONS = 3;
const RECORDS = 600;
let kafka: Addresses['kafka'];
beforeAll(async () => {
  kafka = await service('kafka');
}, SERVICE_START_MS);

/** A record as all readers can tell of it: in the form of the Java consumer's lines. */
type Line = string;

/** Numbers below `limit` by a seed. */
function chance(seed: number): (limit: number) => number {
  let state = seed + 1;
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
}

/** Records of one word each, some without key, value or headers, some of 100 KB. */
function recordsFor(topic: string, seed: number, name: string): PlacedRecord[] {
  const next = chance(seed);
  return Array.from({ length: RECORDS }, (_, i) => {
    const value = `${name}-${i}-ä€𝄞-${'x'.repeat(next(100) === 0 ? 100_000 : next(400))}`;
    const headers = Object.fromEntries(
      Array.from({ length: next(5) }, (_, h) => [`h${h}`, `wert-ü-${next(1000)}`]),
    );
    return {
      ...{ topic, partition: next(PARTITIONS), timeMs: 1_700_000_000_000 + next(10_000_000) },
      key: next(4) === 0 ? null : Buffer.from(`key-${next(50)}`),
      value: next(20) === 0 ? null : Buffer.from(value),
      headers,
    };
  });
}

function lineOf({ partition, timeMs, key, value, headers = {} }: Omit<PlacedRecord, 'topic'>): Line {
  const said = Object.entries(headers).map(([name, text]) => `${name}:${text}`);
  return [
    `CreateTime:${timeMs}`,
    `Partition:${partition}`,
    said.length === 0 ? 'NO_HEADERS' : said.join(','),
    key === null ? 'null' : Buffer.from(key).toString(),
    value === null ? 'null' : Buffer.from(value).toString(),
  ].join('\t');
}

async function byKafkajs(topic: string): Promise<Line[]> {
  const lines: Line[] = [];
  await readWhole(kafka.brokers, topic, (partition, message) =>
    lines.push(lineOf(plain(partition, message))),
  );
  return lines;
}

function plain(partition: number, { key, value, timestamp, headers = {} }: KafkaMessage) {
  const texts = Object.entries(headers).map(([name, text]) => [name, String(text)]);
  return { partition, key, value, timeMs: Number(timestamp), headers: Object.fromEntries(texts) };
}

async function byOurs(topic: string): Promise<Line[]> {
  const scan = await openTopicScan(connectionTo(kafka.brokers), topic);
  const lines: Line[] = [];
  try {
    const ends = await scan.ends();
    const all = new Map(
      [...ends].map(([partition, { low, high }]) => [partition, [{ from: low, to: high }]]),
    );
    await scan.read(all, (partition, record) => {
      lines.push(lineOf({ partition, ...record, headers: record.headers as Record<string, string> }));
    });
  } finally {
    await scan.close();
  }
  return lines;
}

function byJava(topic: string, records: number): Line[] {
  const tool = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
  const shown = ['timestamp', 'partition', 'headers', 'key'].flatMap((what) => [
    '--formatter-property',
    `print.${what}=true`,
  ]);
  const { status, stdout, stderr } = spawnSync(
    'java',
    [
      ...['-Dfile.encoding=UTF-8', '-Dstdout.encoding=UTF-8', '-cp', kafka.classPath, tool],
      ...['--bootstrap-server', kafka.brokers, '--topic', topic, '--from-beginning'],
      ...['--isolation-level', 'read_committed', '--max-messages', String(records), ...shown],
      // Should fewer come, it ends all the same.
      ...['--timeout-ms', '60000'],
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  expect(status, stderr).toBe(0);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Of each partition in order; how partitions come mixed is up to the reader. */
function byPartition(lines: readonly Line[]): Line[][] {
  return Array.from({ length: PARTITIONS }, (_, partition) =>
    lines.filter((line) => line.includes(`\tPartition:${partition}\t`)),
  );
}

async function write(topic: string): Promise<PlacedRecord[]> {
  const producer = clientOf(kafka.brokers).producer({
    ...{ idempotent: true, maxInFlightRequests: 1 },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const batches = new OutgoingBatches();
  const single = recordsFor(topic, SEED, 'plain');
  for (let from = 0; from < single.length; from += 100) {
    batches.clear();
    for (const record of single.slice(from, from + 100)) batches.of(topic, record.partition).add(record);
    await batches.send(producer);
  }
  await producer.disconnect();

  const together = recordsFor(topic, SEED + 1, 'together');
  const options = { connection: connectionTo(kafka.brokers), transactionalId: topic, timeoutMs: 60_000 };
  const sender = await fencingProducer(options);
  await sender.sendTogether(together.slice(0, 400));
  const undone = recordsFor(topic, SEED + 2, 'undone');
  const wrong = { ...undone[0]!, partition: 99 };
  await expect(sender.sendTogether([...undone, wrong])).rejects.toThrow("don't know partition 99");
  await sender.disconnect();
  const next = await fencingProducer(options);
  await next.sendTogether(together.slice(400));
  await next.disconnect();
  return [...single, ...together];
}

test(`what we write is what others read (PRODUCED_SEED=${SEED})`, async () => {
  const topic = await newTopic(kafka.brokers, PARTITIONS, { 'message.timestamp.type': 'CreateTime' });
  const records = await write(topic);
  const expected = byPartition(records.map(lineOf));
  expect(byPartition(await byOurs(topic))).toEqual(expected);
  expect(byPartition(await byKafkajs(topic))).toEqual(expected);
  expect(byPartition(byJava(topic, records.length))).toEqual(expected);
});
