// What a person is told when a server, a database or its tables can't be used, and that answers are right before the
// server has merged anything.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import {
  checkStore,
  initStore,
  openStore,
  openStoreBooks,
  openStoreReader,
  storeDifferences,
  storeName,
} from '../../../src/adapters/clickhouse/store.js';
import { EVERYTHING } from '../../../src/core/ports/store.js';
import { UsageError, UserError } from '../../../src/errors.js';
import { cell, commitOf, MINUTE_MS, START_MS } from '../../contract/commits.js';
import { dropStore, dropStores, newDatabaseUrl, sql, storeIn } from './databases.js';

afterAll(dropStores);

describe('a URL', () => {
  test('is shown without its password', () => {
    expect(storeName('clickhouse://agg:hidden@db:8124/clicks')).toBe('clickhouse://agg@db:8124/clicks');
    expect(storeName('clickhouse://db/clicks')).toBe('clickhouse://default@db:8123/clicks');
    expect(storeName('clickhouse://db/clicks?tls=true')).toBe('clickhouse://default@db:8443/clicks?tls=true');
    expect(storeName('clickhouse://a%40b:x%2Fy@[::1]/clicks')).toBe('clickhouse://a%40b@[::1]:8123/clicks');
  });

  test.each([
    ['clickhouse://db', /names a host and a database/],
    ['clickhouse:///clicks', /names a host and a database|not a ClickHouse URL/],
    ['clickhouse://db/a-b', /database a-b: must be letters, digits and _/],
    ['clickhouse://db/x?tls=yes', /tls=yes: must be true or false/],
    ['clickhouse://db/x?secure=true', /no parameter secure/],
    ['clickhouse://db:port/x', /not a ClickHouse URL/],
    ['clickhouse://%zz:hidden@db/x', /not a ClickHouse URL/],
  ])('%s is told what is wrong', (url, line) => {
    expect(() => storeName(url)).toThrow(UsageError);
    expect(() => storeName(url)).toThrow(line);
    expect(() => storeName(url)).not.toThrow(/hidden/);
  });
});

describe('a server', () => {
  test('that is not there', async () => {
    const nobody = 'clickhouse://127.0.0.1:1/clicks';
    for (const open of [openStore, openStoreReader, openStoreBooks, checkStore, initStore]) {
      await expect(open(nobody)).rejects.toThrow(
        /^no ClickHouse server answers at clickhouse:\/\/default@127\.0\.0\.1:1\/clicks$/,
      );
    }
    await expect(openStore('clickhouse://nobody.invalid/clicks')).rejects.toThrow(
      /^the host of .* is not known$|can't be looked up/,
    );
  });

  test.each([
    ['of another kind', 404, '<html>\n<h1>Not here</h1>', /is no ClickHouse server: <html>$/],
    [
      'at the port of another protocol',
      400,
      'Port 9000 is for clickhouse-client program\r\nYou must use port 8123 for HTTP.\r\n',
      /is the port of ClickHouse's own client$/,
    ],
    ['that is too old', 200, '["23.8.1.2"]\n', /is ClickHouse 23\.8\.1\.2, too old$/],
    [
      'that is overloaded',
      500,
      'Code: 202. DB::Exception: Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES)\n',
      /is overloaded: Too many simultaneous queries/,
    ],
    [
      'that is full',
      500,
      'Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)\n',
      /can't write: Cannot reserve 1.00 MiB/,
    ],
  ])('%s', async (_, status, answer, line) => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(status).end(answer);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const checking = checkStore(`clickhouse://agg:hidden@127.0.0.1:${port}/clicks`);
      await expect(checking).rejects.toThrow(UserError);
      await expect(checking).rejects.toThrow(line);
      await expect(checking).rejects.not.toThrow(/hidden/);
    } finally {
      await closed(server);
    }
  });
});

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

