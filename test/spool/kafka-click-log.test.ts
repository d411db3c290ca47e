// Clicks into Kafka by way of the spool: each that is acknowledged is in the topic once, whatever becomes of the process,
// of what the cluster remembers, and of the folder. CLICK_KILLS=30 kills more often, KILL_SEED=… repeats a seed (moments
// are real time: they vary a little).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KafkaConnection } from '../../src/adapters/kafka/connection.js';
import type { ClickLog } from '../../src/spool/click-log.js';
import type { KafkaClickLogOptions } from '../../src/spool/kafka-click-log.js';
import { temporaryDirectory } from '../cli/click-agg.js';
import { randomBy } from '../contract/commits.js';
import { asAdmin, connectionTo, newTopic } from '../kafka/clusters.js';
import { SERVICE_START_MS, service } from '../services.js';
import { clicksIn, expectOnce } from './topics.js';

const KILLS = Number(process.env.CLICK_KILLS ?? 5);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const PARTITIONS = 3;

const directory = temporaryDirectory();
let address: string;
const warnings: string[] = [];
beforeAll(async () => {
  address = (await service('kafka')).brokers;
}, SERVICE_START_MS);
afterAll(() => directory.remove());

/** From the build: the sender is a thread, which Node can't start from TypeScript. */
async function open(topic: string, changes: Partial<KafkaClickLogOptions> = {}): Promise<ClickLog> {
  const built = new URL('../../dist/spool/kafka-click-log.js', import.meta.url).href;
  const { kafkaClickLog } = (await import(built)) as typeof import('../../src/spool/kafka-click-log.js');
  return kafkaClickLog({
    connection: connectionTo(address),
    topic,
    spoolDir: join(directory.path, topic),
    limitBytes: 2 ** 30,
    sync: 'always',
    warn: (line) => warnings.push(line),
    ...changes,
  });
}

/** Appends clicks `[from, to)` and waits until they are acknowledged. */
async function append(log: ClickLog, from: number, to: number, text = ''): Promise<void> {
  for (let next = from; next < to; ) {
    const appends: Promise<void>[] = [];
    for (; next < to && appends.length < 500; next++) {
      appends.push(
        log.append({ key: `ad_${next % 7}`, value: JSON.stringify({ click_id: `${next}`, text }) }),
      );
    }
    const failed = (await Promise.allSettled(appends)).find(({ status }) => status === 'rejected');
    if (failed) throw (failed as PromiseRejectedResult).reason;
  }
}

