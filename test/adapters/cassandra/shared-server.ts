// The shared Cassandra, keyspaces for tests on it, and a way to look at them past the store. Making and dropping a
// keyspace takes seconds: those of tests that have ended are emptied and used again.
import { existsSync } from 'node:fs';
import cassandra from 'cassandra-driver';
import { afterAll, beforeAll } from 'vitest';
import { parseAddress } from '../../../src/adapters/cassandra/address.js';
import { Cluster } from '../../../src/adapters/cassandra/cluster.js';
import { makeSchema } from '../../../src/adapters/cassandra/schema.js';
import { tableSpecs } from '../../../src/adapters/cassandra/tables.js';
import { SERVICE_START_MS, service } from '../../services.js';

let client: cassandra.Client;

// For every test file that imports this: it may have to fetch the server first.
beforeAll(async () => {
  const { contactPoint, datacenter, username, password } = await service('cassandra');
  client = new cassandra.Client({
    ...{ contactPoints: [contactPoint], localDataCenter: datacenter, credentials: { username, password } },
    // Tests make tables while others do, and look at them through nothing but this.
    socketOptions: { readTimeout: 60_000 },
  });
  await client.connect();
}, SERVICE_START_MS);
afterAll(() => client.shutdown());

let made = 0;

/** The URL of a keyspace that is not there yet. */
export async function newStoreUrl(): Promise<string> {
  const { url } = await service('cassandra');
  return inKeyspace(url, `t_${process.pid}_${Date.now() % 1_000_000}_${made++}`);
}

/** The URL with another keyspace. */
export function inKeyspace(url: string, keyspace: string): string {
  const address = new URL(url);
  address.pathname = `/${keyspace}`;
  return address.href;
}

/** The keyspace of a store's URL. */
export function keyspaceOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

/** Runs a statement as the superuser. */
export async function cql(text: string, params: unknown[] = []): Promise<Record<string, unknown>[]> {
  const { rows } = await client.execute(text, params, { prepare: params.length > 0 });
  return rows ?? [];
}

/** Makes the keyspace and the tables. */
export async function initStore(url: string): Promise<void> {
  const cluster = await Cluster.connect(parseAddress(url), { patient: false });
  await makeSchema(cluster);
  await cluster.close();
}

/** Drops the keyspace of a store. */
export async function dropStore(url: string): Promise<void> {
  await cql(`DROP KEYSPACE IF EXISTS ${keyspaceOf(url)}`);
}

const byDirectory = new Map<string, string>();

/** The URL of an empty store for a test's directory; always the same one for as long as the directory is there. */
export async function storeUrlOf(directory: string): Promise<string> {
  const known = byDirectory.get(directory);
  if (known !== undefined) return known;
  const free = [...byDirectory].find(([other]) => !existsSync(other));
  const url = free?.[1] ?? (await newStoreUrl());
  if (free) byDirectory.delete(free[0]);
  byDirectory.set(directory, url);
  if (free) await empty(url);
  else await initStore(url);
  return url;
}

async function empty(url: string): Promise<void> {
  const keyspace = keyspaceOf(url);
  await Promise.all(
    tableSpecs(0).map(async ({ name }) => {
      const [row] = name === 'register' ? [] : await cql(`SELECT * FROM ${keyspace}.${name} LIMIT 1`);
      if (row) await cql(`TRUNCATE ${keyspace}.${name}`);
    }),
  );
  await cql(`DELETE FROM ${keyspace}.register WHERE name = 'head' IF EXISTS`);
}
