// The real servers that tests speak to. Each is started once, when the first test file asks for it, and shared by all
// files of the run, which keep apart by topics, schemas and buckets of their own; the end of the run ends them.
// What a test wants to kill or pause is an instance of its own.
import { chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { PartName } from '../src/services/part.js';
import { type Service, type ServiceOptions, startService } from '../src/services/service.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the shared servers of this run live. */
    servicesFolder: string;
  }
}

export interface Addresses {
  /**
   * Lists of `host:port`: plain; with SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512: username, password); with TLS that
   * caFile vouches for. classPath: Kafka's jars, for its own tools.
   */
  kafka: Record<
    'brokers' | 'saslBrokers' | 'sslBrokers' | 'username' | 'password' | 'caFile' | 'classPath',
    string
  >;
  /** Of the server's owner. */
  postgres: Record<'url', string>;
  redis: Record<'url', string>;
  s3: Record<'endpoint' | 'accessKeyId' | 'secretAccessKey' | 'region', string>;
  dynamodb: Record<'endpoint' | 'accessKeyId' | 'secretAccessKey' | 'region', string>;
  /** url: of the superuser, with a keyspace that is not there yet. */
  cassandra: Record<'url' | 'contactPoint' | 'datacenter' | 'username' | 'password', string>;
  /** Of the user who may do everything, without a password. */
  clickhouse: Record<'url', string>;
}

/** A first start may fetch the part: by Go's compiler in the worst case. Give it to `beforeAll`. */
export const SERVICE_START_MS = 15 * 60_000;

/**
 * Shared servers are not killed: Cassandra need not write its own tables to the disk with every table that is made, and
 * DynamoDB Local needs no files.
 */
const SHARED_SETTINGS: Partial<Record<PartName, Readonly<Record<string, string>>>> = {
  cassandra: { 'cassandra.unsafesystem': 'true' },
  dynamodb: { inMemory: '' },
};

/** The shared server of this kind; starts it if no test file has yet. */
export async function service<Name extends PartName>(name: Name): Promise<Addresses[Name]> {
  const directory = join(inject('servicesFolder'), name);
  const { address } = await startService(name, { directory, say, settings: SHARED_SETTINGS[name] ?? {} });
  return address as Addresses[Name];
}

export type OwnService<Name extends PartName> = Service & { readonly address: Addresses[Name] };

/**
 * A server of the test's own, to kill, pause and start again; the test removes it. It lives beside the shared ones, so
 * that it ends with the run even if its test did not come so far.
 */
export async function ownService<Name extends PartName>(
  name: Name,
  options: Omit<ServiceOptions, 'directory'> = {},
): Promise<OwnService<Name>> {
  const directory = mkdtempSync(join(inject('servicesFolder'), `${name}-`));
  // PostgreSQL runs as another user, who must be able to reach its files.
  chmodSync(directory, 0o711);
  const started = await startService(name, { directory, say, ...options });
  return started as OwnService<Name>;
}

function say(line: string): void {
  process.stderr.write(`services: ${line}\n`);
}
