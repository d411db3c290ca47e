// The store on DynamoDB keeps the contract of stores.
import { afterAll } from 'vitest';
import { openStore } from '../../../src/adapters/dynamodb/store.js';
import { describeOutbox } from '../../contract/outbox-contract.js';
import { describeStore } from '../../contract/store-contract.js';
import { dropStore, newStoreUrl } from './shared-server.js';

const urls = new Map<string, string>();
afterAll(async () => {
  for (const url of urls.values()) await dropStore(url);
});

async function open(directory: string) {
  const url = urls.get(directory) ?? (await newStoreUrl());
  urls.set(directory, url);
  return await openStore(url);
}

describeStore('DynamoDB', { open, greatCommit: 2_000 });
describeOutbox('DynamoDB', open);
