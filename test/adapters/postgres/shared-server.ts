// The shared PostgreSQL server, a schema for each test on it, and a way to look at it past the store.
import pg from 'pg';
import { beforeAll } from 'vitest';
import { SERVICE_START_MS, service } from '../../services.js';

// For every test file that imports this: it may have to fetch the server first.
beforeAll(async () => {
  await sharedUrl();
}, SERVICE_START_MS);

let made = 0;

/** Its URL, as its owner. */
export async function sharedUrl(): Promise<string> {
  return (await service('postgres')).url;
}

/** A store's URL in a schema of its own. */
export async function newStoreUrl(): Promise<string> {
  return inSchema(await sharedUrl(), `t_${process.pid}_${Date.now() % 1_000_000}_${made++}`);
}

/** The URL of a store in a schema. */
export function inSchema(url: string, schema: string): string {
  const address = new URL(url);
  address.searchParams.set('schema', schema);
  return address.href;
}

/** The schema of a store's URL. */
export function schemaOf(url: string): string {
  return new URL(url).searchParams.get('schema')!;
}

/** Runs statements as the server's owner, with the store's schema in the search path. */
export async function sql(url: string, text: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const address = new URL(url);
  address.searchParams.delete('schema');
  const client = new pg.Client(address.href);
  await client.connect();
  try {
    await client.query(`SET search_path = ${schemaOf(url)}, public`);
    const result = await client.query(text, values);
    return Array.isArray(result) ? [] : result.rows;
  } finally {
    await client.end();
  }
}

/** Drops the schema of a store. */
export async function dropStore(url: string): Promise<void> {
  await sql(url, `DROP SCHEMA IF EXISTS ${schemaOf(url)} CASCADE`);
}
