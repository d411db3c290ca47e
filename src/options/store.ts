// Where the totals are kept: the one option that every command takes which opens the store.
import { z } from 'zod';
import { byteSize, type OptionSpec } from './option.js';

/** Stores on servers: how each begins, and an example of the whole with where its password comes from. */
const SERVERS: readonly { begins: RegExp; prefix: string; example: string; password: string }[] = [
  {
    begins: /^postgres(ql)?:\/\//,
    prefix: 'postgres://',
    example: 'postgres://user@host:port/database?schema=click_agg',
    password: 'PGPASSWORD and the other PG* variables work',
  },
  {
    begins: /^cassandra:\/\//,
    prefix: 'cassandra://',
    example: 'cassandra://user@host1,host2:9042/keyspace',
    password: 'CASSANDRA_PASSWORD',
  },
  {
    begins: /^clickhouse:\/\//,
    prefix: 'clickhouse://',
    example: 'clickhouse://user@host:8123/database?tls=true',
    password: 'CLICKHOUSE_PASSWORD',
  },
  {
    begins: /^dynamodb:\/\//,
    prefix: 'dynamodb://',
    example: 'dynamodb://region/prefix',
    password: 'AWS_ACCESS_KEY_ID and so on, as for aws',
  },
];

/** The store in the data directory, and how a store on a server begins. */
const isStore = (text: string): boolean =>
  text === 'duckdb' || SERVERS.some(({ begins }) => begins.test(text));

const storeText = z
  .string()
  .refine(isStore, `must be duckdb or begin with ${SERVERS.map(({ prefix }) => prefix).join(', ')}`);

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
  schema: storeText,
};

export const storeOption = { store: storeSpec };

/** URLs of several hosts hold commas, which part the items of a list in the environment: what is no beginning goes on. */
function joined(items: readonly string[]): string[] {
  const stores: string[] = [];
  for (const item of items) {
    if (stores.length === 0 || item === 'duckdb' || /^[a-z]+:\/\//.test(item)) stores.push(item);
    else stores.push(`${stores.pop()},${item}`);
  }
  return stores;
}

const storesSpec: OptionSpec<string[]> = {
  ...storeSpec,
  repeatable: true,
  about:
    `${storeSpec.about}. Given more than once: the first holds the positions, and the others follow it ` +
    'with the same commits, at their own pace',
  schema: z
    .array(z.string())
    .default([storeSpec.default!])
    .transform((items) => joined(items))
    .pipe(z.array(storeText))
    .refine((stores) => new Set(stores).size === stores.length, 'names the same store twice'),
};

/** Where a run counts into. */
export const storesOptions = {
  stores: storesSpec,
  followLimit: byteSize({
    flag: 'follow-limit',
    default: '1GiB',
    about: 'when so much waits on the disk for a store that follows but is gone, the oldest is dropped',
  }),
};

/** A store that has to be named. */
export function storeUrl(spec: Pick<OptionSpec, 'flag' | 'about'>): OptionSpec<string> {
  const { default: _, ...named } = storeSpec;
  return { ...named, ...spec };
}
