// A Kafka topic keeps the source's contract; whatever packed the batches and whoever wrote them, the same records
// come out.
import { spawn } from 'node:child_process';
import kafkajs from 'kafkajs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KafkaConnection } from '../../src/adapters/kafka/connection.js';
import { type KafkaSource, kafkaSource } from '../../src/adapters/kafka/kafka-source.js';
import { topicWriter } from '../../src/adapters/kafka/topic-writer.js';
import { RECORD_BYTES_MAX } from '../../src/core/method.js';
import { murmur2, partitionOf } from '../../src/core/murmur2.js';
import { UserError } from '../../src/errors.js';
import { debianPackage } from '../../src/services/fetching.js';
import { batchOf } from '../adapters/embedded-logs.js';
import {
  byPartition,
  type FilledSource,
  type Read,
  readAll,
  sourceContract,
} from '../contract/source-contract.js';
import { type Addresses, SERVICE_START_MS, service } from '../services.js';
import { clientOf, connectionTo, newTopic } from './clusters.js';

const PARTITIONS = 4;
let kafka: Addresses['kafka'];
let connection: KafkaConnection;

beforeAll(async () => {
  kafka = await service('kafka');
  connection = connectionTo(kafka.brokers);
}, SERVICE_START_MS);

function open(topic: string, to = connection): Promise<KafkaSource> {
  return kafkaSource({ connection: to, topic, group: undefined, warn: () => {} });
}

/** Everything that is in the topic now. */
async function readTopic(topic: string, to = connection): Promise<Read[]> {
  const source = await open(topic, to);
  try {
    return await readAll(source);
  } finally {
    await source.close();
  }
}

async function filled(values: readonly string[]): Promise<FilledSource> {
  const next = new Array<number>(PARTITIONS).fill(0);
  const records: Read[] = values.map((value, i) => {
    const partition = (i * 7919) % PARTITIONS;
    const key = i % 7 === 0 ? undefined : `key-${i % 10}`;
    return { partition, offset: next[partition]++, value, key, appendTimeMs: 1_700_000_000_000 + i };
  });
  const topic = await newTopic(kafka.brokers, PARTITIONS, { 'retention.ms': '-1' });
  const writer = await topicWriter({ connection, topic, warn: () => {} });
  await writer.append(
    batchOf(records.map(({ key, ...rest }) => (key === undefined ? rest : { ...rest, key }))),
  );
  await writer.close();
  return { source: await open(topic), expected: byPartition(records), cleanUp: async () => {} };
}

sourceContract({ name: 'a Kafka topic', fill: filled });

describe('batches packed with', () => {
  const values = Array.from({ length: 500 }, (_, i) => `{"click_id":"${i}","pad":"${'abc'.repeat(i % 50)}"}`);
  const lines = `${values.join('\n')}\n`;
  const { None, GZIP } = kafkajs.CompressionTypes;

  test.each([
    ['nothing', None],
    ['gzip', GZIP],
  ])('%s by kafkajs', async (_, compression) => {
    const topic = await newTopic(kafka.brokers, 1);
    const producer = clientOf(kafka.brokers).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    await producer.send({ topic, compression, messages: values.map((value) => ({ value })) });
    await producer.disconnect();
    expect((await readTopic(topic)).map(({ value }) => value)).toEqual(values);
  });

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('%s by kcat', async (codec) => {
    const topic = await newTopic(kafka.brokers, 1);
    await pipe(
      await kcat(),
      ['-P', '-b', kafka.brokers, '-t', topic, '-z', codec, '-K', '|'],
      withKeys(lines),
    );
    const records = await readTopic(topic);
    expect(records.map(({ value }) => value)).toEqual(values);
    expect(new Set(records.map(({ key }) => key))).toEqual(new Set(['ad-1']));
  });

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('%s by the Java console producer', async (codec) => {
    const topic = await newTopic(kafka.brokers, 1);
    const args = ['--bootstrap-server', kafka.brokers, '--topic', topic, '--compression-codec', codec];
    const reader = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=|'];
    await pipe(
      'java',
      ['-cp', kafka.classPath, 'org.apache.kafka.tools.ConsoleProducer', ...args, ...reader],
      withKeys(lines),
    );
    const records = await readTopic(topic);
    expect(records.map(({ value }) => value)).toEqual(values);
    expect(new Set(records.map(({ key }) => key))).toEqual(new Set(['ad-1']));
  });

  function withKeys(text: string): string {
    return text.replaceAll(/^(?=.)/gm, 'ad-1|');
  }
});

/** kcat's name, installed if it is missing. */
async function kcat(): Promise<string> {
  await debianPackage('kcat', 'kcat', (line) => process.stderr.write(`${line}\n`));
  return 'kcat';
}

/** Runs a program with this input to its end. */
async function pipe(program: string, args: readonly string[], input: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.end(input);
  const code = await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
}

