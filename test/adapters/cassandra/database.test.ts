// Cassandra keeps the contract of databases of rows.
import { parseAddress } from '../../../src/adapters/cassandra/address.js';
import { Cluster } from '../../../src/adapters/cassandra/cluster.js';
import { createDatabase } from '../../../src/adapters/cassandra/database.js';
import { describeRowDatabase } from '../../contract/row-database-contract.js';
import { storeUrlOf } from './shared-server.js';

describeRowDatabase('Cassandra', {
  async open(directory) {
    const url = await storeUrlOf(directory);
    return createDatabase(await Cluster.connect(parseAddress(url), { patient: true }));
  },
});
