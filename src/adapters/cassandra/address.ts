// Where a Cassandra cluster is and how it is spoken to: a URL with some of its nodes, the keyspace and what differs
// from the usual. What a person is shown of it never holds the password.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { UsageError } from '../../errors.js';

/** Names that Cassandra takes without quoting. */
const KEYSPACE_NAME = /^[a-z][a-z0-9_]{0,47}$/;
const PORT = 9042;
const SECONDS = { m: 60, h: 3600, d: 86_400 } as const;
/** Cassandra takes no more: 20 years. */
const TTL_SECONDS_MAX = 630_720_000;

/** How many copies must have answered a write and a read. `one` is for keyspaces that keep a single copy. */
export const CONSISTENCIES = ['local_quorum', 'quorum', 'one'] as const;
export type Consistency = (typeof CONSISTENCIES)[number];

export interface Address {
  /** For people: `cassandra://user@host1,host2:9042/keyspace`, without the password. */
  readonly name: string;
  /** `host:port` of some nodes; the others are found by them. */
  readonly contactPoints: readonly string[];
  readonly credentials: { username: string; password: string } | undefined;
  readonly keyspace: string;
  /** Whose nodes are asked; undefined: that of the first node that answers. */
  readonly datacenter: string | undefined;
  readonly consistency: Consistency;
  readonly tls: ConnectionOptions | undefined;
  /** For making the keyspace: copies in each data center, or in those that are named; undefined: as many as are usual. */
  readonly replication: number | Readonly<Record<string, number>> | undefined;
  /** For making the tables: so long minutes are kept, seconds; 0: for ever. undefined: for ever, or as it is. */
  readonly minutesTtlS: number | undefined;
}

const PARAMETERS: readonly string[] = [
  ...['datacenter', 'consistency', 'tls', 'ca', 'replication', 'minutes_ttl'],
];

/** Reads `cassandra://user:password@host1,host2:9042/keyspace?datacenter=…`. UsageError: it is no such URL. */
export function parseAddress(text: string): Address {
  const url = split(text);
  const parameter = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name))
      throw wrong(`a Cassandra URL has no parameter ${name}`, `There is ${PARAMETERS.join(', ')}.`);
  }
  if (parameter('datacenter') === '')
    throw wrong('datacenter= names none', 'Leave it out: then it is that of the first node.');
  const keyspace = decodeURIComponent(url.pathname.slice(1));
  if (keyspace === '') throw wrong('a Cassandra URL names a keyspace', FORM);
  if (!KEYSPACE_NAME.test(keyspace)) {
    throw wrong(`the keyspace must be lower-case letters, digits and _, not ${JSON.stringify(keyspace)}`);
  }
  const consistency = CONSISTENCIES.find((each) => each === (parameter('consistency') ?? 'local_quorum'));
  if (!consistency) {
    throw wrong(
      `consistency=${parameter('consistency')}: there is no such one`,
      `Choose one of ${CONSISTENCIES.join(', ')}.`,
    );
  }
  const hosts = url.hostname.split(',');
  const port = url.port || String(PORT);
  const username = decodeURIComponent(url.username) || process.env.CASSANDRA_USER;
  const password = decodeURIComponent(url.password) || process.env.CASSANDRA_PASSWORD;
  return {
    name: `cassandra://${username ? `${encodeURIComponent(username)}@` : ''}${url.hostname}:${port}/${keyspace}`,
    contactPoints: hosts.map((host) => `${host}:${port}`),
    credentials: username ? { username, password: password ?? '' } : undefined,
    keyspace,
    datacenter: parameter('datacenter'),
    consistency,
    tls: tlsOf(parameter('tls'), parameter('ca')),
    replication: replicationOf(parameter('replication')),
    minutesTtlS: secondsOf(parameter('minutes_ttl')),
  };
}

const FORM =
  'Write cassandra://user@host1,host2:9042/keyspace (one port, behind the last host), and the password into CASSANDRA_PASSWORD or percent-encoded.';

function split(text: string): URL {
  const malformed = wrong('not a Cassandra URL', FORM);
  if (!URL.canParse(text)) throw malformed;
  const url = new URL(text);
  try {
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
  } catch (error) {
    if (error instanceof URIError) throw malformed;
    throw error;
  }
  if (url.protocol !== 'cassandra:' || url.hostname.split(',').includes('')) throw malformed;
  return url;
}

function wrong(what: string, hint?: string): UsageError {
  return new UsageError(`--store: ${what}`, hint === undefined ? {} : { hint });
}

function tlsOf(tls: string | undefined, ca: string | undefined): ConnectionOptions | undefined {
  if (tls !== undefined && tls !== 'true' && tls !== 'false')
    throw wrong(`tls=${tls}: must be true or false`);
  if (tls !== 'true') {
    if (ca !== undefined) throw wrong('ca=FILE needs tls=true');
    return undefined;
  }
  if (ca === undefined) return { rejectUnauthorized: true };
  try {
    return { rejectUnauthorized: true, ca: readFileSync(ca) };
  } catch (error) {
    throw wrong(`ca=${ca} can't be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** `3`, or `dc1:3,dc2:3`. */
function replicationOf(text: string | undefined): Address['replication'] {
  if (text === undefined) return undefined;
  const malformed = wrong(`replication=${text}`, 'Write a number, or data centers as in dc1:3,dc2:3.');
  const copies = (digits: string | undefined): number => {
    if (!/^[1-9]\d?$/.test(digits ?? '')) throw malformed;
    return Number(digits);
  };
  if (!text.includes(':')) return copies(text);
  const pairs = text.split(',').map((pair) => {
    const [, name, digits] = /^([\w .-]+):(\d+)$/.exec(pair) ?? [];
    if (name === undefined) throw malformed;
    return [name, copies(digits)] as const;
  });
  return Object.fromEntries(pairs);
}

/** `90d`, `36h`, `0`. */
function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === '0') return 0;
  const [, digits, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * SECONDS[unit as keyof typeof SECONDS];
  if (unit === undefined || seconds > TTL_SECONDS_MAX) {
    throw wrong(
      `minutes_ttl=${text}: not a time`,
      'Write a time as in 90d or 36h, at most 7300d, or 0 to keep minutes for ever.',
    );
  }
  return seconds;
}
