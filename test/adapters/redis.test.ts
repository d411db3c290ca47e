// The Redis connection itself: whom it refuses to speak to, and how it comes back.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRedis, type RedisConnection, redisName } from '../../src/adapters/redis/connection.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../services.js';

let server: OwnService<'redis'>;
const opened: RedisConnection[] = [];
beforeAll(async () => {
  server = await ownService('redis', { settings: { requirepass: 'pass word', maxmemory: '64mb' } });
}, SERVICE_START_MS);
afterAll(async () => {
  for (const connection of opened) await connection.close();
  await server.remove();
});

async function connect(url: string, lines: string[] = []): Promise<RedisConnection> {
  const connection = await connectRedis(url, { answerWaitMs: 5_000, onChange: (line) => lines.push(line) });
  opened.push(connection);
  return connection;
}
const withPassword = (): string => server.address.url.replace('://', '://:pass%20word@');

test('a URL is shown without its password; one that is none is misuse', async () => {
  expect(redisName('redis://me:secret@host/2')).toBe('redis://me@host:6379/2');
  expect(redisName('rediss://:secret@[::1]:7000')).toBe('rediss://[::1]:7000');
  for (const url of ['http://host', 'redis://', 'host:6379', 'redis://host/x']) {
    await expect(connectRedis(url)).rejects.toThrow('--redis: not a Redis URL');
  }
});

test('a user that the server refuses is told of at once', async () => {
  await expect(connectRedis(server.address.url)).rejects.toThrow('refuses the user: NOAUTH');
  await expect(connectRedis(withPassword().replace('pass', 'no'))).rejects.toThrow(
    'refuses the user: WRONGPASS',
  );
});

test('says what is there, and nothing of what is not', async () => {
  const redis = await connect(withPassword());
  expect(await redis.get('none')).toBeNull();
  expect(await redis.set('key', 'välue', 60_000)).toBe(true);
  expect(await redis.get('key')).toBe('välue');
  expect(await redis.setIfAbsent('key', 'other', 60_000)).toBe(false);
  expect(await redis.setIfAbsent('new', 'other', 60_000)).toBe(true);
  expect(await redis.delete(['key', 'new', 'none'])).toBe(true);
  expect(await redis.delete([])).toBe(true);
  expect(await redis.get('key')).toBeNull();
});

test('a value that the server does not take is no error: it is no answer', async () => {
  const redis = await connect(withPassword());
  expect(await redis.set('more than maxmemory', 'x'.repeat(80_000_000), 60_000)).toBeUndefined();
  while ((await redis.get('more than maxmemory')) === undefined) await sleep(50);
});

test('a server that is not there is looked for, and its channels are heard again', async () => {
  const lines: string[] = [];
  await server.kill();
  const redis = await connect(withPassword(), lines);
  expect(redis.answers).toBe(false);
  expect(await redis.get('key')).toBeUndefined();
  expect(lines).toHaveLength(1);
  const heard: string[] = [];
  const subscription = await redis.subscribe('news', (message) => heard.push(message));
  expect(subscription.live).toBe(false);

  for (const round of ['first', 'second']) {
    await server.start();
    while (!heard.includes(round)) {
      await redis.publish('news', round);
      await sleep(20);
    }
    expect(subscription.live).toBe(true);
    await server.kill();
    while (subscription.live || redis.answers) await sleep(20);
    expect(await redis.publish('news', 'nobody hears')).toBeUndefined();
  }
  await subscription.close();
  expect(heard.filter((message) => message === 'nobody hears')).toEqual([]);
  expect(lines.filter((line) => line.endsWith('answers again'))).toHaveLength(2);
});
