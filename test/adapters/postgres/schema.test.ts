// The schema of the PostgreSQL store and what a person is told when a server, a database or a schema can't be used.
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/adapters/postgres/address.js';
import { MIGRATIONS } from '../../../src/adapters/postgres/migrations.js';
import { migrate } from '../../../src/adapters/postgres/schema.js';
import { openStore, openStoreReader, storeName } from '../../../src/adapters/postgres/store.js';
import { EVERYTHING } from '../../../src/core/ports/store.js';
import { UsageError, UserError } from '../../../src/errors.js';
import { cell, commitOf, ledgerChange, MINUTE_MS, START_MS } from '../../contract/commits.js';
import { type OwnService, ownService } from '../../services.js';
import { dropStore, inSchema, newStoreUrl, schemaOf, sql } from './shared-server.js';

let url: string;
beforeEach(async () => {
  url = await newStoreUrl();
});
afterEach(() => dropStore(url));

async function connected<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const { config } = parseAddress(url);
  const client = new pg.Client(config);
  await client.connect();
  try {
    await client.query(`SET search_path = ${schemaOf(url)}`);
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('the schema', () => {
  test('is made once, though many begin at once', async () => {
    const stores = await Promise.all(Array.from({ length: 6 }, () => openStore(url)));
    for (const store of stores) await store.close();
    expect(await sql(url, 'SELECT version FROM schema_versions ORDER BY version')).toEqual(
      MIGRATIONS.map(({ version }) => ({ version })),
    );
    expect(await sql(url, 'SELECT count(*)::int AS count FROM writer')).toEqual([{ count: 1 }]);
  });

  test('of an older program is migrated with what is in it, step by step and in one transaction', async () => {
    const store = await openStore(url);
    await store.commit(commitOf({ cells: [cell()] }));
    await store.close();
    const next = MIGRATIONS.length + 1;
    const added = { version: next, about: 'a note', sql: 'ALTER TABLE positions ADD COLUMN note text' };
    const broken = { version: next + 1, about: 'broken', sql: 'ALTER TABLE nothing ADD COLUMN x text' };
    await connected(async (client) => {
      const failed = migrate(client, parseAddress(url), [...MIGRATIONS, added, broken]);
      await expect(failed).rejects.toThrow(/does not exist/);
    });
    const versions = 'SELECT max(version) AS version FROM schema_versions';
    expect(await sql(url, versions)).toEqual([{ version: MIGRATIONS.length }]);
    await connected((client) => migrate(client, parseAddress(url), [...MIGRATIONS, added]));
    expect(await sql(url, versions)).toEqual([{ version: next }]);
    expect(await sql(url, 'SELECT clicks, note FROM totals LEFT JOIN positions ON true')).toEqual([
      { clicks: 1, note: null },
    ]);
    // Now this program is the older one.
    await expect(openStore(url)).rejects.toThrow(new RegExp(`newer click-agg \\(schema version ${next}\\)`));
    await expect(openStoreReader(url)).rejects.toThrow(/newer click-agg/);
  });

  test('of an older program is not read before a run has migrated it', async () => {
    await connected((client) => migrate(client, parseAddress(url), MIGRATIONS.slice(0, 1)));
    await sql(url, 'INSERT INTO ledger VALUES (0, 0, 1, 2, 3, 4, 5, 6)');
    await expect(openStoreReader(url)).rejects.toThrow(/older click-agg \(schema version 1\)/);
    const store = await openStore(url);
    await store.commit(commitOf({ ledger: [ledgerChange(0, 0, { invalid_traffic: 7 })] }));
    await store.close();
    const reader = await openStoreReader(url);
    expect(await reader!.ledger()).toEqual({
      ...{ records: 28, invalid: 1, too_late: 2, duplicate: 3, invalid_traffic: 7 },
      ...{ double_click: 4, bot: 5, billable: 6 },
    });
    await reader!.close();
    await sql(url, 'DELETE FROM schema_versions');
    await expect(openStoreReader(url)).rejects.toThrow(/no sound version/);
  });

  test('of something else is refused and left alone', async () => {
    await sql(
      url,
      `CREATE SCHEMA ${schemaOf(url)}; CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)`,
    );
    await expect(openStore(url)).rejects.toThrow(/holds the tables of something else/);
    await expect(openStoreReader(url)).rejects.toThrow(/holds the tables of something else/);
    expect(await sql(url, 'SELECT id FROM orders')).toEqual([{ id: 1 }]);
  });

  test('leaves other schemas of the database alone', async () => {
    const other = await newStoreUrl();
    await sql(
      other,
      `CREATE SCHEMA ${schemaOf(other)}; CREATE TABLE totals (mine int); INSERT INTO totals VALUES (7)`,
    );
    const store = await openStore(url);
    await store.takeOver();
    await store.commit(commitOf({ cells: [cell()] }));
    await store.close();
    expect(await sql(other, 'SELECT * FROM totals')).toEqual([{ mine: 7 }]);
    await dropStore(other);
  });

  test('has a partition for each day', async () => {
    const store = await openStore(url);
    const days = [0, 1, 1].map((day) => START_MS + day * 1440 * MINUTE_MS);
    for (const minuteMs of days) await store.commit(commitOf({ cells: [cell({ minuteMs, rewrite: true })] }));
    await store.close();
    const partitions = `SELECT relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
      WHERE inhparent = 'totals'::regclass ORDER BY relname`;
    expect(await sql(url, partitions)).toEqual([
      { relname: 'totals_20260222' },
      { relname: 'totals_20260223' },
    ]);
  });

  test('can be read by who may only read', async () => {
    const store = await openStore(url);
    await store.commit(commitOf({ cells: [cell()] }));
    await store.close();
    const role = `r_${schemaOf(url)}`;
    await sql(
      url,
      `CREATE ROLE ${role} LOGIN PASSWORD 'reads';
       GRANT USAGE ON SCHEMA ${schemaOf(url)} TO ${role};
       GRANT SELECT ON ALL TABLES IN SCHEMA ${schemaOf(url)} TO ${role}`,
    );
    const address = new URL(url);
    [address.username, address.password] = [role, 'reads'];
    try {
      const reader = await openStoreReader(address.href);
      expect(await reader!.query(EVERYTHING)).toHaveLength(1);
      await reader!.close();
      await expect(openStore(inSchema(address.href, `${schemaOf(url)}_new`))).rejects.toThrow(
        /permission denied for database/,
      );
    } finally {
      await sql(url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

describe('a person is told in one line', () => {
  let server: OwnService<'postgres'>;
  let known: string;
  beforeEach(async () => {
    server = await ownService('postgres', { settings: { fsync: 'off' } });
    known = inSchema(server.address.url, 's');
  });
  afterEach(() => server.remove());

  test('what is wrong with the server, and never the password', async () => {
    const { password } = new URL(known);
    const wrong: [change: (address: URL) => void, line: RegExp][] = [
      [(address) => Object.assign(address, { password: 'wrong-secret' }), /refuses the password/],
      [(address) => Object.assign(address, { password: '' }), /asks for a password/],
      [(address) => Object.assign(address, { pathname: '/nowhere' }), /no such database/],
      [(address) => Object.assign(address, { port: '1' }), /no PostgreSQL server answers/],
      [(address) => address.searchParams.set('sslmode', 'require'), /does not support SSL/],
    ];
    for (const [change, line] of wrong) {
      const address = new URL(known);
      change(address);
      const failure: unknown = await openStore(address.href).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      const { message, hint } = failure as UserError;
      expect(message).toMatch(line);
      expect(message).not.toContain('\n');
      expect(`${message} ${hint}`).not.toContain('wrong-secret');
      expect(`${message} ${hint}`).not.toContain(`:${password}@`);
    }
  });

  test('that the server is gone, at once where nobody counts on it', async () => {
    const store = await openStore(known);
    await store.close();
    const reader = await openStoreReader(known);
    await server.kill();
    await expect(reader!.query(EVERYTHING)).rejects.toMatchObject({ name: 'UserError' });
    await expect(openStoreReader(known)).rejects.toThrow(/no PostgreSQL server answers/);
    await reader!.close();
  });
});

describe('an address', () => {
  test('is shown without its password, whatever stands in it', () => {
    expect(storeName('postgres://me:secret@host:1/db')).toBe('postgres://me@host:1/db');
    expect(storeName('postgresql://me:a%40b%2F@[::1]:1/db?schema=mine')).toBe(
      'postgres://me@[::1]:1/db?schema=mine',
    );
    expect(storeName('postgres://host/db?user=me&password=secret')).toBe('postgres://me@host:5432/db');
  });

  test.each([
    'postgres://host:port/db',
    'postgres://me:50%@host/db',
    'postgres://host/db?schema=Mixed',
    'postgres://host/db?schema=pg_catalog',
    'postgres://host/db?schema=a"; drop',
    'postgres://host/db?sslmode=verify-ca',
    'postgres://host/db?sslrootcert=/nowhere.pem',
  ])('%s is refused before anything is connected', (text) => {
    expect(() => parseAddress(text)).toThrow(UsageError);
  });
});
