// The tables of the store and how a new file gets them. No table has an index or a primary key: upserts through
// DuckDB's ART indexes have corrupted files, and cost a load several times. Keys are kept unique by the one
// writer, which deletes an old row in the transaction that writes the new one.
import { UserError } from '../../errors.js';
import type { DuckDBConnection } from './node-api.js';
import { numberOf, rowsOf } from './sql.js';

/** Version of the tables below. A file with a greater one is refused. */
export const SCHEMA_VERSION = 4;

/** Letters that were taken back, with both events' numbers: whoever passes letters on needs to know of them. */
const WITHDRAWN_LETTERS = `
  CREATE TABLE withdrawn_letters (
    arrival BIGINT, letter_arrival BIGINT, partition INTEGER, "offset" BIGINT, verdict VARCHAR, reason VARCHAR,
    event_time BIGINT, click_id VARCHAR, ad_id VARCHAR, campaign_id VARCHAR, ip_address VARCHAR
  );
  INSERT INTO meta VALUES ('store_id', uuid()::VARCHAR);`;

const TABLES = `
  CREATE TABLE meta (name VARCHAR, value VARCHAR);
  -- Cells hold numbers instead of text; "minute" is in minutes since 1970.
  CREATE TABLE ads (ad INTEGER, ad_id VARCHAR, campaign_id VARCHAR);
  CREATE TABLE places (place USMALLINT, country VARCHAR, device_type VARCHAR);
  CREATE TABLE cells (minute UINTEGER, ad INTEGER, place USMALLINT, clicks INTEGER);
  CREATE VIEW totals AS
    SELECT make_timestamp(minute::BIGINT * 60000000) AS minute, ad_id, campaign_id, country, device_type, clicks
    FROM cells JOIN ads USING (ad) JOIN places USING (place);
  -- "minute" in epoch ms, -1 for records without a usable event time.
  CREATE TABLE ledger (
    partition INTEGER, minute BIGINT, invalid BIGINT, too_late BIGINT, duplicate BIGINT, double_click BIGINT,
    bot BIGINT, billable BIGINT, invalid_traffic BIGINT
  );
  CREATE TABLE positions (
    partition INTEGER, position BIGINT, max_event_time DOUBLE, rewind_offset BIGINT, rewind_max_event_time DOUBLE
  );
  -- One row; open_periods holds 24 bytes a period: four words of hash and the opening time as a double.
  CREATE TABLE checkpoint (floor DOUBLE, open_periods BLOB);
  CREATE TABLE dead_letters (
    arrival BIGINT, partition INTEGER, "offset" BIGINT, verdict VARCHAR, reason VARCHAR, event_time BIGINT,
    append_time BIGINT, click_id VARCHAR, ad_id VARCHAR, campaign_id VARCHAR, ip_address VARCHAR, "key" BLOB,
    value BLOB, value_bytes BIGINT, redriven_at BIGINT
  );
  ${WITHDRAWN_LETTERS}
  CREATE TABLE revisions (
    revision INTEGER, from_time BIGINT, to_time BIGINT, recorded_at BIGINT, method_hash VARCHAR, positions VARCHAR,
    too_late_admitted BIGINT, adjustments VARCHAR
  );
  CREATE TABLE closed_periods (
    period_id VARCHAR, from_time BIGINT, to_time BIGINT, closed_at BIGINT, method_hash VARCHAR
  );
  CREATE TABLE billing_lines (
    period_id VARCHAR, line INTEGER, campaign_id VARCHAR, clicks BIGINT, price_per_click VARCHAR, amount VARCHAR,
    currency VARCHAR
  );
  CREATE TABLE adjustments (
    line BIGINT, period_id VARCHAR, campaign_id VARCHAR, clicks BIGINT, price_per_click VARCHAR, amount VARCHAR,
    currency VARCHAR, cause VARCHAR, recorded_at BIGINT
  );
  INSERT INTO meta VALUES ('schema_version', '${SCHEMA_VERSION}'), ('complete', 'true'), ('commits', '0');
`;

