// What ClickHouse and the way to it can do wrong, as lines for people; and which of it passes by waiting.
import { ClickHouseError } from '@clickhouse/client';
import { UserError } from '../../errors.js';
import type { Address } from './address.js';

/** Numbers of the server's errors that are met apart from their line. */
export const TABLE_ALREADY_EXISTS = '57';
export const UNKNOWN_DATABASE = '81';

interface Cause {
  /** The server's numbers of errors, or system error codes. */
  codes?: readonly string[];
  sign?: RegExp;
  line: (address: Address, error: Error) => string;
  hint: string;
  /** The same may succeed a moment later. */
  passes?: boolean;
}

const CAUSES: readonly Cause[] = [
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'],
    line: ({ name }) => `no ClickHouse server answers at ${name}`,
    hint: 'Start it, or check host and port of --store: the port is that of HTTP, 8123, or 8443 with tls=true.',
    passes: true,
  },
  {
    codes: ['ENOTFOUND'],
    line: ({ name }) => `the host of ${name} is not known`,
    hint: 'Check the host of --store.',
  },
  {
    codes: ['EAI_AGAIN'],
    line: ({ name }) => `the host of ${name} can't be looked up now`,
    hint: 'Check the host of --store, and the name server.',
    passes: true,
  },
  {
    codes: ['ETIMEDOUT', '159', '209'],
    sign: /^Timeout error|aborted a request/,
    line: ({ name }) => `${name} does not answer in time`,
    hint: 'Check the network, a firewall, and whether the server is overloaded.',
    passes: true,
  },
  {
    codes: ['ECONNRESET', 'EPIPE', '210', '236'],
    sign: /socket hang up|^aborted$|premature close|other side closed/i,
    line: ({ name }) => `the connection to ${name} was lost`,
    hint: 'What was committed stays valid: start again when the server is there.',
    passes: true,
  },
  {
    codes: ['192', '193', '194', '516'],
    line: ({ name }) => `${name} refuses the user or the password`,
    hint: 'Set CLICKHOUSE_PASSWORD, or check the user and the password of --store.',
  },
  {
    codes: [UNKNOWN_DATABASE],
    line: ({ name }) => `${name}: there is no such database`,
    hint: 'Make it with `click-agg store init`, or check the name in --store.',
  },
  {
    codes: ['164', '497'],
    line: ({ name }, { message }) => `${name}: ${shortened(message)}`,
    hint: 'Whoever counts needs CREATE TABLE, DROP TABLE, INSERT and SELECT on the database, whoever reads SELECT.',
  },
  {
    codes: ['242'],
    line: ({ name }) => `${name} is read-only for now`,
    hint: 'Its Keeper may be gone; look at system.replicas of the server.',
    passes: true,
  },
  {
    codes: ['202', '252', '745', '319', '999', '225'],
    line: ({ name }, { message }) => `${name} is overloaded: ${shortened(message)}`,
    hint: 'Wait until its merges have caught up, or commit less often (--commit-every).',
    passes: true,
  },
  {
    codes: ['241', '307', '396'],
    line: ({ name }, { message }) => `${name} has run out of what it may use: ${shortened(message)}`,
    hint: 'Ask for less at a time (--from, --to), or give the server or the user more.',
  },
  {
    codes: ['243'],
    line: ({ name }, { message }) => `${name} can't write: ${shortened(message)}`,
    hint: "Check the server's disk; what was committed stays valid.",
  },
  {
    sign: /is for clickhouse-client program/,
    line: ({ name }) => `${name} is the port of ClickHouse's own client`,
    hint: 'Give the port of HTTP: 8123, or 8443 with tls=true.',
  },
  {
    sign: /^Parse Error: /,
    line: ({ name }) => `${name} does not speak HTTP`,
    hint: 'Check the port of --store: it is that of HTTP, 8123, or 8443 with tls=true.',
  },
  {
    sign: /wrong version number/,
    line: ({ name }) => `${name} does not speak TLS`,
    hint: 'Leave tls=true out, or give the port of HTTPS: 8443.',
  },
  {
    codes: ['EPROTO', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
    sign: /certificate|SSL/,
    line: ({ name }, { message }) => `${name}: ${shortened(message)}`,
    hint: 'tls=true is for the port of HTTPS; authorities beside the public ones are named by NODE_EXTRA_CA_CERTS.',
  },
];

const MESSAGE_CHARACTERS = 200;

/** The first line of what a server said. */
function shortened(message: string): string {
  const [line = ''] = message.trim().split('\n');
  return line.length > MESSAGE_CHARACTERS ? `${line.slice(0, MESSAGE_CHARACTERS)}…` : line;
}

/** The UserError behind an error of the server or of the way to it; other errors are returned as they are. */
export function serverError(error: unknown, address: Address): unknown {
  const told = firstOf(error);
  if (!(told instanceof Error) || told instanceof UserError) return error;
  const cause = causeOf(told);
  if (cause) return new UserError(cause.line(address, told), { hint: cause.hint, cause: error });
  if (told instanceof ClickHouseError || !isAnswer(told)) return error;
  return new UserError(`${address.name} is no ClickHouse server: ${shortened(told.message)}`, {
    hint: 'Check host and port of --store.',
    cause: error,
  });
}

/** Whether it is what a server of another kind answered: the client throws its text as a plain error. */
function isAnswer(error: Error): boolean {
  return error.constructor === Error && codeOf(error) === undefined;
}

/** Node tries all addresses of a host and throws what each of them said. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}

function causeOf(error: Error): Cause | undefined {
  const code = codeOf(error);
  return CAUSES.find(
    ({ codes, sign }) => (code !== undefined && codes?.includes(code)) || sign?.test(error.message),
  );
}

/** The server's number of an error, or the system's code. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error instanceof Error ? (error as { code?: unknown }) : {};
  return typeof code === 'string' ? code : undefined;
}

/** Whether the same may succeed a moment later. */
export function isPassing(error: unknown): boolean {
  const told = firstOf(error);
  return told instanceof Error && causeOf(told)?.passes === true;
}
