// The options of a Kafka cluster, and the connection that they make. They are read by every command that speaks to
// one; the password comes from the environment or a config file, never from the command line, where others see it.
import { z } from 'zod';
import { CONNECTION_DEFAULTS, type KafkaConnection, SASL_MECHANISMS } from '../adapters/kafka/connection.js';
import { UsageError } from '../errors.js';
import { duration, type OptionSpec, type OptionValues, oneOf, onOff, optionalText, text } from './option.js';

const GROUP = 'Kafka';

const brokers: OptionSpec<readonly string[] | undefined> = {
  flag: 'brokers',
  group: GROUP,
  value: 'HOST:PORT,…',
  about: 'brokers of the Kafka cluster that holds the log, instead of the embedded log',
  schema: z
    .string()
    .transform((given, context) => {
      const list = given
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '');
      if (list.length > 0 && list.every(isBroker)) return list;
      context.addIssue({ code: 'custom', message: 'must be host:port, several with commas between them' });
      return z.NEVER;
    })
    .optional() as z.ZodType<readonly string[] | undefined>,
};

function isBroker(broker: string): boolean {
  const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[^\s:/@]+):(\d{1,5})$/.exec(broker)?.[1] ?? Number.NaN);
  return port >= 1 && port <= 65_535;
}

/** How a cluster is reached. */
export const clusterOptions = {
  brokers,
  kafkaSsl: onOff({ flag: 'kafka-ssl', group: GROUP, about: 'speak TLS to the brokers' }),
  kafkaCa: optionalText({
    flag: 'kafka-ca',
    group: GROUP,
    value: 'FILE',
    about: 'PEM file of the authorities that may have signed the brokers’ certificates, for --kafka-ssl',
  }),
  kafkaCert: optionalText({
    flag: 'kafka-cert',
    group: GROUP,
    value: 'FILE',
    about: 'PEM file of the client’s own certificate, where brokers want one; with --kafka-key',
  }),
  kafkaKey: optionalText({
    flag: 'kafka-key',
    group: GROUP,
    value: 'FILE',
    about: 'PEM file of its key',
  }),
  kafkaSaslMechanism: oneOf({
    flag: 'kafka-sasl-mechanism',
    group: GROUP,
    choices: ['none', ...SASL_MECHANISMS],
    default: 'none',
    about: 'how the user is authenticated',
  }),
  kafkaUsername: optionalText({
    flag: 'kafka-username',
    group: GROUP,
    value: 'NAME',
    about: 'the user, for --kafka-sasl-mechanism',
  }),
  kafkaPassword: optionalText({
    flag: 'kafka-password',
    group: GROUP,
    value: 'TEXT',
    secret: true,
    neverTyped: true,
    about: 'its password: in the environment or a config file, never on the command line',
  }),
  kafkaClientId: text({
    flag: 'kafka-client-id',
    group: GROUP,
    value: 'NAME',
    default: CONNECTION_DEFAULTS.clientId,
    about: 'what the brokers’ logs and quotas call this program',
  }),
  kafkaConnectTimeout: duration({
    flag: 'kafka-connect-timeout',
    group: GROUP,
    default: '5s',
    minMs: 100,
    about: 'give up a connection that isn’t there by then, and try again',
  }),
  kafkaRequestTimeout: duration({
    flag: 'kafka-request-timeout',
    group: GROUP,
    default: '30s',
    minMs: 1000,
    about: 'the same for an answer',
  }),
  kafkaSessionTimeout: duration({
    flag: 'kafka-session-timeout',
    group: GROUP,
    default: '10s',
    minMs: 1000,
    about: 'a process of a group that was silent for so long is replaced by one that stands by',
  }),
};

export const topicOption = {
  topic: text({
    flag: 'topic',
    group: GROUP,
    value: 'NAME',
    default: 'clicks',
    about: 'the topic of the clicks, with --brokers',
  }),
};

export const letterTopicOption = {
  deadLetterTopic: optionalText({
    flag: 'dead-letter-topic',
    group: GROUP,
    value: 'NAME|none',
    about:
      'the topic of dead letters, with --brokers; default that of the clicks with .dead-letters behind it',
  }),
};

/** The topic of the dead letters; undefined: they are kept in the store alone. */
export function letterTopicOf({
  topic,
  deadLetterTopic,
}: OptionValues<typeof topicOption & typeof letterTopicOption>): string | undefined {
  if (deadLetterTopic === 'none') return undefined;
  return deadLetterTopic ?? `${topic}.dead-letters`;
}

/** The consumer group of a command that reads: of the processes in it one reads, the others stand by. */
export function groupOption(note = ''): OptionSpec<string> {
  return text({
    flag: 'group',
    group: GROUP,
    value: 'NAME',
    default: 'click-agg',
    about: `consumer group: one process of it reads, the others stand by and take over${note}`,
  });
}

/** The lake's own group beside the counting's: the same name may stand in the environment for both. */
export function lakeGroupOf(group: string): string {
  return `${group}-lake`;
}

/** The connection that the options make; undefined without --brokers. UsageError: they don't fit together. */
export function connectionOf(options: OptionValues<typeof clusterOptions>): KafkaConnection | undefined {
  if (options.brokers === undefined) return undefined;
  const { kafkaCa, kafkaCert, kafkaKey, kafkaSaslMechanism, kafkaUsername, kafkaPassword } = options;
  const certified = [kafkaCa, kafkaCert, kafkaKey].some((file) => file !== undefined);
  if (certified && !options.kafkaSsl) {
    throw new UsageError('--kafka-ca, --kafka-cert and --kafka-key are for TLS', {
      hint: 'Add --kafka-ssl.',
    });
  }
  if ((kafkaCert === undefined) !== (kafkaKey === undefined)) {
    throw new UsageError('--kafka-cert and --kafka-key go together');
  }
  if (kafkaSaslMechanism !== 'none' && (kafkaUsername === undefined || kafkaPassword === undefined)) {
    throw new UsageError(
      `--kafka-sasl-mechanism ${kafkaSaslMechanism} needs --kafka-username and a password`,
      {
        hint: 'Put the password into CLICK_AGG_KAFKA_PASSWORD, or "kafkaPassword" of a config file.',
      },
    );
  }
  if (kafkaSaslMechanism === 'none' && kafkaUsername !== undefined) {
    throw new UsageError('--kafka-username needs --kafka-sasl-mechanism');
  }
  return {
    brokers: options.brokers,
    clientId: options.kafkaClientId,
    tls: options.kafkaSsl ? { caFile: kafkaCa, certFile: kafkaCert, keyFile: kafkaKey } : undefined,
    sasl:
      kafkaSaslMechanism === 'none'
        ? undefined
        : { mechanism: kafkaSaslMechanism, username: kafkaUsername!, password: kafkaPassword! },
    connectTimeoutMs: options.kafkaConnectTimeout,
    requestTimeoutMs: options.kafkaRequestTimeout,
    sessionTimeoutMs: options.kafkaSessionTimeout,
  };
}

/**
 * The topic that a command reads, for `group`; undefined without --brokers. UsageError: the options don't fit
 * together.
 */
export function topicSpecOf(
  options: OptionValues<typeof clusterOptions & typeof topicOption> & { input?: string | undefined },
  group: string,
): { connection: KafkaConnection; topic: string; group: string } | undefined {
  const connection = connectionOf(options);
  if (connection && options.input !== undefined) throw new UsageError('give --brokers or --input, not both');
  return connection && { connection, topic: options.topic, group };
}
