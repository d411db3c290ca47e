// A real Kafka broker of a test's own, that it may kill and start again: Kafka's own jars from Maven, one process as
// broker and controller, on free ports, with its log in a temporary folder.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { CONNECTION_DEFAULTS, type KafkaConnection } from '../../src/adapters/kafka/connection.js';

const run = promisify(execFile);

const KAFKA = '4.3.1';
const ARTIFACTS = [
  ['org.apache.kafka', 'kafka_2.13', KAFKA],
  ['org.apache.kafka', 'kafka-tools', KAFKA],
  ['org.slf4j', 'slf4j-simple', '1.7.36'],
] as const;
const STORE_PASSWORD = 'changeit';

/** Users of the SASL listener. */
export const USERS = { plain: ['alice', 'alice-secret'], scram: ['bob', 'bob-secret'] } as const;

/** The folder with Kafka's jars, fetched once. */
export async function kafkaJars(): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const lib = join(cache, 'click-agg', `kafka-${KAFKA}`);
  if (existsSync(lib)) return lib;
  mkdirSync(join(cache, 'click-agg'), { recursive: true });
  const work = mkdtempSync(join(cache, 'click-agg', 'fetching-'));
  const dependencies = ARTIFACTS.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  writeFileSync(
    join(work, 'pom.xml'),
    '<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId>' +
      `<version>1</version><dependencies>${dependencies.join('')}</dependencies></project>`,
  );
  await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], { cwd: work });
  try {
    renameSync(join(work, 'lib'), lib);
  } catch (error) {
    // Another test was faster.
    if (!existsSync(lib)) throw error;
  }
  rmSync(work, { recursive: true, force: true });
  return lib;
}

export interface Broker {
  /** `host:port` without encryption or users. */
  address: string;
  /** The same with TLS, and with users; the certificate that signs itself. */
  tlsAddress: string;
  saslAddress: string;
  caFile: string;
  connection: KafkaConnection;
  /** Ends the process at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same log and ports; resolves when it answers. */
  restart(): Promise<void>;
  /** Stops it for good and removes its log. */
  stop(): Promise<void>;
}

/** A connection to this address with the defaults. */
export function connectionTo(address: string, changes: Partial<KafkaConnection> = {}): KafkaConnection {
  return { ...CONNECTION_DEFAULTS, brokers: [address], tls: undefined, sasl: undefined, ...changes };
}

/** Starts a broker and waits until it answers. */
export async function startBroker(): Promise<Broker> {
  const lib = await kafkaJars();
  const folder = mkdtempSync(join(tmpdir(), 'click-agg-kafka-'));
  const [plain, tls, sasl, controller] = await freePorts(4);
  const caFile = await makeCertificate(folder);
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, serverProperties(folder, { plain, tls, sasl, controller }));
  const java = (main: string, args: readonly string[]) => ['-Xmx512m', '-cp', `${lib}/*`, main, ...args];
  const [user, password] = USERS.scram;
  const scram = [256, 512].flatMap((bits) => ['-S', `SCRAM-SHA-${bits}=[name=${user},password=${password}]`]);
  const id = randomUUID().replaceAll('-', '').slice(0, 22);
  await run('java', java('kafka.tools.StorageTool', ['format', '-t', id, '-c', properties, ...scram]));

  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const process = child;
    child = undefined;
    if (!process || process.exitCode !== null) return;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill('SIGKILL');
    await ended;
  };
  const address = `127.0.0.1:${plain}`;
  const restart = async (): Promise<void> => {
    const log = join(folder, 'broker.log');
    const started = spawn(
      'sh',
      ['-c', 'exec "$@" >>"$0" 2>&1', log, 'java', ...java('kafka.Kafka', [properties])],
      {
        stdio: 'ignore',
      },
    );
    child = started;
    await answering(address, () => {
      if (started.exitCode !== null)
        throw new Error(`the broker ended:\n${readFileSync(log, 'utf8').slice(-3000)}`);
    });
  };
  await restart();
  return {
    address,
    tlsAddress: `127.0.0.1:${tls}`,
    saslAddress: `127.0.0.1:${sasl}`,
    caFile,
    connection: connectionTo(address),
    kill,
    restart,
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A silent client. */
export function clientOf(address: string): Kafka {
  return new kafkajs.Kafka({
    brokers: [address],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 },
  });
}

/** Uses a connected admin client. */
export async function asAdmin<T>(address: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = clientOf(address).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Makes a topic with a name of its own. */
export async function newTopic(
  address: string,
  partitions: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = `t-${randomUUID()}`;
  await asAdmin(address, (admin) =>
    admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic,
          numPartitions: partitions,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        },
      ],
    }),
  );
  return topic;
}

async function answering(address: string, check: () => void): Promise<void> {
  const { Kafka, logLevel } = kafkajs;
  for (;;) {
    check();
    const admin = new Kafka({
      brokers: [address],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    }).admin();
    try {
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      if (brokers.length > 0) return;
    } catch (error) {
      if (!(error instanceof Error && error.name.startsWith('KafkaJS'))) throw error;
    } finally {
      await admin.disconnect();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A key store for the broker, and the certificate in it as PEM. */
async function makeCertificate(folder: string): Promise<string> {
  const store = ['-keystore', join(folder, 'broker.p12'), '-storepass', STORE_PASSWORD, '-alias', 'broker'];
  await run('keytool', [
    '-genkeypair',
    ...store,
    ...['-storetype', 'PKCS12', '-keyalg', 'RSA', '-validity', '2', '-dname', 'CN=localhost'],
    ...['-ext', 'SAN=ip:127.0.0.1,dns:localhost'],
  ]);
  const caFile = join(folder, 'broker.pem');
  await run('keytool', ['-exportcert', '-rfc', ...store, '-file', caFile]);
  return caFile;
}

function serverProperties(
  folder: string,
  ports: { plain: number; tls: number; sasl: number; controller: number },
): string {
  const listeners = `PLAINTEXT://127.0.0.1:${ports.plain},SSL://127.0.0.1:${ports.tls},SASL_PLAINTEXT://127.0.0.1:${ports.sasl}`;
  const [user, password] = USERS.plain;
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    listeners: `${listeners},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': listeners,
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'log'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'auto.create.topics.enable': 'false',
    'log.retention.check.interval.ms': '500',
    'log.segment.delete.delay.ms': '100',
    'ssl.keystore.location': join(folder, 'broker.p12'),
    'ssl.keystore.password': STORE_PASSWORD,
    'ssl.key.password': STORE_PASSWORD,
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
    'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config':
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config':
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
