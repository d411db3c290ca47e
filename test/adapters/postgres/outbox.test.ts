// The PostgreSQL store keeps dead letters in order for whoever passes them on.
import { afterAll } from 'vitest';
import { openStore } from '../../../src/adapters/postgres/store.js';
import { describeOutbox } from '../../contract/outbox-contract.js';
import { dropStore, newStoreUrl } from './shared-server.js';

const stores = new Map<string, string>();
afterAll(async () => {
  for (const url of stores.values()) await dropStore(url);
});

describeOutbox('PostgreSQL', async (directory) => {
  const url = stores.get(directory) ?? (await newStoreUrl());
  stores.set(directory, url);
  return await openStore(url);
});
