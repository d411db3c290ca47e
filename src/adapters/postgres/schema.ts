// Brings a schema to the version of this program, or says in one line why not.
import type pg from 'pg';
import { UserError } from '../../errors.js';
import type { Address } from './address.js';
import { MIGRATIONS, type Migration } from './migrations.js';

/** The first half of our advisory lock, so that it is nobody else's: 'clic' in ASCII. */
const LOCK_CLASS = 0x63_6c_69_63;
/** ATTACH PARTITION without a lock that readers notice came with it. */
const SERVER_VERSION_MIN = 120_000;

/** UserError: the server is too old for what the store needs. */
export async function requireServerVersion(client: pg.ClientBase, { name }: Address): Promise<void> {
  const { rows } = await client.query<{ number: number; text: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS text`,
  );
  if (rows[0]!.number >= SERVER_VERSION_MIN) return;
  throw new UserError(`${name} is PostgreSQL ${rows[0]!.text}: too old`, {
    hint: 'Use version 12 or later.',
  });
}

/**
 * Makes or migrates the schema in one transaction, under an advisory lock: of several that start at once, one does it
 * and the others find it done. UserError: it is of a newer program, or somebody else's.
 */
export async function migrate(
  client: pg.ClientBase,
  address: Address,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const newest = migrations.at(-1)!.version;
  if ((await versionOf(client, address, newest)) === newest) return;
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK_CLASS, address.schema]);
    const version = await versionOf(client, address, newest);
    if (version === undefined) await createSchema(client, address);
    for (const migration of migrations) {
      if (migration.version <= (version ?? 0)) continue;
      await client.query(migration.sql);
      await client.query('INSERT INTO schema_versions (version, about) VALUES ($1, $2)', [
        migration.version,
        migration.about,
      ]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** Whether there is a store to read. UserError: it is of a newer or an older program, or somebody else's. */
export async function hasTables(
  client: pg.ClientBase,
  address: Address,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<boolean> {
  const newest = migrations.at(-1)!.version;
  const version = await versionOf(client, address, newest);
  if (version === undefined || version === newest) return version !== undefined;
  throw new UserError(`${address.name} was written by an older click-agg (schema version ${version})`, {
    hint: `${address.option === '--ads' ? 'An import' : 'A run'} of this click-agg migrates it.`,
  });
}

/** UserError: the schema is of a newer program, or somebody else's; an older or a missing one will be migrated. */
export async function requireKnownSchema(client: pg.ClientBase, address: Address): Promise<void> {
  await versionOf(client, address, MIGRATIONS.at(-1)!.version);
}

async function createSchema(client: pg.ClientBase, { schema }: Address): Promise<void> {
  // CREATE SCHEMA IF NOT EXISTS would ask for the right to make one where an administrator has made it.
  const { rowCount } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA ${schema}`);
  await client.query(`CREATE TABLE schema_versions (
    version integer PRIMARY KEY, about text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
  )`);
}

/** The schema's version; undefined where it is missing or empty. */
async function versionOf(
  client: pg.ClientBase,
  { name, schema, option }: Address,
  newest: number,
): Promise<number | undefined> {
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY relname = 'schema_versions' DESC LIMIT 1`,
    [schema],
  );
  if (tables.length === 0) return undefined;
  if (tables[0]!.name !== 'schema_versions') {
    throw new UserError(`${name}: the schema ${schema} holds the tables of something else`, {
      hint: `Choose another one: ${option} postgres://…?schema=NAME.`,
    });
  }
  const { rows } = await client.query<{ version: number | null }>(
    `SELECT max(version) AS version FROM ${schema}.schema_versions`,
  );
  const version = rows[0]!.version;
  if (version !== null && version > newest) {
    throw new UserError(`${name} was written by a newer click-agg (schema version ${version})`, {
      hint: 'Update click-agg, or use another database or schema.',
    });
  }
  if (version === null || version < 1) {
    throw new UserError(`${name} is damaged: it has no sound version`, {
      hint: `Restore it from a copy, or drop the schema ${schema} and count the log again.`,
    });
  }
  return version;
}
