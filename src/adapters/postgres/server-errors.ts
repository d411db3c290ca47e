// What PostgreSQL and the way to it can do wrong, as lines for people; and which of it passes by waiting.
import { UserError } from '../../errors.js';
import type { Address } from './address.js';

interface Cause {
  /** SQLSTATE or system error codes; a code of two letters is a class of SQLSTATEs. */
  codes?: readonly string[];
  sign?: RegExp;
  line: (address: Address, error: Error) => string;
  hint: string;
}

const CAUSES: readonly Cause[] = [
  {
    codes: ['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH', 'ENETUNREACH'],
    line: ({ name }) => `no PostgreSQL server answers at ${name}`,
    hint: 'Start it, or check host and port of --store (or PGHOST and PGPORT).',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    line: ({ name }) => `the host of ${name} is not known`,
    hint: 'Check the host of --store (or PGHOST).',
  },
  {
    codes: ['ETIMEDOUT'],
    sign: /timeout expired|timeout exceeded|Query read timeout/,
    line: ({ name }) => `${name} does not answer in time`,
    hint: 'Check the network, a firewall, and whether the server is overloaded.',
  },
  {
    codes: ['28P01'],
    line: ({ name }) => `${name} refuses the password`,
    hint: 'Set PGPASSWORD, or check the user and the password of --store.',
  },
  {
    sign: /client password must be/,
    line: ({ name }) => `${name} asks for a password`,
    hint: 'Set PGPASSWORD, or put it into ~/.pgpass.',
  },
  {
    codes: ['28000'],
    line: ({ name }, { message }) => `${name} refuses the connection: ${message}`,
    hint: 'Check the user, and pg_hba.conf of the server.',
  },
  {
    codes: ['3D000'],
    line: ({ name }) => `${name}: there is no such database`,
    hint: 'Make it with `createdb`, or check the name in --store (or PGDATABASE).',
  },
  {
    codes: ['42501'],
    line: ({ name }, { message }) => `${name}: ${message}`,
    hint: 'Grant the user CREATE on the database, or make it the owner of the schema.',
  },
  {
    codes: ['25006'],
    line: ({ name }) => `${name} is read-only`,
    hint: 'It may be a standby: give the primary server.',
  },
  {
    codes: ['53300'],
    line: ({ name }) => `${name} has no connection left`,
    hint: 'Raise max_connections, or let some clients go.',
  },
  {
    codes: ['53100', '58030'],
    line: ({ name }, { message }) => `${name} can't write: ${message}`,
    hint: "Check the server's disk; what was committed stays valid.",
  },
  {
    codes: ['53'],
    line: ({ name }, { message }) => `${name} has run out of resources: ${message}`,
    hint: 'Ask for less at a time (--from, --to), or give the server more.',
  },
  {
    codes: ['55P03'],
    line: ({ name }) => `${name}: another process holds the store for long`,
    hint: 'Try again; pg_stat_activity of the server tells who it is.',
  },
  {
    codes: ['57014'],
    line: ({ name }, { message }) => `${name}: ${message}`,
    hint: 'Raise statement_timeout of the user, or ask for less at a time.',
  },
  {
    codes: ['57P01', '57P02', '57P03', '57P05', '25P03', '08', 'ECONNRESET', 'EPIPE'],
    sign: /^Connection terminated|connection error and is not queryable|Client was closed/,
    line: ({ name }) => `the connection to ${name} was lost`,
    hint: 'What was committed stays valid: start again when the server is there.',
  },
  {
    codes: ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    sign: /does not support SSL|certificate|SSL/,
    line: ({ name }, { message }) => `${name}: ${message}`,
    hint: 'See sslmode and sslrootcert in docs/stores.md.',
  },
];

/** The UserError behind an error of the server or of the way to it; other errors are returned as they are. */
export function serverError(error: unknown, address: Address): unknown {
  const told = firstOf(error);
  if (!(told instanceof Error) || told instanceof UserError) return error;
  const cause = CAUSES.find((known) => isOf(known, told));
  if (!cause) return error;
  const hint = cause.hint.replace('--store', address.option);
  return new UserError(cause.line(address, told), { hint, cause: error });
}

/** Node tries all addresses of a host and throws what each of them said. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}

function isOf({ codes = [], sign }: Pick<Cause, 'codes' | 'sign'>, error: Error): boolean {
  const code = codeOf(error);
  const known = code !== undefined && (codes.includes(code) || codes.includes(code.slice(0, 2)));
  return known || (sign?.test(error.message) ?? false);
}

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** The SQLSTATE of an error of the server. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof Error ? codeOf(error) : undefined;
}

const LOST: Pick<Cause, 'codes' | 'sign'> = {
  codes: [
    ...['57P01', '57P02', '57P03', '57P05', '25P03', '08'],
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'],
  ],
  sign: /^Connection terminated|connection error and is not queryable|Client was closed|timeout expired|Query read timeout/,
};
/** Two transactions got in each other's way and the server chose one to give up. */
const CHOSEN = { codes: ['40001', '40P01'] };

/** Whether the same may succeed on a new connection, a moment later. */
export function isPassing(error: unknown): boolean {
  const told = firstOf(error);
  return told instanceof Error && !(told instanceof UserError) && (isOf(LOST, told) || isOf(CHOSEN, told));
}
