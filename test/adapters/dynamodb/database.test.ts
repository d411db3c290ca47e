// DynamoDB as a database of rows.
import { afterAll } from 'vitest';
import { parseAddress } from '../../../src/adapters/dynamodb/address.js';
import { rowDatabase } from '../../../src/adapters/dynamodb/database.js';
import { Session } from '../../../src/adapters/dynamodb/session.js';
import { makeTables } from '../../../src/adapters/dynamodb/tables.js';
import { describeRowDatabase } from '../../contract/row-database-contract.js';
import { dropStore, newStoreUrl } from './shared-server.js';

const urls = new Map<string, string>();
afterAll(async () => {
  for (const url of urls.values()) await dropStore(url);
});

describeRowDatabase('DynamoDB', {
  async open(directory) {
    const url = urls.get(directory) ?? (await newStoreUrl());
    urls.set(directory, url);
    const session = new Session(parseAddress(url));
    await makeTables(session);
    return rowDatabase(session);
  },
});
