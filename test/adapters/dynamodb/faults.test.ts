// What DynamoDB does on bad days: throttled requests and parts of them, answers that are lost, rights that are missing,
// tables of somebody else or of another version, a service that is gone. Nothing is lost, and people are told in a line.
import { CreateTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/adapters/dynamodb/address.js';
import { rowDatabase } from '../../../src/adapters/dynamodb/database.js';
import { Session, type SessionOptions } from '../../../src/adapters/dynamodb/session.js';
import { initStore } from '../../../src/adapters/dynamodb/store.js';
import { hasTables, makeTables, tableName } from '../../../src/adapters/dynamodb/tables.js';
import {
  type PlacedCell,
  type RowDatabase,
  TOTALS_TABLES,
} from '../../../src/adapters/journaled/database.js';
import { UsageError, UserError } from '../../../src/errors.js';
import { SERVICE_START_MS, service } from '../../services.js';
import { type FaultyService, faultyService } from './faulty-service.js';
import { clientOf, dropStore, newStoreUrl, setKeys } from './shared-server.js';

const BY_AD = TOTALS_TABLES[0]!;
const START_MS = Date.UTC(2026, 1, 22);
const ALWAYS = { fromMs: 0, toMs: Date.UTC(10_000, 0, 1) };
const VERSION = 1_800_000_000_000_000;
/** More than a batch of each kind. */
const ROWS = Array.from({ length: 260 }, (_, index) => row(index));

function row(index: number, clicks = index + 1): PlacedCell {
  return {
    ...{ minuteMs: START_MS + index * 60_000, adId: 'ad-1', campaignId: 'campaign-1', country: 'DE' },
    ...{ deviceType: 'mobile', clicks, bucket: '2026-02-22', shard: 0 },
  };
}

async function clicksIn(database: RowDatabase): Promise<number[]> {
  const clicks: number[] = [];
  for await (const page of database.scanTotals(BY_AD, ALWAYS))
    clicks.push(...page.map((cell) => cell.clicks));
  return clicks.sort((a, b) => a - b);
}

async function opened(url: string, options: SessionOptions = {}): Promise<RowDatabase> {
  const session = new Session(parseAddress(url), options);
  await makeTables(session);
  return rowDatabase(session);
}

/** The error of a promise, as people would see it. */
async function told(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(UserError);
  const { message, hint } = error as UserError;
  expect(`${message}${hint}`).not.toContain('\n');
  return `${message} | ${hint}`;
}

beforeAll(async () => setKeys(await service('dynamodb')), SERVICE_START_MS);

describe('a service with troubles', () => {
  let faulty: FaultyService;
  let direct: string;
  let url: string;
  let database: RowDatabase;
  const waits: string[] = [];
  beforeEach(async () => {
    direct = await newStoreUrl();
    const { region, prefix, endpoint } = parseAddress(direct);
    faulty = await faultyService(endpoint!);
    url = `dynamodb://${region}/${prefix}?endpoint=${faulty.endpoint}`;
    waits.length = 0;
    database = await opened(url, { onWait: (line) => waits.push(line) });
  });
  afterEach(async () => {
    await database.close();
    await faulty.close();
    await dropStore(direct);
  });

  const throttled = (code: string) => ({
    ...{ kind: 'refused' as const, status: 400, code, message: 'Throughput exceeds the current capacity' },
  });

  test('throttled requests are made again, and whoever waits for long is told so once', async () => {
    faulty.spoil = (operation, number) =>
      operation === 'BatchExecuteStatement' && number < 100
        ? throttled(number % 2 ? 'ThrottlingException' : 'ProvisionedThroughputExceededException')
        : undefined;
    await database.writeTotals(BY_AD, ROWS, VERSION);
    expect(await clicksIn(database)).toEqual(ROWS.map(({ clicks }) => clicks));
    expect(waits).toHaveLength(1);
    expect(waits[0]).toMatch(/^dynamodb:\/\/eu-central-1\/.* is throttled: waiting up to 120 s$/);
  });

  test('statements of a batch that were not carried out are sent again, the others not', async () => {
    const before = faulty.asked.get('BatchExecuteStatement') ?? 0;
    faulty.spoil = (operation) =>
      operation === 'BatchExecuteStatement' ? { kind: 'halved', code: 'ThrottlingError' } : undefined;
    await database.writeTotals(BY_AD, ROWS, VERSION);
    expect(await clicksIn(database)).toEqual(ROWS.map(({ clicks }) => clicks));
    // 11 batches of 25: 25, 12, 6, 3, 1.
    expect(faulty.asked.get('BatchExecuteStatement')! - before).toBeLessThanOrEqual(11 * 5);
    await database.writeTotals(
      BY_AD,
      ROWS.map((_, index) => row(index, 7)),
      VERSION + 1,
    );
    await database.writeTotals(BY_AD, ROWS, VERSION);
    expect(new Set(await clicksIn(database))).toEqual(new Set([7]));
  });

  test('keys that an answer left out are asked for again', async () => {
    await database.writeTotals(BY_AD, ROWS, VERSION);
    faulty.spoil = (operation) =>
      operation === 'BatchGetItem' ? { kind: 'halved', code: 'ThrottlingError' } : undefined;
    expect(await database.clicksOf(BY_AD, [row(1000), ...ROWS])).toEqual([
      0,
      ...ROWS.map(({ clicks }) => clicks),
    ]);
  });

  test('of writes whose answers are lost none is made twice or passed over', async () => {
    faulty.spoil = (_, number) => (number % 2 === 0 ? { kind: 'lost' } : undefined);
    await database.writeTotals(BY_AD, ROWS, VERSION);
    await database.writeTotals(
      BY_AD,
      ROWS.slice(0, 100).map((_, index) => row(index, 0)),
      VERSION + 1,
    );
    expect(await clicksIn(database)).toEqual(ROWS.slice(100).map(({ clicks }) => clicks));
    for (let revision = 0; revision < 6; revision++) {
      const next = { revision: revision + 1, text: `head ${revision + 1}` };
      expect(await database.swapHead(revision, next)).toBe(true);
      expect(await database.readHead()).toEqual(next);
    }
    expect(await database.swapHead(3, { revision: 4, text: 'late' })).toBe(false);
  });

  test('a server that breaks for a moment is asked again', async () => {
    faulty.spoil = (_, number) =>
      number % 3 === 0
        ? { kind: 'refused', status: 500, code: 'InternalServerError', message: 'oh' }
        : undefined;
    await database.writeTotals(BY_AD, ROWS, VERSION);
    expect(await clicksIn(database)).toHaveLength(ROWS.length);
  });

  test('missing rights are told with what is missing, also those for a part of a batch', async () => {
    const message = 'User: arn:aws:iam::1:user/agg is not authorized to perform: dynamodb:PartiQLInsert';
    faulty.spoil = () => ({ kind: 'refused', status: 400, code: 'AccessDeniedException', message });
    const expected = /missing rights: .*dynamodb:PartiQLInsert.*docs\/dynamodb\.md/;
    expect(await told(database.writeTotals(BY_AD, ROWS, VERSION))).toMatch(expected);
    expect(await told(database.readHead())).toMatch(expected);
    faulty.spoil = () => ({ kind: 'halved', code: 'AccessDenied' });
    expect(await told(database.writeTotals(BY_AD, ROWS, VERSION))).toMatch(/missing rights: not this one/);
    faulty.spoil = () => ({ kind: 'refused', status: 400, code: 'AccessDeniedException', message });
    const session = new Session(parseAddress(url));
    expect(await told(makeTables(session))).toMatch(expected);
    session.close();
  });

  test('refused credentials are told without the key', async () => {
    const message = 'The security token included in the request is invalid.';
    faulty.spoil = () => ({ kind: 'refused', status: 400, code: 'UnrecognizedClientException', message });
    const line = await told(database.readHead());
    expect(line).toMatch(/refuses the credentials: The security token.*AWS_ACCESS_KEY_ID/);
    expect(line).not.toContain(process.env.AWS_SECRET_ACCESS_KEY);
  });
});

describe('tables', () => {
  let url: string;
  beforeEach(async () => {
    url = await newStoreUrl();
  });
  afterEach(() => dropStore(url));

  test('that several make at once are made once', async () => {
    const databases = await Promise.all([opened(url), opened(url), opened(url)]);
    await databases[0]!.writeTotals(BY_AD, [row(1)], VERSION);
    expect(await clicksIn(databases[2]!)).toEqual([2]);
    for (const database of databases) await database.close();
  });

  test('are not there before a writer made them', async () => {
    const session = new Session(parseAddress(url));
    expect(await hasTables(session)).toBe(false);
    const states = async () => new Set((await initStore(url)).map(({ state }) => state));
    expect(await states()).toEqual(new Set(['made']));
    expect(await hasTables(session)).toBe(true);
    expect(await states()).toEqual(new Set(['there']));
    session.close();
  });

  test('of another version are refused', async () => {
    await (await opened(url)).close();
    const client = clientOf(url);
    const TableName = tableName(parseAddress(url), 'entries');
    for (const [version, whose] of [
      ['2', 'a newer'],
      ['0', 'an older'],
    ] as const) {
      const Item = { p: { S: 'schema' }, s: { S: 'schema' }, x: { N: version } };
      await client.send(new PutItemCommand({ TableName, Item }));
      expect(await told(opened(url))).toContain(
        `was written by ${whose} click-agg (schema version ${version})`,
      );
    }
    client.destroy();
  });

  test('of somebody else are refused and stay as they are', async () => {
    const client = clientOf(url);
    for (const table of ['entries', 'by_ad'] as const) {
      await client.send(
        new CreateTableCommand({
          TableName: tableName(parseAddress(url), table),
          BillingMode: 'PAY_PER_REQUEST',
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        }),
      );
      expect(await told(opened(url))).toMatch(/click-agg's.*another prefix/);
      await dropStore(url);
    }
    client.destroy();
  });
});

test('a service that is not there is told at once, and waited for by whoever wants to', async () => {
  const nobody = 'dynamodb://eu-central-1/clicks?endpoint=http://127.0.0.1:1';
  const expected = /no DynamoDB answers at dynamodb:\/\/eu-central-1\/clicks/;
  expect(await told(opened(nobody))).toMatch(expected);
  const waits: string[] = [];
  const stop = new AbortController();
  const onWait = (line: string) => {
    waits.push(line);
    stop.abort();
  };
  expect(await told(opened(nobody, { waitsToOpen: true, signal: stop.signal, onWait }))).toMatch(expected);
  expect(waits).toHaveLength(1);
});

test.each([
  ['dynamodb://', 'not a DynamoDB URL'],
  ['dynamodb://eu-central-1', 'not a DynamoDB URL'],
  ['dynamodb://eu-central-1/a/b', 'not a DynamoDB URL'],
  ['dynamodb://eu central/a', 'not a DynamoDB URL'],
  ['dynamodb://key:secret@eu-central-1/a', 'holds no keys'],
  ['dynamodb://eu-central-1/a?endpoint=127.0.0.1:8000', 'endpoint= must be'],
  ['dynamodb://eu-central-1/a?endpont=http://127.0.0.1', 'no parameter endpont'],
])('%s is refused', (url, message) => {
  expect(() => parseAddress(url)).toThrow(UsageError);
  expect(() => parseAddress(url)).toThrow(message);
  expect(() => parseAddress(url)).not.toThrow('secret');
});
