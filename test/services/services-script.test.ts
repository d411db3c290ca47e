// `npm run services` as people type it: what starts, what is shown, and what each mistake is answered with.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { killService } from '../../src/services/service.js';
import { node, type Outcome, temporaryDirectory } from '../cli/click-agg.js';
import { SERVICE_START_MS } from '../services.js';

const SCRIPT = resolve(import.meta.dirname, '../../dist/services/services.js');
const folder = temporaryDirectory();

beforeAll(async () => expect((await services('start', 'redis')).code).toBe(0), SERVICE_START_MS);
afterAll(async () => {
  await killService(join(folder.path, 'redis'));
  folder.remove();
});

test('start says what started and where; started again it is the same process', async () => {
  const [before] = await statuses('redis');
  const again = await services('start', 'redis');
  expect(again).toMatchObject({ code: 0, stderr: 'redis runs already\n' });
  expect(again.stdout).toMatch(
    /^part\s+software\s+state\s+pid\s+address\nredis\s+Redis\s+answers\s+\d+\s+redis:/,
  );
  expect(await statuses('redis')).toEqual([before]);
  expect(before).toMatchObject({
    answers: true,
    address: { url: expect.stringMatching(/^redis:\/\/127\.0\.0\.1:\d+$/) },
  });
});

test('status knows parts that were never started', async () => {
  const outcome = await services('status', 'kafka', 'postgres');
  expect(outcome.code).toBe(0);
  expect(outcome.stdout).toMatch(/kafka\s+Apache Kafka [\d.]+\s+never started/);
  expect(await statuses('kafka')).toMatchObject([{ name: 'kafka', pid: null, answers: false }]);
});

test('one that was killed is shown as stopped and starts again on its port', async () => {
  const [before] = await statuses('redis');
  process.kill(before!.pid!, 'SIGKILL');
  await expect.poll(async () => (await statuses('redis'))[0]).toMatchObject({ pid: null, answers: false });
  expect((await services('start', 'redis')).code).toBe(0);
  const [after] = await statuses('redis');
  expect(after).toMatchObject({ answers: true, port: before!.port });
  expect(after!.pid).not.toBe(before!.pid);
});

test('fetch brings a part here and starts nothing', async () => {
  const elsewhere = join(folder.path, 'fetched');
  const outcome = await node([SCRIPT, 'fetch', 'redis', '--dir', elsewhere], env());
  expect(outcome).toMatchObject({ code: 0, stderr: 'redis is here\n' });
  expect(outcome.stdout).toMatch(/redis\s+Redis\s+never started/);
  expect(existsSync(elsewhere)).toBe(false);
});

test('fetch chromium says where the browser is, and it is one', async () => {
  const outcome = await node([SCRIPT, 'fetch', 'chromium', '--dir', folder.path], env());
  const [, path] = /^chromium is here: (.+)$/m.exec(outcome.stderr) ?? [];
  expect(outcome).toMatchObject({ code: 0, stdout: '' });
  expect(existsSync(path!)).toBe(true);
  const { stderr } = await services('start', 'chromium');
  expect(stderr).toMatch(/there is no part chromium/);
});

test('a mistyped part, action, option or port is one line and what there is', async () => {
  for (const [typed, said] of [
    [
      ['start', 'redsi'],
      /there is no part redsi.*\n.*kafka, postgres, redis, s3, dynamodb, cassandra, clickhouse/,
    ],
    [['stat'], /there is no action stat; did you mean start\?\n.*start, stop, status/],
    [['start', 'redis:http'], /redis:http: a port is a number from 1 to 65535/],
    [['status', '--jsno'], /Unknown option '--jsno'/],
    [[], /say what to do: start, stop, status or fetch/],
  ] as const) {
    const { code, stdout, stderr } = await node([SCRIPT, ...typed], { cwd: folder.path });
    expect({ typed, code, stdout }).toEqual({ typed, code: 2, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  }
});

test('a port that is taken is said, and no server is left behind', async () => {
  const taker = createServer().listen(0, '127.0.0.1');
  await once(taker, 'listening');
  const { port } = taker.address() as { port: number };
  try {
    const elsewhere = join(folder.path, 'elsewhere');
    const outcome = await node([SCRIPT, 'start', `redis:${port}`, '--dir', elsewhere], env());
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(`port ${port} of 127.0.0.1 is taken`);
    const moved = await services('start', `redis:${port}`);
    expect(moved.code).toBe(1);
    expect(moved.stderr).toMatch(/redis runs already, on port \d+/);
  } finally {
    taker.close();
  }
});

test('what can’t be fetched is said in a line', async () => {
  const outcome = await node([SCRIPT, 'start', 's3', '--dir', join(folder.path, 'bare')], {
    // Nothing is installed on this PATH, and nothing is in this cache; ps is what the script itself needs.
    env: { PATH: folder.path, XDG_CACHE_HOME: join(folder.path, 'cache') },
  });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toMatch(/can't build minio-[\d-]+: there is no go command here\n.*Install Go/);
});

test('stop ends it, and a second stop has nothing to do', async () => {
  const outcome = await services('stop', 'redis');
  expect(outcome).toMatchObject({ code: 0, stderr: 'redis stopped\n' });
  expect(await statuses('redis')).toMatchObject([{ pid: null, answers: false }]);
  expect(await services('stop', 'redis')).toMatchObject({ code: 0, stderr: 'redis did not run\n' });
});

function services(...args: string[]): Promise<Outcome> {
  return node([SCRIPT, ...args, '--dir', folder.path], env());
}

/** The cache is where the user's home is. */
function env(): { env: Record<string, string> } {
  return { env: { HOME: process.env.HOME ?? '', NO_COLOR: '1' } };
}

interface Shown {
  pid: number | null;
  port: number;
  answers: boolean;
  address: Record<string, string>;
}

async function statuses(...parts: string[]): Promise<Shown[]> {
  const { stdout } = await services('status', ...parts, '--json');
  return JSON.parse(stdout) as Shown[];
}
