// The program on a real Kafka: topics made and checked, loaded, kept in a lake; and what it says of wrong options.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Addresses, SERVICE_START_MS, service } from '../services.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

let kafka: Addresses['kafka'];
let cluster: string[];
const topic = `clicks-${randomUUID()}`;
const directory = temporaryDirectory();

beforeAll(async () => {
  kafka = await service('kafka');
  cluster = ['--brokers', kafka.brokers, '--topic', topic];
}, SERVICE_START_MS);

afterAll(() => directory.remove());

test('topics are made as they should be, and what differs is told', async () => {
  const missing = await clickAgg(['topics', 'check', ...cluster]);
  expect(missing.code).toBe(1);
  expect(missing.stdout).toContain('missing');
  const created = await clickAgg(['topics', 'create', ...cluster, '--partitions', '3', '--json']);
  expect(created.stderr).toBe('');
  expect(JSON.parse(created.stdout)).toEqual({ created: [topic, `${topic}.dead-letters`], differences: [] });
  expect((await clickAgg(['topics', 'check', ...cluster, '--partitions', '3'])).code).toBe(0);

  const more = await clickAgg(['topics', 'check', ...cluster, '--retention', '8d', '--json']);
  expect(more.code).toBe(1);
  const { ok, differences } = JSON.parse(more.stdout) as { ok: boolean; differences: { setting: string }[] };
  expect(ok).toBe(false);
  const ofClicks = differences.filter((one) => 'topic' in one && one.topic === topic);
  expect(ofClicks.map(({ setting }) => setting)).toEqual(['partitions', 'retention.ms']);

  const short = await clickAgg(['topics', 'check', ...cluster, '--retention', '10m']);
  expect(short.code).toBe(2);
  expect(short.stderr).toContain('longer than the horizon');
});

test('clicks are loaded into a topic and kept in a lake, each once', async () => {
  await clickAgg(['topics', 'create', ...cluster, '--partitions', '3', '--json']);
  const load = await clickAgg(['loadgen', ...cluster, '--count', '30000', '--json', '--quiet']);
  expect(load).toMatchObject({ code: 0, stderr: '' });
  const lake = ['lake', ...cluster, '--group', topic, '--until-end', '--data-dir', directory.path, '--json'];
  const first = await clickAgg([...lake, '--quiet']);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(first.stdout)).toMatchObject({ committed: 30_000 });
  await clickAgg(['loadgen', ...cluster, '--count', '1000', '--seed', '2', '--json', '--quiet']);
  const second = await clickAgg([...lake, '--quiet']);
  expect(JSON.parse(second.stdout)).toMatchObject({ committed: 1000 });

  const other = await clickAgg([...lake, '--topic', `${topic}.dead-letters`, '--quiet']);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain('was written from another log');
});

test('the password is taken from the environment, never typed and never shown', async () => {
  const sasl = ['--brokers', kafka.saslBrokers, '--kafka-sasl-mechanism', 'scram-sha-256'];
  const check = ['topics', 'check', ...sasl, '--kafka-username', kafka.username, '--topic', `no-${topic}`];
  const env = { CLICK_AGG_KAFKA_PASSWORD: kafka.password };
  const known = await clickAgg(check, { env });
  expect(known.stdout).toContain('missing');
  const wrong = await clickAgg(check, { env: { CLICK_AGG_KAFKA_PASSWORD: 'not-the-secret' } });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain(`refuses the user ${kafka.username}`);
  expect(wrong.stderr + wrong.stdout).not.toContain('not-the-secret');
  const typed = await clickAgg([...check, '--kafka-password', kafka.password]);
  expect(typed.code).toBe(2);
  expect(typed.stderr).not.toContain(kafka.password);
  const none = await clickAgg(check);
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('CLICK_AGG_KAFKA_PASSWORD');
});

test.each([
  [['--brokers', 'localhost'], 'must be host:port'],
  [['--brokers', 'localhost:9092', '--kafka-ca', 'ca.pem'], '--kafka-ssl'],
  [['--brokers', 'localhost:9092', '--kafka-username', 'me'], '--kafka-sasl-mechanism'],
  [['--brokers', 'localhost:9092', '--input', 'x.ndjson'], 'not both'],
])('%j is refused', async (options, why) => {
  const { code, stderr } = await clickAgg(['lake', ...options]);
  expect(code).toBe(2);
  expect(stderr).toContain(why);
});

test('a cluster that is not there is told in a line', async () => {
  const { code, stderr } = await clickAgg(['loadgen', '--brokers', '127.0.0.1:1', '--count', '1']);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^click-agg: can't reach Kafka at 127\.0\.0\.1:1: ECONNREFUSED\n {2}Check --brokers/,
  );
});
