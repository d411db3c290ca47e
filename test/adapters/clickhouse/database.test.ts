// ClickHouse as a database of rows: the contract that a journaled store rests on.
import { afterAll } from 'vitest';
import { parseAddress } from '../../../src/adapters/clickhouse/address.js';
import { Connections } from '../../../src/adapters/clickhouse/connections.js';
import { clickHouseDatabase } from '../../../src/adapters/clickhouse/database.js';
import { describeRowDatabase } from '../../contract/row-database-contract.js';
import { dropStores, storeIn } from './databases.js';

afterAll(dropStores);

describeRowDatabase('ClickHouse', {
  async open(directory) {
    const address = parseAddress(await storeIn(directory));
    return clickHouseDatabase(new Connections(address, { patient: true }));
  },
});
