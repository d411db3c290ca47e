// The tables in a keyspace: how each is made, and the statements by which its rows are written and read. What is kept
// of a row is its key and one value; the row's version is its write timestamp, so that the newest stays.
import type { EntryKind, PlacedCell, TotalsTable } from '../journaled/database.js';
import { TOTALS_TABLES } from '../journaled/database.js';
import type { Statement } from './cluster.js';

/** Raised when a table is not any more what an older program made. */
export const FORMAT = 1;

const DAY_S = 86_400;
/** So long a deletion is remembered: no write comes later than that, and repairs come more often. */
const GRACE_S = 10 * DAY_S;
/** Entries of the journal have done their work within seconds; what comes back of them is looked at by nobody. */
const JOURNAL_GRACE_S = DAY_S;

/** One table's options that matter, as Cassandra shows them. */
export interface TableOptions {
  compaction: Readonly<Record<string, string>>;
  default_time_to_live: number;
  gc_grace_seconds: number;
}

export interface TableSpec {
  name: string;
  /** Columns and primary key, as in CREATE TABLE. */
  columns: string;
  options: TableOptions;
}

/** Minutes are written for a day or two and then read: files of one day each, which expire as a whole. */
const BY_DAY = {
  class: 'TimeWindowCompactionStrategy',
  compaction_window_unit: 'DAYS',
  compaction_window_size: '1',
};
/** Rollups are written again with every minute: few files for a row. */
const LEVELED = { class: 'LeveledCompactionStrategy' };
const TIERED = { class: 'SizeTieredCompactionStrategy' };

const COLUMNS = {
  adId: 'ad_id',
  campaignId: 'campaign_id',
  country: 'country',
  deviceType: 'device_type',
} as const;

/** All tables of a store; minutes are kept for so many seconds (0: for ever). */
export function tableSpecs(minutesTtlS: number): TableSpec[] {
  const plain = { compaction: TIERED, default_time_to_live: 0, gc_grace_seconds: GRACE_S };
  const entries = 'partition text, key text, value blob, PRIMARY KEY ((partition), key)';
  return [
    {
      ...{ name: 'register', options: plain },
      columns: 'name text, revision bigint, text text, PRIMARY KEY ((name))',
    },
    ...TOTALS_TABLES.map((table) => ({
      name: table.name,
      columns: columnsOf(table),
      options: {
        ...plain,
        ...(table.grain === 'minute'
          ? { compaction: BY_DAY, default_time_to_live: minutesTtlS }
          : { compaction: LEVELED }),
      },
    })),
    {
      ...{ name: 'journal', columns: entries },
      options: { ...plain, gc_grace_seconds: JOURNAL_GRACE_S },
    },
    {
      ...{ name: 'books', options: plain },
      columns: 'kind text, partition text, key text, value blob, PRIMARY KEY ((kind, partition), key)',
    },
  ];
}

function columnsOf(table: TotalsTable): string {
  const texts = [COLUMNS[table.owner], 'bucket', ...keptColumns(table)].map((name) => `${name} text`);
  const shard = table.sharded ? ['shard int'] : [];
  const key = [`(${partitionColumns(table).join(', ')})`, 'minute', ...keptColumns(table)];
  return [...texts, ...shard, 'minute timestamp', 'clicks bigint', `PRIMARY KEY (${key.join(', ')})`].join(
    ', ',
  );
}

const keptColumns = (table: TotalsTable): string[] => table.columns.map((column) => COLUMNS[column]);
const partitionColumns = (table: TotalsTable): string[] => [
  ...[COLUMNS[table.owner], 'bucket'],
  ...(table.sharded ? ['shard'] : []),
];

/** CQL that makes a table if it is missing. */
export function createTable(keyspace: string, { name, columns, options }: TableSpec): string {
  return `CREATE TABLE IF NOT EXISTS ${keyspace}.${name} (${columns}) WITH ${optionsText(options)}`;
}

/** CQL that gives a table its options. */
export function alterTable(keyspace: string, { name, options }: TableSpec): string {
  return `ALTER TABLE ${keyspace}.${name} WITH ${optionsText(options)}`;
}

