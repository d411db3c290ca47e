// A database of its own on the shared server for each folder that a contract test gives.
import { createHash } from 'node:crypto';
import { parseAddress } from '../../../src/adapters/clickhouse/address.js';
import { Connections } from '../../../src/adapters/clickhouse/connections.js';
import { makeDatabase } from '../../../src/adapters/clickhouse/schema.js';
import { service } from '../../services.js';

/** The URL of the database that belongs to `directory`, which is made. */
export async function databaseFor(directory: string): Promise<string> {
  const { url } = await service('clickhouse');
  const name = `test_${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
  const own = url.replace(/\/[^/]*$/, `/${name}`);
  const connections = new Connections(parseAddress(own), { patient: false });
  await makeDatabase(connections, name);
  await connections.close();
  return own;
}
