// A store's URL with the port of something else: one line says so, without a stack.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkStore as checkClickHouse } from '../../src/adapters/clickhouse/store.js';
import { checkStore as checkDynamoDb } from '../../src/adapters/dynamodb/store.js';
import { UserError } from '../../src/errors.js';

const servers: Server[] = [];
let [noHttp, noJson] = ['', ''];
beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID ??= 'someone';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'something';
  servers.push(
    createServer((socket) => socket.on('error', () => undefined).end('no HTTP at all\r\n')),
    createHttpServer((_, response) => response.writeHead(404).end('Code: 62. Not for you')),
  );
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  [noHttp, noJson] = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`) as [
    string,
    string,
  ];
});
afterAll(() => {
  for (const server of servers) server.close();
});

test('is told of', async () => {
  for (const [check, line] of [
    [() => checkClickHouse(`clickhouse://${noHttp}/clicks`), /does not speak HTTP$/],
    [() => checkClickHouse(`clickhouse://${noHttp}/clicks?tls=true`), /does not speak TLS$/],
    [() => checkDynamoDb(`dynamodb://eu-central-1/c?endpoint=http://${noHttp}`), /is no DynamoDB$/],
    [() => checkDynamoDb(`dynamodb://eu-central-1/c?endpoint=http://${noJson}`), /is no DynamoDB$/],
  ] as const) {
    const failure: unknown = await check().catch((error: unknown) => error);
    expect(failure, String(line)).toBeInstanceOf(UserError);
    expect((failure as UserError).message).toMatch(line);
  }
});
