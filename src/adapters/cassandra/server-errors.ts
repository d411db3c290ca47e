// What a Cassandra cluster and the way to it can do wrong, as lines for people; and which of it passes by waiting.
import cassandra from 'cassandra-driver';
import { UserError } from '../../errors.js';
import type { Address } from './address.js';

const CODES = cassandra.types.responseErrorCodes;

type Subject = Pick<Address, 'name' | 'keyspace'>;

interface Cause {
  /** Names of the package's error classes, codes of Cassandra's answers, or of the system. */
  codes?: readonly (string | number)[];
  sign?: RegExp;
  line: (address: Subject, error: Error) => string;
  hint: string | ((address: Subject) => string);
  /** Waiting helps: the server is gone, or it is there and overloaded. */
  passes?: 'gone' | 'busy';
}

const CAUSES: readonly Cause[] = [
  {
    codes: ['AuthenticationError', CODES.badCredentials],
    sign: /requires authentication/,
    line: ({ name }) => `${name} refuses the user or the password`,
    hint: 'Give the user in --store, and the password in CASSANDRA_PASSWORD.',
  },
  {
    sign: /localDataCenter was configured as/,
    line: ({ name }, { message }) =>
      `${name} has no such data center: ${/\[.*\]/.exec(message)?.[0] ?? 'others'}`,
    hint: 'Name one of these: --store cassandra://…?datacenter=NAME.',
  },
  {
    codes: [CODES.unauthorized],
    line: ({ name }, { message }) => `${name}: ${message}`,
    hint: ({ keyspace }) =>
      `A run needs SELECT and MODIFY on the keyspace, who asks SELECT, store init CREATE: GRANT SELECT ON KEYSPACE ${keyspace} TO …`,
  },
  {
    codes: [CODES.overloaded, CODES.isBootstrapping, 'BusyConnectionError'],
    line: ({ name }) => `${name} is overloaded`,
    hint: 'Let it rest, or give it more nodes.',
    passes: 'busy',
  },
  {
    codes: [CODES.unavailableException],
    line: ({ name }, { message }) => `too few copies are alive at ${name}: ${message}`,
    hint: 'Start the nodes that are down; see `nodetool status`.',
    passes: 'busy',
  },
  {
    codes: [CODES.writeTimeout, CODES.readTimeout, 'OperationTimedOutError', 'ETIMEDOUT'],
    line: ({ name }) => `${name} does not answer in time`,
    hint: 'Check the network, the port of --store, and whether its nodes are overloaded.',
    passes: 'busy',
  },
  {
    codes: [CODES.writeFailure, CODES.readFailure, CODES.truncateError],
    line: ({ name }, { message }) => `${name} failed: ${message}`,
    hint: 'The logs of its nodes say why.',
  },
  {
    sign: /^(Keyspace '?\w+'? does not exist|(unconfigured )?table \w+( does not exist)?$)/i,
    line: ({ name }) => `${name}: the keyspace or a table is gone`,
    hint: 'Make it with `click-agg store init`.',
  },
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EPIPE'],
    line: ({ name }) => `no Cassandra node answers at ${name}`,
    hint: 'Start it, or check host and port of --store.',
    passes: 'gone',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    sign: /No host could be resolved/,
    line: ({ name }) => `the host of ${name} is not known`,
    hint: 'Check the host of --store.',
  },
  {
    sign: /wrong version number/,
    line: ({ name }) => `${name} does not speak TLS`,
    hint: 'Leave tls=true out, or give the port that does.',
  },
  {
    sign: /certificate|self.signed|SSL|TLS/i,
    line: ({ name }, { message }) => `${name}: ${message.split('\n')[0]}`,
    hint: 'See tls and ca in docs/cassandra.md.',
  },
  {
    codes: [CODES.serverError],
    line: ({ name }, { message }) => `${name} failed: ${message}`,
    hint: 'The logs of its nodes say why.',
    passes: 'busy',
  },
  {
    // Whatever else keeps all nodes from being asked; behind the rest, which says it better.
    codes: ['NoHostAvailableError'],
    sign: /socket was closed|connection was closed|Socket hang up/i,
    line: ({ name }) => `the nodes of ${name} are gone`,
    hint: 'What was committed stays valid: start again when they are there.',
    passes: 'gone',
  },
];

/** The UserError behind an error of the cluster or of the way to it; other errors are returned as they are. */
export function serverError(error: unknown, address: Subject): unknown {
  const told = tellingOf(error);
  if (!(told instanceof Error) || told instanceof UserError) return error;
  const cause = causeOf(told);
  if (!cause) return error;
  const hint = typeof cause.hint === 'string' ? cause.hint : cause.hint(address);
  return new UserError(cause.line(address, told), { hint, cause: error });
}

/** Whether the same may succeed a moment later, and what is waited for. */
export function passing(error: unknown): 'gone' | 'busy' | undefined {
  const told = tellingOf(error);
  if (!(told instanceof Error) || told instanceof UserError) return undefined;
  return causeOf(told)?.passes;
}

/** Whether an error says that the answer, not the question, was lost: it may have been done, or not. */
export function isUnsure(error: unknown): boolean {
  return passing(error) !== undefined;
}

function causeOf(error: Error): Cause | undefined {
  const { code } = error as { code?: unknown };
  return CAUSES.find(
    ({ codes = [], sign }) =>
      codes.includes(error.name) ||
      codes.includes(error.constructor.name) ||
      (code !== undefined && codes.includes(code as string | number)) ||
      (sign?.test(error.message) ?? false),
  );
}

/** When no node could be asked, the package tells what each of them said: the first that tells something. */
function tellingOf(error: unknown): unknown {
  if (!(error instanceof cassandra.errors.NoHostAvailableError)) return error;
  const inner = Object.values((error.innerErrors ?? {}) as Record<string, unknown>);
  const known = inner.map(tellingOf).filter((each) => each instanceof Error);
  return known.find((each) => causeOf(each)) ?? error;
}
