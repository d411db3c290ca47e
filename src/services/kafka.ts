// Apache Kafka in KRaft mode: one process that is broker and controller. Three listeners for clients: plain, with
// SASL (PLAIN, SCRAM), and with TLS by a certificate that signs itself.
import { existsSync } from 'node:fs';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { $ } from 'zx';
import { mendRequestQueue } from '../adapters/kafka/request-queue.js';
import { UserError } from '../errors.js';
import { debianPackage, madeOnce, mavenJars } from './fetching.js';
import type { Part, Place } from './part.js';

const VERSION = '4.3.1';
const HEAP = '-Xmx512m';
const ANSWER_MS = 2_000;
/** For machines that only this machine reaches. */
export const KAFKA_USER = 'clicks';
export const KAFKA_PASSWORD = 'clicks-secret';
const STORE_PASSWORD = 'click-agg';

const quiet = $({ quiet: true, nothrow: true });

export const kafka: Part = {
  name: 'kafka',
  software: `Apache Kafka ${VERSION}`,
  portNames: ['main', 'sasl', 'ssl', 'controller'],
  stopSignal: 'SIGTERM',
  async fetch(say) {
    await debianPackage('java', 'default-jre-headless', say);
    const jars = [`org.apache.kafka:kafka_2.13:${VERSION}`, `org.apache.kafka:kafka-tools:${VERSION}`];
    return mavenJars(`apache-kafka-${VERSION}`, [...jars, 'org.slf4j:slf4j-simple:1.7.36'], say);
  },
  async prepare(place) {
    const certificate = await certificateFolder();
    await writeFile(join(place.directory, 'server.properties'), propertiesOf(place, certificate));
    await copyFile(join(certificate, 'ca.pem'), join(place.directory, 'ca.pem'));
    if (!existsSync(logFolder(place))) await format(place);
  },
  async launch(place) {
    const log = [
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
    ];
    const properties = join(place.directory, 'server.properties');
    return { file: 'java', args: [HEAP, ...log, '-cp', `${place.program}/*`, 'kafka.Kafka', properties] };
  },
  address(place) {
    return {
      brokers: `127.0.0.1:${place.ports.main}`,
      saslBrokers: `127.0.0.1:${place.ports.sasl}`,
      sslBrokers: `127.0.0.1:${place.ports.ssl}`,
      username: KAFKA_USER,
      password: KAFKA_PASSWORD,
      caFile: join(place.directory, 'ca.pem'),
      classPath: `${place.program}/*`,
    };
  },
  async answers(place) {
    mendRequestQueue();
    const client = new Kafka({
      brokers: [`127.0.0.1:${place.ports.main}`],
      connectionTimeout: ANSWER_MS,
      requestTimeout: ANSWER_MS,
      enforceRequestTimeout: true,
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
    });
    const admin = client.admin();
    try {
      await admin.connect();
      await admin.listTopics();
      return true;
    } catch (error) {
      if (error instanceof Error && error.name.startsWith('Kafka')) return false;
      throw error;
    } finally {
      await admin.disconnect();
    }
  },
};

const logFolder = (place: Place): string => join(place.directory, 'log');

/** Gives the empty log folder its identity and the SCRAM users theirs. */
async function format(place: Place): Promise<void> {
  const properties = join(place.directory, 'server.properties');
  const unfinished = join(place.directory, 'unformatted.properties');
  const folder = `${logFolder(place)}.unfinished`;
  await rm(folder, { recursive: true, force: true });
  const text = await readFile(properties, 'utf8');
  await writeFile(unfinished, text.replace(/^log\.dirs=.*$/m, `log.dirs=${folder}`));
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // An id that begins with a hyphen would be taken for an option.
  bytes[0]! &= 0x7f;
  const id = Buffer.from(bytes).toString('base64url');
  const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${KAFKA_USER},password=${KAFKA_PASSWORD}]`,
  ]);
  const { exitCode, stderr, stdout } =
    await quiet`java -cp ${`${place.program}/*`} kafka.tools.StorageTool format -t ${id} -c ${unfinished} ${users}`;
  if (exitCode !== 0) {
    throw new UserError(
      `Kafka's storage could not be made in ${place.directory}: ${stderr || stdout}`.trim(),
    );
  }
  await rename(folder, logFolder(place));
}

/** A key and a certificate for 127.0.0.1 and localhost, made once a machine by Java's own tool. */
function certificateFolder(): Promise<string> {
  return madeOnce('kafka-certificate', async (folder) => {
    const store = ['-keystore', `${folder}/broker.p12`, '-storetype', 'PKCS12', '-storepass', STORE_PASSWORD];
    const subject = [
      '-dname',
      'CN=localhost',
      '-ext',
      'san=ip:127.0.0.1,dns:localhost',
      '-ext',
      'bc=ca:true',
    ];
    const key = ['-alias', 'broker', '-keyalg', 'EC', '-validity', '3650'];
    const made = await quiet`keytool -genkeypair ${key} ${subject} ${store}`;
    if (made.exitCode !== 0) throw new UserError(`keytool made no certificate: ${made.stdout}${made.stderr}`);
    const told = await quiet`keytool -exportcert -rfc -alias broker ${store} -file ${folder}/ca.pem`;
    if (told.exitCode !== 0) throw new UserError(`keytool gave no certificate: ${told.stdout}${told.stderr}`);
  });
}

function propertiesOf(place: Place, certificate: string): string {
  const { ports } = place;
  const at = (listener: string, port: number | undefined) => `${listener}://127.0.0.1:${port}`;
  const clients = [at('PLAINTEXT', ports.main), at('SASL', ports.sasl), at('SSL', ports.ssl)].join(',');
  const modules = 'org.apache.kafka.common.security';
  const scram = `${modules}.scram.ScramLoginModule required;`;
  const user = `username="${KAFKA_USER}" password="${KAFKA_PASSWORD}" user_${KAFKA_USER}="${KAFKA_PASSWORD}"`;
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `${clients},${at('CONTROLLER', ports.controller)}`,
    'advertised.listeners': clients,
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,SSL:SSL',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required ${user};`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': scram,
    'ssl.keystore.location': `${certificate}/broker.p12`,
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.password': STORE_PASSWORD,
    'ssl.key.password': STORE_PASSWORD,
    'log.dirs': logFolder(place),
    // One broker.
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // A single consumer needn't wait for others, and few partitions of Kafka's own make starts quick.
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'group.min.session.timeout.ms': '1000',
    // One that was killed may register again only when its former session is over.
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '1000',
    // A mistyped topic is an error, and clicks of last year are not deleted as they come.
    'auto.create.topics.enable': 'false',
    'log.retention.ms': '-1',
    ...place.settings,
  };
  return `${Object.entries(properties)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}
