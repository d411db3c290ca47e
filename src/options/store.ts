// Where the totals are kept: the one option that every command takes which opens the store.
import { z } from 'zod';
import type { OptionSpec } from './option.js';

/** The store in the data directory, and how a store on a server begins. */
const STORE = /^(duckdb$|postgres(ql)?:\/\/)/;

const storeSpec: OptionSpec<string> = {
  flag: 'store',
  value: 'duckdb|postgres://…',
  default: 'duckdb',
  // A URL may hold a password.
  secret: true,
  about:
    'where the totals are: a DuckDB file in the data directory, or PostgreSQL ' +
    '(postgres://user@host:port/database?schema=click_agg; PGPASSWORD and the other PG* variables work)',
  choices: ['duckdb', 'postgres://'],
  schema: z
    .string()
    .refine((text) => STORE.test(text), 'must be duckdb or postgres://user@host:port/database'),
};

export const storeOption = { store: storeSpec };
