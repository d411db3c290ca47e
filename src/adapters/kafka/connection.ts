// How a Kafka cluster is reached, in plain values that cross to other threads, and the client made of them. The
// client's own logger is silent: what people should know is said by whoever uses it, in our words.
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Kafka, KafkaConfig, LogEntry, SASLOptions } from 'kafkajs';
import { UserError } from '../../errors.js';
import { registerCodecs } from './codecs.js';
import { mendRequestQueue } from './request-queue.js';

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];

export interface KafkaConnection {
  /** `host:port` of some brokers; the others are learned from them. */
  brokers: readonly string[];
  clientId: string;
  /** Paths of PEM files; absent files are the system's own. Undefined: no TLS. */
  tls: { caFile: string | undefined; certFile: string | undefined; keyFile: string | undefined } | undefined;
  sasl: { mechanism: SaslMechanism; username: string; password: string } | undefined;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  /** A member of a consumer group that was silent for so long is taken for dead. */
  sessionTimeoutMs: number;
}

export const CONNECTION_DEFAULTS = {
  clientId: 'click-agg',
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  sessionTimeoutMs: 10_000,
} as const;

/** What a caller of ours may change about the client. */
export interface ClientOptions {
  /** Attempts after the first; kafkajs waits longer and longer in between. */
  retries: number;
  /** kafkajs's own log lines, from warnings upwards. Default: nobody hears them. */
  onLog?: (entry: LogEntry) => void;
}

/** A client. UserError: a file of certificates can't be read. */
export async function kafkaClient(connection: KafkaConnection, options: ClientOptions): Promise<Kafka> {
  // It takes a while to load: only who speaks to Kafka waits for it.
  const { Kafka, logLevel } = await import('kafkajs');
  await registerCodecs();
  mendRequestQueue();
  const { brokers, clientId, connectTimeoutMs, requestTimeoutMs } = connection;
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry: { retries: options.retries, initialRetryTime: 200, maxRetryTime: 5000 },
    logLevel: options.onLog ? logLevel.WARN : logLevel.NOTHING,
    logCreator: () => (entry) => options.onLog?.(entry),
  };
  if (connection.tls) config.ssl = await tlsOptions(connection.tls);
  if (connection.sasl) config.sasl = { ...connection.sasl } as SASLOptions;
  return new Kafka(config);
}

async function tlsOptions(tls: NonNullable<KafkaConnection['tls']>): Promise<ConnectionOptions> {
  const options: ConnectionOptions = {};
  if (tls.caFile !== undefined) options.ca = await pem(tls.caFile);
  if (tls.certFile !== undefined) options.cert = await pem(tls.certFile);
  if (tls.keyFile !== undefined) options.key = await pem(tls.keyFile);
  return options;
}

async function pem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`can't read the certificate file ${path}: ${code}`, {
      hint: 'Check --kafka-ca, --kafka-cert and --kafka-key.',
      cause: error,
    });
  }
}

/** Names the cluster for people: `kafka.example.org:9092`, or the first broker of several. */
export function nameOf({ brokers }: KafkaConnection): string {
  return brokers.length <= 1 ? (brokers[0] ?? '') : `${brokers[0]} and others`;
}
