// The tables of the store, and whether they are there. A comment on a table says whose it is and of which version.
import type { StoreDifference, StoreMade } from '../../core/ports/server.js';
import { UserError } from '../../errors.js';
import type { Address } from './address.js';
import type { Connections } from './connections.js';
import { serverError, UNKNOWN_DATABASE } from './server-errors.js';
import { text } from './sql.js';

const SCHEMA_VERSION = 1;
const COMMENT = 'click-agg store, schema';
const OURS = /^click-agg store, schema (\d+)$/;
/** Made last, so that its comment vouches for the others. */
const MARKED = 'totals';

/** Databases whose tables are made one at a time, and stay: on them the register rests. */
const DATABASE_ENGINES = ['Atomic', 'Replicated', 'Shared'];

/** First version of the server that has what the statements need. */
const SERVER_MIN = [24, 8] as const;

/** A server that says nothing for so long when it is asked who it is, is not there. */
const ANSWER_MS = 10_000;

/** What was told to be written must survive a power cut. */
const DURABLE = 'fsync_after_insert = 1, fsync_part_directory = 1';

const TABLES = [
  `CREATE TABLE IF NOT EXISTS entries (
     kind LowCardinality(String), partition String, key String,
     value String, deleted UInt8, version UInt64, written DateTime('UTC') DEFAULT now()
   ) ENGINE = ReplacingMergeTree(version) PARTITION BY kind ORDER BY (kind, partition, key)
   TTL written + INTERVAL 1 DAY DELETE WHERE kind = 'journal' AND deleted = 1
   SETTINGS index_granularity = 256, ${DURABLE}
   COMMENT 'ledger, dead letters, books and journal of click-agg'`,
  `CREATE TABLE IF NOT EXISTS ${MARKED} (
     ad_id String, minute DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)), campaign_id String,
     country LowCardinality(String), device_type LowCardinality(String),
     clicks UInt32, version UInt64 CODEC(ZSTD(1)),
     INDEX campaigns campaign_id TYPE bloom_filter(0.01) GRANULARITY 1
   ) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMMDD(minute)
   ORDER BY (ad_id, minute, campaign_id, country, device_type)
   SETTINGS ${DURABLE}
   COMMENT ${text(`${COMMENT} ${SCHEMA_VERSION}`)}`,
];

/** Makes the database and the tables that are not there. UserError as for `makeTables`. */
export async function makeDatabase(connections: Connections): Promise<StoreMade[]> {
  await requireVersion(connections);
  const before = await partsOf(connections);
  await connections.tell(`CREATE DATABASE IF NOT EXISTS ${connections.address.database}`);
  await makeTables(connections);
  const after = await partsOf(connections);
  return after.map((name) => ({ name, state: before.includes(name) ? 'there' : 'made' }));
}

async function partsOf(connections: Connections): Promise<string[]> {
  const database = text(connections.address.database);
  const rows = await connections.ask(
    `SELECT * FROM (
       SELECT concat('database ', name) AS part FROM system.databases WHERE name = ${database}
       UNION ALL SELECT concat('table ', name) FROM system.tables
       WHERE database = ${database} AND name IN ('entries', '${MARKED}')
     ) ORDER BY part`,
  );
  return rows.map(([part]) => String(part));
}

/** Makes the tables that are not there. UserError: the schema is of a newer version or of something else. */
export async function makeTables(connections: Connections): Promise<void> {
  if (await hasTables(connections)) return;
  for (const table of TABLES) await connections.tell(inDatabase(table, connections.address));
}

/** What of the database and its tables differs from what is made here. */
export async function differences(connections: Connections): Promise<StoreDifference[]> {
  const { database } = connections.address;
  const found: StoreDifference[] = [];
  const [engine] = await connections.ask(
    `SELECT engine FROM system.databases WHERE name = ${text(database)} AND engine != 'Atomic'`,
  );
  if (engine) {
    const about = {
      name: `database ${database}`,
      setting: 'engine',
      is: String(engine[0]),
      shouldBe: 'Atomic',
    };
    found.push({ ...about, why: 'all processes must ask the same replica: no other way was tried' });
  }
  const tables = await connections.ask(
    `SELECT name, engine, match(create_table_query, 'fsync_after_insert = (1|true)') FROM system.tables
     WHERE database = ${text(database)} AND name IN ('entries', '${MARKED}') ORDER BY name`,
  );
  for (const [name, kind, isDurable] of tables) {
    const about = { name: `table ${name}`, is: String(kind), shouldBe: 'ReplacingMergeTree' };
    if (!String(kind).endsWith('ReplacingMergeTree'))
      found.push({ ...about, setting: 'engine', why: 'older values would never go' });
    if (!isDurable && kind === 'ReplacingMergeTree')
      found.push({ ...about, ...FSYNC, why: 'a power cut may lose a commit' });
  }
  return found;
}
const FSYNC = { setting: 'fsync_after_insert', is: '0', shouldBe: '1' };

/** Whether the store's tables are there. UserError as for `makeTables`. */
export async function hasTables(connections: Connections): Promise<boolean> {
  const { address } = connections;
  await requireVersion(connections);
  await requireDatabase(connections);
  const [row] = await connections.ask(
    `SELECT comment FROM system.tables WHERE database = ${text(address.database)} AND name = '${MARKED}'`,
  );
  if (!row) return false;
  const [, version] = OURS.exec(String(row[0])) ?? [];
  if (version === undefined) {
    throw new UserError(`${address.name}: the table ${MARKED} there is not click-agg's`, {
      hint: 'Give the store a database of its own.',
    });
  }
  if (Number(version) !== SCHEMA_VERSION) {
    throw new UserError(
      `${address.name} has schema version ${version}, this click-agg knows ${SCHEMA_VERSION}`,
      { hint: 'Use the version of click-agg that made it, or a newer one.' },
    );
  }
  return true;
}

/** The server is one, and new enough. */
async function requireVersion(connections: Connections): Promise<void> {
  const [row] = await connections.ask('SELECT version()', ANSWER_MS);
  const version = String(row?.[0]);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > SERVER_MIN[0] || (major === SERVER_MIN[0] && minor >= SERVER_MIN[1])) return;
  throw new UserError(`${connections.address.name} is ClickHouse ${version}, too old`, {
    hint: `click-agg needs ${SERVER_MIN.join('.')} or newer.`,
  });
}

/** The database is there, and of a kind that will do. */
async function requireDatabase(connections: Connections): Promise<void> {
  const { address } = connections;
  const [row] = await connections.ask(
    `SELECT engine FROM system.databases WHERE name = ${text(address.database)}`,
  );
  const engine = row && String(row[0]);
  // A user who may not see the database is told as if there were none.
  if (engine === undefined) throw noDatabase(address);
  if (!DATABASE_ENGINES.includes(engine)) {
    throw new UserError(`${address.name}: the database's engine is ${engine}, which can't hold a store`, {
      hint: 'Make one with the engine Atomic, which is the usual one.',
    });
  }
}

function noDatabase(address: Address): unknown {
  const missing = Object.assign(new Error('no database'), { code: UNKNOWN_DATABASE });
  return serverError(missing, address);
}

function inDatabase(statement: string, { database }: Address): string {
  return statement.replace('IF NOT EXISTS ', `IF NOT EXISTS ${database}.`);
}
