// Where a PostgreSQL server is: a URL as psql takes it, completed by the PG* variables and ~/.pgpass. What a person
// is shown of it never holds the password.
import { userInfo } from 'node:os';
import pg from 'pg';
import { UsageError } from '../../errors.js';

/** What kind of thing lies there: the option that names it, and the schema where none is given. */
export interface AddressKind {
  readonly option: '--store' | '--ads';
  /** Everything of ours lies in a schema of its own, so that others can live in the same database. */
  readonly schema: string;
}
export const STORE_ADDRESS: AddressKind = { option: '--store', schema: 'click_agg' };
export const ADS_ADDRESS: AddressKind = { option: '--ads', schema: 'click_agg_ads' };

/** Names that PostgreSQL takes without quoting, so that people can type them. */
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const CONNECT_WAIT_MS = 10_000;

export interface Address {
  /** For people: `postgres://user@host:5432/database`, without the password. */
  readonly name: string;
  readonly schema: string;
  /** For hints. */
  readonly option: AddressKind['option'];
  readonly config: pg.ClientConfig;
}

/** Reads `postgres://user:password@host:port/database?schema=…&sslmode=…`. UsageError: it is no such URL. */
export function parseAddress(text: string, kind: AddressKind = STORE_ADDRESS): Address {
  const { url, schema } = split(text, kind);
  const config: pg.ClientConfig = {
    connectionString: url.href,
    ...(url.username || url.searchParams.has('user')
      ? {}
      : { user: process.env.PGUSER || userInfo().username }),
    connectionTimeoutMillis: CONNECT_WAIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: CONNECT_WAIT_MS,
    fallback_application_name: 'click-agg',
  };
  let resolved: pg.Client;
  try {
    // Says what the variables made of it; nothing is connected yet.
    resolved = new pg.Client(config);
  } catch (error) {
    throw new UsageError(
      `${kind.option}: ${error instanceof Error ? error.message : 'no PostgreSQL address'}`,
      {
        hint: 'Check the ssl* parameters of the URL.',
      },
    );
  }
  return { name: nameOf(resolved, schema, kind), schema, option: kind.option, config };
}

function split(text: string, { option, schema: standard }: AddressKind): { url: URL; schema: string } {
  const malformed = new UsageError(`${option}: not a PostgreSQL URL`, {
    hint: 'Write postgres://user@host:5432/database, and the password into PGPASSWORD or percent-encoded.',
  });
  // A host that is left out comes from PGHOST.
  if (!URL.canParse(text)) throw malformed;
  const url = new URL(text);
  try {
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
  } catch (error) {
    if (error instanceof URIError) throw malformed;
    throw error;
  }
  const schema = url.searchParams.get('schema') ?? standard;
  if (!SCHEMA_NAME.test(schema) || schema.startsWith('pg_')) {
    throw new UsageError(`${option}: schema=${schema}: must be lower-case letters, digits and _`);
  }
  url.searchParams.delete('schema');
  if (url.searchParams.get('sslmode') === 'verify-ca' && !url.searchParams.has('sslrootcert')) {
    throw new UsageError(`${option}: sslmode=verify-ca needs sslrootcert=FILE`, {
      hint: 'Or use sslmode=verify-full, which trusts public authorities.',
    });
  }
  // As psql understands sslmode; without it the package warns that it will change its mind.
  if (url.searchParams.has('sslmode') && !url.searchParams.has('uselibpqcompat')) {
    url.searchParams.set('uselibpqcompat', 'true');
  }
  return { url, schema };
}

function nameOf(
  { user, host, port, database }: pg.Client,
  schema: string,
  { schema: standard }: AddressKind,
): string {
  const path = `${encodeURIComponent(database ?? '')}${schema === standard ? '' : `?schema=${schema}`}`;
  const who = user ? `${encodeURIComponent(user)}@` : '';
  if (host.startsWith('/')) return `postgres://${who}${encodeURIComponent(host)}/${path}`;
  return `postgres://${who}${host.includes(':') ? `[${host}]` : host}:${port}/${path}`;
}
