// Makes topics by a plan, and tells what differs from it.
import type { Admin } from 'kafkajs';
import { UserError } from '../../errors.js';
import { type KafkaConnection, kafkaClient } from './connection.js';
import type { PlannedSetting, TopicPlan } from './topic-plan.js';
import { isWorldly, kafkaError, rootCause } from './world-errors.js';

/** Kafka's number for a resource that is a topic. */
const TOPIC_RESOURCE = 2;

export interface Difference {
  topic: string;
  setting: string;
  is: string;
  shouldBe: string;
  why: string;
}

export interface Topics {
  /** How many brokers there are: no more replicas are possible. */
  brokers(): Promise<number>;
  /** Makes the topics that are missing; returns their names. UserError: the cluster refuses. */
  create(plans: readonly TopicPlan[]): Promise<string[]>;
  /** What differs from the plans; a topic that is missing is a difference, too. */
  differences(plans: readonly TopicPlan[]): Promise<Difference[]>;
  /** A setting of a topic; undefined: it isn't told to us. */
  setting(topic: string, name: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Opens a cluster to look after its topics. UserError: it can't be reached, or refuses us. */
export async function openTopics(connection: KafkaConnection): Promise<Topics> {
  const admin = (await kafkaClient(connection, { retries: 2 })).admin();
  const asked = async <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      throw kafkaError(error, connection, what);
    }
  };
  await asked('the cluster', () => admin.connect());
  return {
    brokers: () => asked('the cluster', async () => (await admin.describeCluster()).brokers.length),
    create: (plans) => asked(namesOf(plans), () => create(admin, plans)),
    differences: (plans) => asked(namesOf(plans), () => differences(admin, plans)),
    setting: (topic, name) => setting(admin, topic, name),
    async close() {
      await admin.disconnect();
    },
  };
}

function namesOf(plans: readonly TopicPlan[]): string {
  return plans.map(({ topic }) => topic).join(', ');
}

async function create(admin: Admin, plans: readonly TopicPlan[]): Promise<string[]> {
  const there = new Set(await admin.listTopics());
  const missing = plans.filter(({ topic }) => !there.has(topic));
  if (missing.length === 0) return [];
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ topic, partitions, replicationFactor, settings }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: settings.map(({ name, value }) => ({ name, value })),
      })),
    });
  } catch (error) {
    throw refusal(error, missing);
  }
  return missing.map(({ topic }) => topic);
}

/** kafkajs gathers what the broker said of each topic in one error. */
function refusal(error: unknown, plans: readonly TopicPlan[]): unknown {
  const { errors = [] } = error as { errors?: readonly { type?: string; message?: string }[] };
  const { type, message } = errors[0] ?? rootCause(error);
  if (type === undefined) return error;
  const hints: Readonly<Record<string, string>> = {
    INVALID_REPLICATION_FACTOR: 'There are not so many brokers: give a smaller --replication-factor.',
    POLICY_VIOLATION: 'The cluster has a policy of its own for topics: ask whoever administers it.',
    TOPIC_AUTHORIZATION_FAILED: 'Ask for the right to create topics.',
    CLUSTER_AUTHORIZATION_FAILED: 'Ask for the right to create topics.',
  };
  return new UserError(`Kafka refuses to make ${namesOf(plans)}: ${message ?? type}`, {
    hint: hints[type] ?? 'Nothing was made.',
    cause: error,
  });
}

async function differences(admin: Admin, plans: readonly TopicPlan[]): Promise<Difference[]> {
  const there = new Set(await admin.listTopics());
  const found: Difference[] = [];
  for (const plan of plans) {
    const { topic, partitions, replicationFactor } = plan;
    if (!there.has(topic)) {
      const why = 'make it: click-agg topics create';
      found.push({ topic, setting: 'topic', is: 'missing', shouldBe: 'there', why });
      continue;
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const parts = topics[0]?.partitions ?? [];
    const replicas = Math.min(...parts.map((part) => part.replicas.length));
    const sizes = [
      ['partitions', parts.length, partitions, 'throughput, and so that the ads spread'],
      ['replication.factor', replicas, replicationFactor, 'a broker may be lost'],
    ] as const;
    for (const [name, is, least, why] of sizes) {
      if (is < least) found.push({ topic, setting: name, is: String(is), shouldBe: `${least} or more`, why });
    }
    const settings = await settingsOf(admin, topic);
    for (const planned of plan.settings) {
      const is = settings.get(planned.name) ?? 'unknown';
      if (fits(is, planned)) continue;
      const shouldBe = `${planned.value}${planned.orMore && planned.value !== '-1' ? ' or more' : ''}`;
      found.push({ topic, setting: planned.name, is, shouldBe, why: planned.why });
    }
  }
  return found;
}

function fits(is: string, { value, orMore }: PlannedSetting): boolean {
  if (is === value) return true;
  if (!orMore) return false;
  const [present, least] = [is, value].map((text) => (text === '-1' ? Infinity : Number(text)));
  return present! >= least!;
}

async function settingsOf(admin: Admin, topic: string): Promise<Map<string, string>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: TOPIC_RESOURCE, name: topic }],
  });
  const entries = resources[0]?.configEntries ?? [];
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
}

async function setting(admin: Admin, topic: string, name: string): Promise<string | undefined> {
  try {
    return (await settingsOf(admin, topic)).get(name);
  } catch (error) {
    // Who may write a topic may not always look at its settings.
    if (!isWorldly(error)) throw error;
    return undefined;
  }
}