async function untilSent(log: ClickLog): Promise<void> {
  while (log.status().waitingRecords > 0) await sleep(20);
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

async function senderOf(topic: string): Promise<{ id: string; sent: number }> {
  return JSON.parse(await readFile(join(directory.path, topic, 'sender.json'), 'utf8'));
}

test('each click is in the topic once and leaves the disk', async () => {
  const topic = await newTopic(address, PARTITIONS);
  const log = await open(topic);
  await append(log, 0, 30_000, 'x'.repeat(700));
  await untilSent(log);
  expect(log.status()).toMatchObject({ waitingRecords: 0, waitingBytes: 0, taken: 30_000, sent: 30_000 });
  expect(log.status().trouble).toBeUndefined();
  await log.close();
  expectOnce(await clicksIn(address, topic), numbers(0, 30_000));
  expect(await readdir(join(directory.path, topic, 'p00000'))).toHaveLength(1);
  expect((await senderOf(topic)).sent).toBe(30_000);
});

test('what waits when the process ends is sent by the next one, without a cluster at first', async () => {
  const topic = await newTopic(address, PARTITIONS);
  const nobody: KafkaConnection = { ...connectionTo('127.0.0.1:9'), connectTimeoutMs: 200 };
  let log = await open(topic, { connection: nobody, limitBytes: 1_048_576 });
  await append(log, 0, 1000);
  expect(log.status()).toMatchObject({ waitingRecords: 1000, sending: false });
  await expect(append(log, 1000, 100_000, 'x'.repeat(500))).rejects.toMatchObject({
    name: 'SpoolFullError',
    retryAfterS: 10,
  });
  const { waitingRecords, waitingBytes, taken, refused } = log.status();
  expect(waitingRecords).toBe(taken);
  expect(waitingBytes).toBeLessThan(2 * 1_048_576);
  expect(refused).toBeGreaterThan(0);
  await expect.poll(() => log.status().trouble).toMatch(/ECONNREFUSED/);
  await log.close();

  log = await open(topic);
  expect(log.status().oldestWaitingMs).toBeGreaterThan(0);
  expect(Math.abs(log.status().waitingBytes - waitingBytes) / waitingBytes).toBeLessThan(0.05);
  await untilSent(log);
  await log.close();
  const times = await clicksIn(address, topic);
  expect(times.size).toBe(taken);
  expectOnce(times, numbers(0, 1000));
});

test('a spool that the cluster has forgotten goes on where it was', async () => {
  const topic = await newTopic(address, PARTITIONS);
  let log = await open(topic);
  await append(log, 0, 1000);
  await untilSent(log);
  await log.close();
  const { id } = await senderOf(topic);
  await asAdmin(address, (admin) => admin.deleteGroups([id]));
  log = await open(topic);
  await append(log, 1000, 2000);
  await untilSent(log);
  await log.close();
  expectOnce(await clicksIn(address, topic), numbers(0, 2000));
});

test('a spool that is put back from an older copy sends what is new, and only that', async () => {
  const topic = await newTopic(address, PARTITIONS);
  const spoolDir = join(directory.path, topic);
  let log = await open(topic);
  await append(log, 0, 1000);
  await untilSent(log);
  await log.close();
  await cp(spoolDir, `${spoolDir}-copy`, { recursive: true });
  log = await open(topic);
  await append(log, 1000, 3000);
  await untilSent(log);
  await log.close();
  await rm(spoolDir, { recursive: true });
  await cp(`${spoolDir}-copy`, spoolDir, { recursive: true });

  // The first life after it ends before the cluster is asked; the second finds out.
  log = await open(topic, { connection: connectionTo('127.0.0.1:9') });
  await append(log, 3000, 3500);
  await log.close();
  log = await open(topic);
  await append(log, 3500, 4000);
  await untilSent(log);
  await log.close();
  expect(warnings.join()).toMatch(/put back from an older copy/);
  expectOnce(await clicksIn(address, topic), numbers(0, 4000));
});

test('an acknowledged click is in the topic once, however often the process is killed', async () => {
  process.stderr.write(`spool kills: KILL_SEED=${SEED}\n`);
  const random = randomBy(SEED);
  const topic = await newTopic(address, PARTITIONS);
  const connection = JSON.stringify(connectionTo(address));
  const script = join(import.meta.dirname, 'clicking.mjs');
  const acknowledged = new Set<string>();
  let first = 0;
  for (let life = 0; life <= KILLS; life++) {
    const args = [script, connection, topic, join(directory.path, topic), first, 1 + (life % 3) * 40];
    const child = spawn(process.execPath, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    const before = acknowledged.size;
    let ready: () => void;
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    let working: () => void;
    const isWorking = new Promise<void>((resolve) => {
      working = resolve;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') ready();
      else acknowledged.add(line);
      if (acknowledged.size > before + 50) working();
    });
    // Half of them are killed while they still look for where to go on.
    await Promise.race([life === KILLS || random() < 0.5 ? isReady : isWorking, ended]);
    await sleep(random() * 600);
    if (life === KILLS) child.stdin.end();
    else child.kill('SIGKILL');
    const [code] = await ended;
    if (life === KILLS) expect(code).toBe(0);
    first += 1_000_000;
  }
  const log = await open(topic);
  await untilSent(log);
  await log.close();
  expectOnce(await clicksIn(address, topic), acknowledged);
});