describe('records', () => {
  test('have the log’s append time where it sets one, else their own', async () => {
    const before = Date.now();
    const read = async (type: string): Promise<number[]> => {
      const topic = await newTopic(kafka.brokers, 1, { 'message.timestamp.type': type });
      const writer = await topicWriter({ connection, topic, warn: () => {} });
      expect(writer.timedByLog).toBe(type === 'LogAppendTime');
      await writer.append(batchOf([{ partition: 0, value: '{}', appendTimeMs: before - 86_400_000 }]));
      await writer.close();
      return (await readTopic(topic)).map(({ appendTimeMs }) => appendTimeMs);
    };
    expect(await read('CreateTime')).toEqual([before - 86_400_000]);
    const [appended] = await read('LogAppendTime');
    expect(appended).toBeGreaterThanOrEqual(before - 1);
    expect(appended).toBeLessThanOrEqual(Date.now() + 1);
  });

  test('without a value are read, and long ones cut with their length kept', async () => {
    const topic = await newTopic(kafka.brokers, 1, { 'max.message.bytes': '4000000' });
    const producer = clientOf(kafka.brokers).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    const long = 'x'.repeat(RECORD_BYTES_MAX + 17);
    await producer.send({
      topic,
      messages: [{ value: null }, { value: long, headers: { h: 'v' } }, { value: 'end' }],
    });
    await producer.disconnect();
    const source = await open(topic);
    const lengths: number[] = [];
    const cut: [number, number][] = [];
    for await (const batch of source.read(fromStart())) {
      for (let i = 0; i < batch.count; i++) lengths.push(batch.valueEnd[i] - batch.valueStart[i]);
      cut.push(...(batch.cutValueBytes ?? []));
    }
    await source.close();
    expect(lengths).toEqual([0, RECORD_BYTES_MAX, 3]);
    expect(cut).toEqual([[1, long.length]]);
  });

  test('of transactions are read when they are committed, and the marks passed over', async () => {
    const topic = await newTopic(kafka.brokers, 2);
    const producer = clientOf(kafka.brokers).producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const [value, commits] of [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [0, 1].map((partition) => ({ partition, value })) });
      await (commits ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const records = await readTopic(topic);
    for (const partition of [0, 1]) {
      const values = records.filter((record) => record.partition === partition).map(({ value }) => value);
      expect(values).toEqual(['a', 'c']);
    }
  });

  test('go to the partitions that Kafka’s default partitioner chooses', () => {
    const partitioner = kafkajs.Partitioners.DefaultPartitioner();
    const partitionMetadata = Array.from({ length: 6 }, (_, partitionId) => ({
      partitionId,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [1],
      isr: [1],
    }));
    for (let i = 0; i < 1000; i++) {
      const key = Buffer.from(`ad-${i}`);
      const theirs = partitioner({ topic: 'any', partitionMetadata, message: { key, value: null } });
      expect(partitionOf(murmur2(key, 0, key.length), 6)).toBe(theirs);
    }
  });
});

function fromStart() {
  return { positions: new Map(), untilEnd: true, signal: new AbortController().signal };
}

describe('a cluster', () => {
  async function readsThrough(to: KafkaConnection): Promise<void> {
    const topic = await newTopic(kafka.brokers, 1);
    const writer = await topicWriter({ connection: to, topic, warn: () => {} });
    await writer.append(batchOf([{ partition: 0, value: 'sealed' }]));
    await writer.close();
    expect((await readTopic(topic, to)).map(({ value }) => value)).toEqual(['sealed']);
  }
  const tls = (caFile: string | undefined) => ({ caFile, certFile: undefined, keyFile: undefined });
  const sasl = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password = kafka.password) =>
    connectionTo(kafka.saslBrokers, { sasl: { mechanism, username: kafka.username, password } });
  const refusal = async (to: KafkaConnection): Promise<UserError> => {
    const error: unknown = await open('any', to).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).not.toContain('\n');
    return error as UserError;
  };

  test('is reached by TLS', () => readsThrough(connectionTo(kafka.sslBrokers, { tls: tls(kafka.caFile) })));
  test('is reached by SASL PLAIN', () => readsThrough(sasl('plain')));
  test('is reached by SCRAM-SHA-256', () => readsThrough(sasl('scram-sha-256')));
  test('is reached by SCRAM-SHA-512', () => readsThrough(sasl('scram-sha-512')));

  test('that is not trusted, refuses the user or is not there is told in one line', async () => {
    const untrusted = await refusal(connectionTo(kafka.sslBrokers, { tls: tls(undefined) }));
    expect(untrusted.message).toMatch(/no trusted TLS connection/);
    const wrong = await refusal(sasl('scram-sha-256', 'wrong-secret'));
    expect(wrong.message).toMatch(/refuses the user clicks/);
    expect(`${wrong.message} ${wrong.hint}`).not.toContain('wrong-secret');
    expect((await refusal(connectionTo('127.0.0.1:1'))).message).toMatch(
      /can't reach Kafka at 127\.0\.0\.1:1: ECONNREFUSED/,
    );
    expect((await refusal(connection)).message).toMatch(/there is no topic any/);
  });
});
