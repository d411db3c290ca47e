// The shared DynamoDB Local of the run: every test has tables of its own by a prefix, and removes them.
import { DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { beforeAll } from 'vitest';
import { parseAddress } from '../../../src/adapters/dynamodb/address.js';
import { tableNames } from '../../../src/adapters/dynamodb/tables.js';
import { type Addresses, SERVICE_START_MS, service } from '../../services.js';

// For every test file that imports this: it may have to fetch the server first.
beforeAll(async () => {
  await service('dynamodb');
}, SERVICE_START_MS);

/** The keys, where every AWS program looks for them. */
export function setKeys({ accessKeyId, secretAccessKey }: Addresses['dynamodb']): void {
  process.env.AWS_ACCESS_KEY_ID = accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
}

let stores = 0;

/** A store of the test's own on the shared server; nothing is made yet. */
export async function newStoreUrl(): Promise<string> {
  const address = await service('dynamodb');
  setKeys(address);
  return urlOf(address, `test-${process.pid}-${stores++}`);
}

export function urlOf({ endpoint, region }: Addresses['dynamodb'], prefix: string): string {
  return `dynamodb://${region}/${prefix}?endpoint=${endpoint}`;
}

export function clientOf(url: string): DynamoDBClient {
  const { region, endpoint } = parseAddress(url);
  return new DynamoDBClient({ region, endpoint: endpoint! });
}

export async function dropStore(url: string): Promise<void> {
  const client = clientOf(url);
  await Promise.allSettled(
    tableNames(parseAddress(url)).map((TableName) => client.send(new DeleteTableCommand({ TableName }))),
  );
  client.destroy();
}
