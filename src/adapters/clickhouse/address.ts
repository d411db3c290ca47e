// Where a ClickHouse server is: a URL of its HTTP interface, completed by CLICKHOUSE_USER and CLICKHOUSE_PASSWORD. What
// a person is shown of it never holds the password.
import { UsageError } from '../../errors.js';

/** Names that need no quotes anywhere, so that people can type them. */
const DATABASE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const PORT = 8123;
const TLS_PORT = 8443;
const MALFORMED = {
  hint: 'Write clickhouse://user@host:8123/database, and the password into CLICKHOUSE_PASSWORD or percent-encoded.',
};

export interface Address {
  /** For people: `clickhouse://user@host:8123/database`, without the password. */
  readonly name: string;
  /** `http://host:8123` */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Reads `clickhouse://user:password@host:port/database?tls=true`. UsageError: it is no such URL. */
export function parseAddress(text: string): Address {
  if (!URL.canParse(text)) throw new UsageError('--store: not a ClickHouse URL', MALFORMED);
  const url = new URL(text);
  const tls = tlsOf(url);
  const user = decoded(url.username) || process.env.CLICKHOUSE_USER || 'default';
  const password = decoded(url.password) || process.env.CLICKHOUSE_PASSWORD || '';
  const database = decoded(url.pathname.slice(1));
  if (url.hostname === '' || database === '') {
    throw new UsageError('--store: a ClickHouse URL names a host and a database', MALFORMED);
  }
  if (!DATABASE_NAME.test(database)) {
    throw new UsageError(`--store: database ${database}: must be letters, digits and _`);
  }
  const place = `${url.hostname}:${url.port || (tls ? TLS_PORT : PORT)}`;
  return {
    name: `clickhouse://${encodeURIComponent(user)}@${place}/${database}${tls ? '?tls=true' : ''}`,
    url: `${tls ? 'https' : 'http'}://${place}`,
    ...{ user, password, database },
  };
}

function tlsOf({ searchParams }: URL): boolean {
  for (const name of searchParams.keys()) {
    if (name !== 'tls') {
      throw new UsageError(`--store: a ClickHouse URL has no parameter ${name}`, { hint: 'There is tls.' });
    }
  }
  const tls = searchParams.get('tls') ?? 'false';
  if (tls !== 'true' && tls !== 'false') {
    throw new UsageError(`--store: tls=${tls}: must be true or false`);
  }
  return tls === 'true';
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) throw new UsageError('--store: not a ClickHouse URL', MALFORMED);
    throw error;
  }
}
