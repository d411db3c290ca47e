// Where the totals are kept: the one option that every command takes which opens the store.
import { z } from 'zod';
import type { OptionSpec } from './option.js';

/** Stores on servers: how each begins, and an example of the whole with where its password comes from. */
const SERVERS: readonly { begins: RegExp; prefix: string; example: string; password: string }[] = [
  {
    begins: /^postgres(ql)?:\/\//,
    prefix: 'postgres://',
    example: 'postgres://user@host:port/database?schema=click_agg',
    password: 'PGPASSWORD and the other PG* variables work',
  },
  {
    begins: /^clickhouse:\/\//,
    prefix: 'clickhouse://',
    example: 'clickhouse://user@host:8123/database?tls=true',
    password: 'CLICKHOUSE_PASSWORD',
  },
];

/** The store in the data directory, and how a store on a server begins. */
const isStore = (text: string): boolean =>
  text === 'duckdb' || SERVERS.some(({ begins }) => begins.test(text));

const storeSpec: OptionSpec<string> = {
  flag: 'store',
  value: 'duckdb|URL',
  default: 'duckdb',
  // A URL may hold a password.
  secret: true,
  about:
    'where the totals are: a DuckDB file in the data directory, or a server: ' +
    SERVERS.map(({ example, password }) => `${example} (${password})`).join(', '),
  choices: ['duckdb', ...SERVERS.map(({ prefix }) => prefix)],
  schema: z
    .string()
    .refine(isStore, `must be duckdb or begin with ${SERVERS.map(({ prefix }) => prefix).join(', ')}`),
};

export const storeOption = { store: storeSpec };