describe('a database', () => {
  test('that is not there is made by init, and by nothing else', async () => {
    const url = await newDatabaseUrl();
    for (const open of [openStore, openStoreReader, openStoreBooks, checkStore]) {
      await expect(open(url)).rejects.toThrow(/: there is no such database$/);
    }
    const names = [`database ${new URL(url).pathname.slice(1)}`, 'table entries', 'table totals'];
    expect(await initStore(url)).toEqual(names.map((name) => ({ name, state: 'made' })));
    expect(await initStore(url)).toEqual(names.map((name) => ({ name, state: 'there' })));
    await checkStore(url);
    expect(await storeDifferences(url)).toEqual([]);
    expect(await openStoreReader(url)).toBeUndefined();
    await (await openStore(url)).close();
    const reader = await openStoreReader(url);
    expect(await reader!.query(EVERYTHING)).toEqual([]);
    await reader!.close();
    await dropStore(url);
  });

  test('whose tables are of another version, or of somebody else', async () => {
    const url = await storeIn('version');
    await sql(url, 'ALTER TABLE {db}.totals MODIFY SETTING fsync_after_insert = 0');
    expect(await storeDifferences(url)).toMatchObject([
      { name: 'table totals', setting: 'fsync_after_insert', is: '0', shouldBe: '1' },
    ]);
    await sql(url, `ALTER TABLE {db}.totals MODIFY COMMENT 'click-agg store, schema 2'`);
    for (const open of [openStore, openStoreReader, checkStore]) {
      await expect(open(url)).rejects.toThrow(/ has schema version 2, this click-agg knows 1$/);
    }
    await sql(url, `ALTER TABLE {db}.totals MODIFY COMMENT 'sums of the shop'`);
    await expect(openStore(url)).rejects.toThrow(/: the table totals there is not click-agg's$/);
  });

  test('of an engine that keeps nothing', async () => {
    const url = await newDatabaseUrl();
    await sql(url, 'CREATE DATABASE {db} ENGINE = Memory');
    await expect(openStore(url)).rejects.toThrow(
      /the database's engine is Memory, which can't hold a store$/,
    );
    await dropStore(url);
  });

  test('that a user may only read is read by him, and not written', async () => {
    const url = await storeIn('rights');
    const store = await openStore(url);
    await store.commit(commitOf({ cells: [cell()] }));
    const reading = new URL(url);
    reading.username = 'reader';
    const reader = await openStoreReader(reading.href);
    expect(await reader!.query(EVERYTHING)).toEqual(await store.query(EVERYTHING));
    await reader!.close();
    const writing = async () => {
      const opened = await openStore(reading.href);
      await opened.takeOver().finally(() => opened.close());
    };
    await expect(writing()).rejects.toThrow(
      /^clickhouse:\/\/reader@[^ ]+: .*Cannot execute query in readonly mode\.$/,
    );
    await store.close();
  });
});

test('answers are the same before the server has merged anything, and after', async () => {
  const url = await storeIn('merges');
  const store = await openStore(url);
  await sql(url, 'SYSTEM STOP MERGES {db}.totals');
  // Odd minutes are deleted in the end, and written anew after that.
  for (let version = 1; version <= 6; version++) {
    const cells = Array.from({ length: 20 }, (_, minute) =>
      cell({
        minuteMs: START_MS + minute * MINUTE_MS,
        clicks: version === 5 && minute % 2 ? 0 : version * 100 + minute,
        rewrite: version > 1,
      }),
    ).filter((_, minute) => version < 6 || minute % 4 === 1);
    await store.commit(commitOf({ cells }));
  }
  const questions = [
    EVERYTHING,
    { ...EVERYTHING, groupBy: ['hour', 'country'] as const },
    { ...EVERYTHING, top: true, limit: 3 },
    { ...EVERYTHING, adIds: ['ad-1'], groupBy: ['day'] as const },
  ];
  const before = await Promise.all(questions.map((question) => store.query(question)));
  const expected = Array.from({ length: 20 }, (_, minute) => {
    if (minute % 4 === 1) return 600 + minute;
    return minute % 2 ? 0 : 500 + minute;
  }).filter((clicks) => clicks > 0);
  expect(before[0]!.map(({ clicks }) => clicks)).toEqual(expected);
  const parts = `SELECT count() FROM system.parts WHERE database = '{db}' AND table = 'totals' AND active`;
  expect(Number((await sql(url, parts))[0]![0])).toBe(6);
  await sql(url, 'SYSTEM START MERGES {db}.totals');
  await sql(url, 'OPTIMIZE TABLE {db}.totals FINAL');
  expect(Number((await sql(url, parts))[0]![0])).toBe(1);
  expect(await Promise.all(questions.map((question) => store.query(question)))).toEqual(before);
  await store.close();
});
