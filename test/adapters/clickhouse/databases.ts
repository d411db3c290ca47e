// The shared ClickHouse server, a database for each test on it, and a way to look at it past the store.
import { beforeAll } from 'vitest';
import { parseAddress } from '../../../src/adapters/clickhouse/address.js';
import { Connections, type Row } from '../../../src/adapters/clickhouse/connections.js';
import { initStore } from '../../../src/adapters/clickhouse/store.js';
import { SERVICE_START_MS, service } from '../../services.js';

// For every test file that imports this: it may have to fetch the server first.
beforeAll(async () => {
  await service('clickhouse');
}, SERVICE_START_MS);

let made = 0;

/** The URL of a database that is not there yet. */
export async function newDatabaseUrl(): Promise<string> {
  const { url } = await service('clickhouse');
  return inDatabase(url, `t_${process.pid}_${Date.now() % 1_000_000}_${made++}`);
}

/** The URL of a store in a database of its own. */
export async function newStoreUrl(): Promise<string> {
  const url = await newDatabaseUrl();
  await initStore(url);
  return url;
}

/** The URL of a database on the same server. */
export function inDatabase(url: string, database: string): string {
  const address = new URL(url);
  address.pathname = `/${database}`;
  return address.href;
}

/** Asks the server; `{db}` stands for the store's database. */
export async function sql(url: string, statement: string): Promise<Row[]> {
  const address = parseAddress(url);
  const connections = new Connections(address, { patient: false });
  try {
    const text = statement.replaceAll('{db}', address.database);
    if (/^\s*SELECT/.test(text)) return await connections.ask(text);
    await connections.tell(text);
    return [];
  } finally {
    await connections.close();
  }
}

/** Drops the database of a store. */
export async function dropStore(url: string): Promise<void> {
  await sql(url, 'DROP DATABASE IF EXISTS {db} SYNC');
}

const stores = new Map<string, string>();

/** The URL of the store that belongs to a test's folder. */
export async function storeIn(directory: string): Promise<string> {
  const url = stores.get(directory) ?? (await newStoreUrl());
  stores.set(directory, url);
  return url;
}

/** Drops all that `storeIn` gave. */
export async function dropStores(): Promise<void> {
  for (const url of stores.values()) await dropStore(url);
}