function optionsText({ compaction, default_time_to_live, gc_grace_seconds }: TableOptions): string {
  const settings = Object.entries(compaction).map(([name, value]) => `'${name}': '${value}'`);
  return [
    `compaction = {${settings.join(', ')}}`,
    `default_time_to_live = ${default_time_to_live}`,
    `gc_grace_seconds = ${gc_grace_seconds}`,
  ].join(' AND ');
}

/** The statements of one table of totals, made once. */
export interface TotalsStatements {
  /** Writes a row, or deletes it where it has no clicks. */
  put(row: PlacedCell): Statement;
  /** Rows of a partition in a period, by time. */
  read: string;
  /** Clicks of rows of one partition, as many as `keys` says, with their keys. */
  find(keys: number): string;
  /** Rows of a range of tokens; `within`: only those of a period, which the nodes look through. */
  scan(within: boolean): string;
  partitionOf(row: PlacedCell): (string | number)[];
  keyOf(row: PlacedCell): unknown[];
}

/** The statements of a table of totals in a keyspace. */
export function totalsStatements(keyspace: string, table: TotalsTable): TotalsStatements {
  const name = `${keyspace}.${table.name}`;
  const partition = partitionColumns(table);
  const key = ['minute', ...keptColumns(table)];
  const all = [...partition, ...key];
  const where = all.map((column) => `${column} = ?`).join(' AND ');
  const inPartition = partition.map((column) => `${column} = ?`).join(' AND ');
  const insert = `INSERT INTO ${name} (${[...all, 'clicks'].join(', ')}) VALUES (${marks(all.length + 1)})`;
  const remove = `DELETE FROM ${name} WHERE ${where}`;
  const shown = [COLUMNS[table.owner], ...key, 'clicks'].join(', ');
  const token = `token(${partition.join(', ')})`;
  const partitionOf = (row: PlacedCell): (string | number)[] =>
    table.sharded ? [row[table.owner], row.bucket, row.shard] : [row[table.owner], row.bucket];
  const keyOf = (row: PlacedCell): unknown[] => [row.minuteMs, ...table.columns.map((column) => row[column])];
  return {
    ...{ partitionOf, keyOf },
    put(row) {
      const params = [...partitionOf(row), ...keyOf(row)];
      if (row.clicks === 0) return { query: remove, params };
      params.push(row.clicks);
      return { query: insert, params };
    },
    read: `SELECT ${shown} FROM ${name} WHERE ${inPartition} AND minute >= ? AND minute < ?`,
    find(keys) {
      const tuple = `(${marks(key.length)})`;
      const tuples = Array.from({ length: keys }, () => tuple).join(', ');
      return `SELECT ${shown} FROM ${name} WHERE ${inPartition} AND (${key.join(', ')}) IN (${tuples})`;
    },
    scan(within) {
      const range = `SELECT ${shown} FROM ${name} WHERE ${token} > ? AND ${token} <= ?`;
      return within ? `${range} AND minute >= ? AND minute < ? ALLOW FILTERING` : range;
    },
  };
}

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

/** The statements for entries of a kind: the journal has a table of its own. */
export interface EntryStatements {
  insert: string;
  remove: string;
  read(range: { after: boolean; through: boolean; descending: boolean }): string;
  partitionOf(partition: string): string[];
}

/** The statements of a kind of entries in a keyspace. */
export function entryStatements(keyspace: string, kind: EntryKind): EntryStatements {
  const isJournal = kind === 'journal';
  const name = `${keyspace}.${isJournal ? 'journal' : 'books'}`;
  const partition = isJournal ? ['partition'] : ['kind', 'partition'];
  const inPartition = partition.map((column) => `${column} = ?`).join(' AND ');
  const columns = [...partition, 'key', 'value'];
  return {
    insert: `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${marks(columns.length)})`,
    remove: `DELETE FROM ${name} WHERE ${inPartition} AND key = ?`,
    read({ after, through, descending }) {
      const bounds = `${after ? ' AND key > ?' : ''}${through ? ' AND key <= ?' : ''}`;
      const order = descending ? ' ORDER BY key DESC' : '';
      return `SELECT key, value FROM ${name} WHERE ${inPartition}${bounds}${order} LIMIT ?`;
    },
    partitionOf: (text) => (isJournal ? [text] : [kind, text]),
  };
}
