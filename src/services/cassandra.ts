// Apache Cassandra: one node that is its own seed. It asks for names and passwords, so that roles with few rights can
// be made, and it acknowledges a write when its commit log is on the disk: a killed node then forgets nothing.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import cassandraDriver from 'cassandra-driver';
import { debianPackage, mavenJars } from './fetching.js';
import type { Part, Place } from './part.js';

const VERSION = '5.0.4';
/** Enough for tests; the setting `heap` is for more. */
const HEAP = '768m';
const ANSWER_MS = 2_000;
/** The role that a new node makes for itself. */
const USER = 'cassandra';
const PASSWORD = 'cassandra';
const DATACENTER = 'datacenter1';

export const cassandra: Part = {
  name: 'cassandra',
  software: `Apache Cassandra ${VERSION}`,
  portNames: ['main', 'storage'],
  stopSignal: 'SIGTERM',
  async fetch(say) {
    await debianPackage('java', 'default-jre-headless', say);
    return mavenJars(`apache-cassandra-${VERSION}`, [`org.apache.cassandra:cassandra-all:${VERSION}`], say);
  },
  async prepare(place) {
    // What is JSON is YAML too.
    await writeFile(configOf(place), `${JSON.stringify(settingsOf(place), null, 2)}\n`);
    await writeFile(join(place.directory, 'logback.xml'), LOGBACK);
  },
  async launch(place) {
    const properties = {
      'cassandra.config': pathToFileURL(configOf(place)).href,
      'cassandra.storagedir': place.directory,
      'logback.configurationFile': join(place.directory, 'logback.xml'),
      // It has no neighbours to wait for.
      'cassandra.ring_delay_ms': '1',
      'cassandra.skip_wait_for_gossip_to_settle': '0',
      'cassandra.superuser_setup_delay_ms': '0',
      'jdk.attach.allowAttachSelf': 'true',
      'io.netty.tryReflectionSetAccessible': 'true',
      ...Object.fromEntries(Object.entries(place.settings).filter(([name]) => isProperty(name))),
    };
    const set = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
    const classPath = ['-cp', `${place.program}/*`, 'org.apache.cassandra.service.CassandraDaemon'];
    const memory = ['-Xms256m', `-Xmx${place.settings.heap ?? HEAP}`, '-XX:+ExitOnOutOfMemoryError'];
    return { file: 'java', args: [...memory, ...moduleAccess(), ...set, ...classPath] };
  },
  address: (place) => ({
    url: `cassandra://${USER}:${PASSWORD}@127.0.0.1:${place.ports.main}/click_agg?datacenter=${DATACENTER}`,
    contactPoint: `127.0.0.1:${place.ports.main}`,
    datacenter: DATACENTER,
    username: USER,
    password: PASSWORD,
  }),
  async answers(place) {
    const client = new cassandraDriver.Client({
      contactPoints: [`127.0.0.1:${place.ports.main}`],
      localDataCenter: DATACENTER,
      credentials: { username: USER, password: PASSWORD },
      socketOptions: { connectTimeout: ANSWER_MS, readTimeout: ANSWER_MS },
    });
    try {
      await client.connect();
      await client.execute('SELECT release_version FROM system.local');
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    } finally {
      await client.shutdown();
    }
  },
};

const configOf = (place: Place): string => join(place.directory, 'cassandra.yaml');

function settingsOf({ ports, directory, settings }: Place): Record<string, unknown> {
  return {
    cluster_name: 'click-agg',
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    num_tokens: 16,
    endpoint_snitch: 'SimpleSnitch',
    listen_address: '127.0.0.1',
    rpc_address: '127.0.0.1',
    native_transport_port: ports.main,
    storage_port: ports.storage,
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        parameters: [{ seeds: `127.0.0.1:${ports.storage}` }],
      },
    ],
    data_file_directories: [join(directory, 'data')],
    commitlog_directory: join(directory, 'commitlog'),
    hints_directory: join(directory, 'hints'),
    saved_caches_directory: join(directory, 'saved_caches'),
    cdc_raw_directory: join(directory, 'cdc_raw'),
    // With the default, `periodic`, a killed node has lost what it acknowledged in the last moments.
    commitlog_sync: 'batch',
    // Each waits for the disk: many must be able to wait for the same sync.
    concurrent_writes: 128,
    // Where tests take all processors, slow is not broken.
    read_request_timeout: '20s',
    range_request_timeout: '20s',
    write_request_timeout: '20s',
    cas_contention_timeout: '5s',
    request_timeout: '20s',
    authenticator: 'PasswordAuthenticator',
    authorizer: 'CassandraAuthorizer',
    role_manager: 'CassandraRoleManager',
    // Tests give rights and use them at once.
    permissions_validity: '0ms',
    roles_validity: '0ms',
    // A dropped keyspace of a test is not kept as a snapshot.
    auto_snapshot: false,
    ...Object.fromEntries(Object.entries(settings).filter(([name]) => name !== 'heap' && !isProperty(name))),
  };
}

/** A setting of ours is a line of cassandra.yaml, or a property of the Java machine. */
function isProperty(name: string): boolean {
  return name.startsWith('cassandra.');
}

/** What Java's modules must open to Cassandra, as its own conf/jvm17-server.options lists it. */
function moduleAccess(): string[] {
  const exported = [
    'java.base/java.lang.ref',
    'java.base/jdk.internal.misc',
    'java.base/sun.nio.ch',
    'java.management.rmi/com.sun.jmx.remote.internal.rmi',
    'java.rmi/sun.rmi.registry',
    'java.rmi/sun.rmi.server',
    'java.sql/java.sql',
    'jdk.attach/sun.tools.attach',
    'jdk.compiler/com.sun.tools.javac.file',
    'jdk.unsupported/sun.misc',
  ];
  const opened = [
    'java.base/java.io',
    'java.base/java.lang',
    'java.base/java.lang.module',
    'java.base/java.lang.reflect',
    'java.base/java.util',
    'java.base/jdk.internal.loader',
    'java.base/jdk.internal.math',
    'java.base/jdk.internal.module',
    'java.base/jdk.internal.ref',
    'java.base/jdk.internal.reflect',
    'java.base/jdk.internal.util.jar',
    'java.base/sun.nio.ch',
    'jdk.compiler/com.sun.tools.javac',
    'jdk.management/com.sun.management.internal',
  ];
  return [
    ...exported.map((each) => `--add-exports=${each}=ALL-UNNAMED`),
    ...opened.map((each) => `--add-opens=${each}=ALL-UNNAMED`),
  ];
}

/** Without it the library logs every detail. */
const LOGBACK = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %level %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`;
