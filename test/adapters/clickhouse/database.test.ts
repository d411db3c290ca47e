// ClickHouse as a database of rows: the contract that a journaled store rests on.
import { beforeAll } from 'vitest';
import { parseAddress } from '../../../src/adapters/clickhouse/address.js';
import { Connections } from '../../../src/adapters/clickhouse/connections.js';
import { clickHouseDatabase } from '../../../src/adapters/clickhouse/database.js';
import { makeTables } from '../../../src/adapters/clickhouse/schema.js';
import { describeRowDatabase } from '../../contract/row-database-contract.js';
import { SERVICE_START_MS, service } from '../../services.js';
import { databaseFor } from './databases.js';

beforeAll(async () => void (await service('clickhouse')), SERVICE_START_MS);

describeRowDatabase('ClickHouse', {
  async open(directory) {
    const connections = new Connections(parseAddress(await databaseFor(directory)), { patient: true });
    await makeTables(connections);
    return clickHouseDatabase(connections);
  },
});
