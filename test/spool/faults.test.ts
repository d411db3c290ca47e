// The ingest server under load with a real Kafka, PostgreSQL and Redis, each killed and started again, and the server
// itself killed: every click that was acknowledged is in the topic once, in the lake once, and the recomputation agrees.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../src/services/processes.js';
import { clickAgg, temporaryDirectory } from '../cli/click-agg.js';
import { type Process, startClickAgg, until } from '../cli/topic-runs.js';
import { inTime } from '../in-time.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../services.js';
import { ADS, HttpLoad } from './http-load.js';

const TOPIC = 'clicks';
/** A fault is looked at through so many acknowledged clicks. */
const CLICKS = 250;
/** Many times what any of our processes takes here. */
const PATIENCE_MS = 120_000;

const directory = temporaryDirectory();
const dataDir = join(directory.path, 'ingest');
const counted = join(directory.path, 'counted');
let kafka: OwnService<'kafka'>;
let postgres: OwnService<'postgres'>;
let redis: OwnService<'redis'>;
let port: number;
/** One after the other; the last one may live. */
const servers: Process[] = [];

beforeAll(async () => {
  [kafka, postgres, redis] = await Promise.all([
    ownService('kafka'),
    ownService('postgres'),
    ownService('redis'),
  ]);
  port = await freePort();
}, SERVICE_START_MS);
afterAll(async () => {
  await servers.at(-1)?.kill();
  await Promise.all([kafka?.remove(), postgres?.remove(), redis?.remove()]);
  directory.remove();
});

const cluster = (): string[] => ['--brokers', kafka.address.brokers, '--topic', TOPIC];
const ads = (): string[] => ['--ads', postgres.address.url, '--redis', redis.address.url];

async function succeed(...args: string[]): Promise<string> {
  const command = `click-agg ${args.join(' ')}`;
  const { code, stdout, stderr } = await inTime(PATIENCE_MS, command, clickAgg(args));
  if (code !== 0) expect.fail(`${command} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Starts the server; resolves when it takes clicks. */
async function startServer(): Promise<void> {
  const patience = ['--kafka-request-timeout', '2s', '--kafka-connect-timeout', '1s', '--ads-ttl', '1s'];
  const args = ['ingest', '--port', `${port}`, '--data-dir', dataDir, ...cluster(), ...ads(), ...patience];
  const server = startClickAgg('ingest', args);
  servers.push(server);
  await server.says('taking clicks on');
  await until('the server is well', async () => (await statusOf('/healthz')) === 200);
}

/** Asks the server to end; resolves when it has. */
async function endServer(): Promise<void> {
  const server = servers.at(-1)!;
  server.signal('SIGINT');
  await inTime(PATIENCE_MS, 'the end of the server', server.ended);
}

async function statusOf(path: string): Promise<number> {
  const asked = fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' });
  const answer = await inTime(PATIENCE_MS, `an answer to ${path}`, asked).catch((error: unknown) => {
    if (error instanceof TypeError) return { status: 0 };
    throw error;
  });
  return answer.status;
}

async function killServer(): Promise<void> {
  const server = servers.at(-1)!;
  await server.kill();
  expect(await server.ended, 'the code with which it had ended before').toBeNull();
}

async function importAds(): Promise<void> {
  const rows = Array.from({ length: ADS }, (_, i) => ({
    ...{ ad_id: `ad-${i}`, campaign_id: `campaign-${i % 7}`, advertiser_id: 'advertiser' },
    target_url: `https://shop.example/${i}`,
  }));
  const file = join(directory.path, 'ads.ndjson');
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  await succeed('ads', 'import', file, ...ads(), '--data-dir', dataDir);
}

/** Everything dies in turn; clicks are acknowledged through all of it but the server's own deaths. */
async function faults(load: HttpLoad): Promise<void> {
  await load.more(CLICKS);
  await killServer();
  await startServer();
  await load.more(CLICKS);

  await redis.kill();
  await load.more(CLICKS);
  await redis.start();

  await postgres.kill();
  await load.more(CLICKS);
  expect(await statusOf('/c/unknown-ad')).toBe(503);
  await postgres.start();

  await kafka.pause();
  await load.more(CLICKS);
  await sleep(3000); // longer than its answers are waited for
  await kafka.resume();
  await load.more(CLICKS);

  await kafka.kill();
  await load.more(CLICKS);
  await killServer();
  await startServer(); // without a broker
  await load.more(CLICKS);
  await kafka.start();
  await load.more(CLICKS);
  await killServer();
  await startServer();
  await load.more(CLICKS);
}

/** Names of clicks in the lake, each as often as it is there. */
async function lakeClicks(lake: string): Promise<string[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT coalesce(impression_id, click_id) AS name FROM read_parquet(?, hive_partitioning = false)`,
      [join(lake, 'dt=*/hour=*/*.parquet')],
    );
    return reader.getRowObjects().map(({ name }) => String(name));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

test('every acknowledged click is in the lake once, whoever was killed', async () => {
  await succeed('topics', 'create', ...cluster());
  await importAds();
  await startServer();
  const load = new HttpLoad(`http://127.0.0.1:${port}`);
  try {
    await faults(load);
    await load.stop();
  } catch (error) {
    const answers = JSON.stringify([...load.answers]);
    const said = servers.map((server) => server.said()).join('');
    throw new Error(`answers by status: ${answers}; the servers said:\n${said}`, { cause: error });
  }

  // In good order: what waits is sent before it ends.
  await endServer();
  await startServer();
  await endServer();

  const reader = [...cluster(), '--data-dir', counted, '--quiet'];
  await succeed('run', ...reader, '--until-end', '--lake');
  const lake = await lakeClicks(join(counted, 'lake'));
  const times = new Map<string, number>();
  for (const name of lake) times.set(name, (times.get(name) ?? 0) + 1);
  const missing = [...load.acknowledged].filter((name) => !times.has(name));
  const doubled = [...times].filter(([, count]) => count > 1);
  expect({ missing: missing.slice(0, 5), doubled: doubled.slice(0, 5) }).toEqual({
    missing: [],
    doubled: [],
  });
  expect(load.acknowledged.size).toBeGreaterThan(8 * CLICKS);
  const report: unknown = JSON.parse(await succeed('reconcile', '--data-dir', counted, '--quiet', '--json'));
  expect(report).toMatchObject({ agree: true, differing: 0 });
}, 400_000);