/**
 * Makes the temporary tables, which live in memory, through which a commit's contents are handed over. To be run
 * again after each: rows that are deleted from a table in memory, and even TRUNCATE, would leave their blocks there.
 */
export const STAGES = `
  CREATE OR REPLACE TEMP TABLE staged_cells (
    rewrite BOOLEAN, minute UINTEGER[], ad INTEGER[], place USMALLINT[], clicks INTEGER[]
  );
  CREATE OR REPLACE TEMP TABLE wanted_ads (wanted INTEGER, ad_id VARCHAR, campaign_id VARCHAR);
  CREATE OR REPLACE TEMP TABLE new_ads AS FROM ads LIMIT 0;
  CREATE OR REPLACE TEMP TABLE new_places AS FROM places LIMIT 0;
  CREATE OR REPLACE TEMP TABLE new_ledger AS FROM ledger LIMIT 0;
  CREATE OR REPLACE TEMP TABLE new_positions AS FROM positions LIMIT 0;
  CREATE OR REPLACE TEMP TABLE new_checkpoint AS FROM checkpoint LIMIT 0;
  CREATE OR REPLACE TEMP TABLE new_letters AS FROM dead_letters LIMIT 0;
  CREATE OR REPLACE TEMP TABLE named_letters (partition INTEGER, "offset" BIGINT);
  CREATE OR REPLACE TEMP TABLE new_lines AS FROM billing_lines LIMIT 0;
  CREATE OR REPLACE TEMP TABLE new_adjustments AS FROM adjustments LIMIT 0;
`;

/** What makes a file of version N one of version N + 1. A step that was released is never changed. */
const MIGRATIONS: Readonly<Record<number, string>> = {
  1: WITHDRAWN_LETTERS,
  2: 'ALTER TABLE ledger ADD COLUMN invalid_traffic BIGINT DEFAULT 0;',
  3: `INSERT INTO meta VALUES ('commits', '0');`,
};

/** Makes the tables if the file is new, or brings them up to date, and makes the writer's temporary ones. */
export async function prepareForWriting(connection: DuckDBConnection, path: string): Promise<void> {
  const found = await versionOf(connection, path);
  if (found === undefined) await connection.run(`BEGIN; ${TABLES} COMMIT;`);
  else {
    for (let version = found; version < SCHEMA_VERSION; version++) {
      const next = `UPDATE meta SET value = '${version + 1}' WHERE name = 'schema_version'`;
      await connection.run(`BEGIN; ${MIGRATIONS[version]} ${next}; COMMIT;`);
    }
  }
  await connection.run(STAGES);
}

/** Whether the file holds our tables; another version or somebody else's tables are a UserError. */
export async function hasTables(connection: DuckDBConnection, path: string): Promise<boolean> {
  const version = await versionOf(connection, path);
  if (version === undefined || version === SCHEMA_VERSION) return version !== undefined;
  throw new UserError(`${path} was written by an older click-agg (store version ${version})`, {
    hint: 'A run of this click-agg brings it up to date.',
  });
}

async function versionOf(connection: DuckDBConnection, path: string): Promise<number | undefined> {
  const known = await numberOf(connection, `SELECT count(*) FROM duckdb_tables() WHERE NOT temporary`);
  if (known === 0) return undefined;
  const ours = `SELECT count(*) FROM duckdb_tables() WHERE NOT temporary AND table_name IN ('meta', 'cells')`;
  if ((await numberOf(connection, ours)) !== 2) {
    throw new UserError(`${path} is a DuckDB file of something else`, { hint: 'Choose another --data-dir.' });
  }
  const [row] = await rowsOf(connection, `SELECT value FROM meta WHERE name = 'schema_version'`);
  const version = Number(row?.[0]);
  if (version > SCHEMA_VERSION) {
    throw new UserError(`${path} was written by a newer click-agg (store version ${version})`, {
      hint: 'Update click-agg, or use another data directory.',
    });
  }
  if (!(version >= 1)) {
    throw new UserError(`${path} is damaged: it has no sound version`, {
      hint: 'Restore it from a copy, or remove it and count the log again.',
    });
  }
  return version;
}
