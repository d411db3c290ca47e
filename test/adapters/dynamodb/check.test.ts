// What `store check` tells of tables that are not as `store init` makes them.
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  DeleteTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseAddress } from '../../../src/adapters/dynamodb/address.js';
import { initStore, storeDifferences } from '../../../src/adapters/dynamodb/store.js';
import { clickAgg } from '../../cli/click-agg.js';
import { SERVICE_START_MS } from '../../services.js';
import { clientOf, dropStore, newStoreUrl } from './shared-server.js';

let url: string;
let prefix: string;
beforeEach(async () => {
  url = await newStoreUrl();
  prefix = parseAddress(url).prefix;
}, SERVICE_START_MS);
afterEach(() => dropStore(url));

const ofOneKey = (name: string): CreateTableCommandInput => ({
  TableName: name,
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
});

test('a store that is made by store init is as it should be, and one that is not there is no store', async () => {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
  const check = () =>
    clickAgg(['store', 'check', '--store', url], { env: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } });
  expect(await check()).toMatchObject({ code: 1, stderr: expect.stringMatching(/its tables are not there/) });
  await initStore(url);
  expect(await check()).toMatchObject({ code: 0, stdout: expect.stringContaining('is as it should be') });
});

test('every difference is told', async () => {
  await initStore(url);
  const client = clientOf(url);
  const drop = (table: string) => client.send(new DeleteTableCommand({ TableName: `${prefix}.${table}` }));
  const neighbours = [`${prefix}.eu.by_ad`, `${prefix}x.by_ad`];
  try {
    for (const table of ['by_country', 'ad_days', 'ad_hours']) await drop(table);
    await client.send(new CreateTableCommand(ofOneKey(`${prefix}.ad_days`)));
    const { KeySchema: _, AttributeDefinitions: __, ...provisioned } = ofOneKey(`${prefix}.ad_hours`);
    const key = ['p', 's', 'clicks'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const }));
    await client.send(
      new CreateTableCommand({
        ...provisioned,
        BillingMode: 'PROVISIONED',
        ProvisionedThroughput: { ReadCapacityUnits: 7, WriteCapacityUnits: 5 },
        AttributeDefinitions: key,
        KeySchema: [
          { AttributeName: 'p', KeyType: 'HASH' },
          { AttributeName: 's', KeyType: 'RANGE' },
        ],
        LocalSecondaryIndexes: [
          {
            IndexName: 'clicks',
            Projection: { ProjectionType: 'KEYS_ONLY' },
            KeySchema: [
              { AttributeName: 'p', KeyType: 'HASH' },
              { AttributeName: 'clicks', KeyType: 'RANGE' },
            ],
          },
        ],
      }),
    );
    await client.send(
      new UpdateTimeToLiveCommand({
        TableName: `${prefix}.ad_hours`,
        TimeToLiveSpecification: { AttributeName: 'until', Enabled: true },
      }),
    );
    for (const name of [`${prefix}.by_device`, ...neighbours]) {
      await client.send(new CreateTableCommand(ofOneKey(name)));
    }
    await client.send(
      new DeleteItemCommand({
        TableName: `${prefix}.entries`,
        Key: { p: { S: 'schema' }, s: { S: 'schema' } },
      }),
    );
    const found = (await storeDifferences(url)).map(({ name, setting, is }) => [
      name.replace(`${prefix}.`, ''),
      setting,
      is,
    ]);
    expect(found.sort()).toEqual(
      [
        ['schema', 'version', 'none'],
        ['by_country', 'table', 'missing'],
        ['ad_days', 'key', 'id HASH'],
        ['ad_days', 'time to live', 'off'],
        ['ad_hours', 'billing mode', 'PROVISIONED, 7 read and 5 write units'],
        ['ad_hours', 'indexes', '1'],
        ['ad_hours', 'time to live', 'by until'],
        ['by_device', 'table', 'there'],
      ].sort(),
    );
  } finally {
    await Promise.allSettled(
      [`${prefix}.by_device`, ...neighbours].map((TableName) =>
        client.send(new DeleteTableCommand({ TableName })),
      ),
    );
    client.destroy();
  }
});
