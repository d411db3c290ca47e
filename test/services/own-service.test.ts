// Servers of a test's own can be killed, paused and started again as the tests of crashes need it: on the same port,
// with the same files, and nothing of them stays.
import { existsSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { expect, test } from 'vitest';
import { isAlive } from '../../src/adapters/embedded/lock.js';
import { serviceStatus } from '../../src/services/service.js';
import { ownService, SERVICE_START_MS, service } from '../services.js';

test(
  'a killed PostgreSQL is started again with what it had committed; a paused one is silent until it is woken',
  async () => {
    const server = await ownService('postgres');
    try {
      await query(server.address.url, 'CREATE TABLE kept (n int)');
      await query(server.address.url, 'INSERT INTO kept VALUES (7)');
      const before = await serviceStatus(server.directory);
      await server.kill();
      expect(isAlive(before!.pid!)).toBe(false);
      expect(await serviceStatus(server.directory)).toMatchObject({ pid: undefined, answers: false });

      await server.start();
      expect(await query(server.address.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);

      await server.pause();
      expect(await serviceStatus(server.directory)).toMatchObject({ answers: false });
      expect((await serviceStatus(server.directory))!.pid).toBeGreaterThan(0);
      await server.resume();
      expect(await query(server.address.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    } finally {
      await server.remove();
    }
    expect(existsSync(server.directory)).toBe(false);
  },
  SERVICE_START_MS,
);

test(
  'a killed Kafka is started again with its topics',
  async () => {
    const server = await ownService('kafka');
    try {
      const kafka = new Kafka({ brokers: [server.address.brokers], logLevel: logLevel.NOTHING });
      const admin = kafka.admin();
      await admin.connect();
      const topic = {
        topic: 'kept',
        numPartitions: 3,
        configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
      };
      // (kafkajs gives up when a busy broker does not know its new topic at once.)
      await admin.createTopics({ topics: [topic], waitForLeaders: false });
      await server.kill();
      await server.start();
      expect(await admin.listTopics()).toContain('kept');
      await admin.disconnect();
    } finally {
      await server.remove();
    }
  },
  SERVICE_START_MS,
);

test(
  'a killed ClickHouse is started again with what was inserted',
  async () => {
    const server = await ownService('clickhouse');
    const ask = async (sql: string) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body: sql });
      return await answer.text();
    };
    try {
      expect(await ask('CREATE DATABASE kept')).toBe('');
      expect(await ask('CREATE TABLE kept.numbers (n UInt8) ENGINE = MergeTree ORDER BY n')).toBe('');
      expect(await ask('INSERT INTO kept.numbers FORMAT JSONEachRow {"n":7}')).toBe('');
      await server.kill();
      await server.start();
      expect(await ask('SELECT n FROM kept.numbers')).toBe('7\n');
      expect(await ask('SELECT n FROM kept.letters')).toMatch(/^Code: 60\b.*UNKNOWN_TABLE/);
    } finally {
      await server.remove();
    }
  },
  SERVICE_START_MS,
);

test(
  'the shared server is the same for all who ask',
  async () => {
    const [one, other] = await Promise.all([service('postgres'), service('postgres')]);
    expect(one).toEqual(other);
    expect(await query(one.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  },
  SERVICE_START_MS,
);

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
