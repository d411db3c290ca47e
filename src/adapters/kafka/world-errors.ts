// What goes wrong between us and a cluster, in one line for people; whether it may pass by itself; and the cause
// that kafkajs wraps in its retries.
import { UserError } from '../../errors.js';
import { type KafkaConnection, nameOf } from './connection.js';

interface Cause {
  name?: string;
  message?: string;
  /** The broker's error code by name. */
  type?: string;
  /** Of the system: ECONNREFUSED. */
  code?: string | number;
  cause?: unknown;
}

/** The innermost cause of an error that was retried. */
export function rootCause(error: unknown): Cause {
  let at = error as Cause;
  for (let depth = 0; depth < 10 && at.cause !== undefined && at.cause !== null; depth++)
    at = at.cause as Cause;
  return at;
}

const REFUSALS: Readonly<Record<string, [what: string, hint: string]>> = {
  TOPIC_AUTHORIZATION_FAILED: ['has no right to the topic', 'Ask for the right to read (or write) it.'],
  GROUP_AUTHORIZATION_FAILED: [
    'has no right to the consumer group',
    'Ask for the right, or give another --group.',
  ],
  CLUSTER_AUTHORIZATION_FAILED: ['has no right to do that on the cluster', 'Ask whoever administers it.'],
};

const TOPIC_TROUBLE: Readonly<Record<string, [what: string, hint: string]>> = {
  INVALID_TOPIC_EXCEPTION: [
    'is no name for a topic',
    'Letters, digits, point, underscore and hyphen make one.',
  ],
  INVALID_GROUP_ID: ['needs another consumer group', 'Give another --group.'],
  INCONSISTENT_GROUP_PROTOCOL: [
    'is read by other programs under the same consumer group',
    'Give a --group that only click-agg uses.',
  ],
  INVALID_SESSION_TIMEOUT: [
    'is on a cluster that refuses this session timeout',
    'See group.min.session.timeout.ms of the brokers, and --kafka-session-timeout.',
  ],
};

const TLS_CODES = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL|EPROTO|ALTNAME|HOSTNAME/;

/**
 * The error as a line for people when waiting would not help: wrong user, no right, no such codec, a certificate
 * that is not trusted. Undefined where the trouble may pass, or is no trouble of the world.
 */
export function lastingError(
  error: unknown,
  connection: KafkaConnection,
  topic: string,
): UserError | undefined {
  if (error instanceof UserError) return error;
  const cause = rootCause(error);
  const { name = '', type = '', message = '' } = cause;
  const cluster = nameOf(connection);
  if (name.includes('SASL') || type.includes('SASL')) {
    const user = connection.sasl?.username;
    return new UserError(
      user === undefined
        ? `Kafka at ${cluster} wants a user and a password`
        : `Kafka at ${cluster} refuses the user ${user} (${connection.sasl?.mechanism})`,
      { hint: 'Check --kafka-sasl-mechanism, --kafka-username and CLICK_AGG_KAFKA_PASSWORD.', cause: error },
    );
  }
  const refusal = REFUSALS[type];
  if (refusal) {
    const who = connection.sasl?.username ?? 'this client';
    return new UserError(`${who} ${refusal[0]} (${topic} on Kafka at ${cluster})`, {
      hint: refusal[1],
      cause: error,
    });
  }
  const trouble = TOPIC_TROUBLE[type];
  if (trouble) return new UserError(`${topic} ${trouble[0]}`, { hint: trouble[1], cause: error });
  const code = String(cause.code ?? '');
  if (TLS_CODES.test(code) || /certificate|ssl routines/i.test(message)) {
    return new UserError(`no trusted TLS connection to Kafka at ${cluster}: ${firstLine(message)}`, {
      hint: 'Check --kafka-ca, and that this port speaks TLS.',
      cause: error,
    });
  }
  return undefined;
}

/** Any trouble of the world as a line for people; what is none comes back as it is. */
export function kafkaError(error: unknown, connection: KafkaConnection, topic: string): unknown {
  const lasting = lastingError(error, connection, topic);
  if (lasting) return lasting;
  if (!isWorldly(error)) return error;
  return new UserError(`can't reach Kafka at ${nameOf(connection)}: ${troubleOf(error)}`, {
    hint: connection.tls
      ? 'Check --brokers, and that this port speaks TLS.'
      : 'Check --brokers and that it runs; a port that speaks TLS needs --kafka-ssl.',
    cause: error,
  });
}

/** Whether the error came from the cluster or the way to it, and not from a mistake in the program. */
export function isWorldly(error: unknown): boolean {
  const { name = '', code } = rootCause(error);
  return name.startsWith('KafkaJS') || typeof code === 'string';
}

/** A few words on what is wrong: `ECONNREFUSED`, `the request timed out`. */
export function troubleOf(error: unknown): string {
  const { code, type, name = '', message = '' } = rootCause(error);
  if (typeof code === 'string') return code;
  if (type !== undefined) return type;
  const system = /\b(E[A-Z]{4,})\b/.exec(message)?.[1];
  if (system) return system;
  if (name === 'KafkaJSRequestTimeoutError' || /timeout/i.test(message)) return 'no answer in time';
  if (name === 'KafkaJSConnectionClosedError') return 'the connection was closed';
  return firstLine(message);
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!;
}
