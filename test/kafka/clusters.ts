// Clients, connections and topics of tests that speak to a real Kafka.
import { randomUUID } from 'node:crypto';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { CONNECTION_DEFAULTS, type KafkaConnection } from '../../src/adapters/kafka/connection.js';

/** A connection to this address with the defaults. */
export function connectionTo(address: string, changes: Partial<KafkaConnection> = {}): KafkaConnection {
  return { ...CONNECTION_DEFAULTS, brokers: [address], tls: undefined, sasl: undefined, ...changes };
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
  await asAdmin(address, async (admin) => {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [
        {
          topic,
          numPartitions: partitions,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    await untilLed(admin, topic);
  });
  return topic;
}

/**
 * kafkajs itself gives up when a busy broker does not know its new topic at once, or says who leads a partition before
 * that leader knows it.
 */
export async function untilLed(admin: Admin, topic: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      if (topics[0]?.partitions.every(({ leader }) => leader >= 0)) {
        await admin.fetchTopicOffsets(topic);
        return;
      }
    } catch (error) {
      const { type = '' } = error as { type?: string };
      const passes = type === 'UNKNOWN_TOPIC_OR_PARTITION' || /LEADER|NOT_AVAILABLE/.test(type);
      if (!passes || attempt > 100) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
