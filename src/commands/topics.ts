// Makes the topics as exact counting needs them, and tells what differs from that.
import { planTopics, type TopicPlan } from '../adapters/kafka/topic-plan.js';
import { type Difference, openTopics, type Topics } from '../adapters/kafka/topics.js';
import type { Method } from '../core/method.js';
import { EXIT, UsageError } from '../errors.js';
import { command } from '../options/command.js';
import { clusterOptions, connectionOf, topicOption } from '../options/kafka.js';
import {
  duration,
  durationText,
  integer,
  type OptionValues,
  optionalInteger,
  optionalText,
} from '../options/option.js';
import { methodOf, methodOptions } from '../options/shared.js';

/** As many replicas as are usual, if there are so many brokers. */
const REPLICAS_USUAL = 3;

const topicsOptions = {
  ...clusterOptions,
  ...topicOption,
  deadLetterTopic: optionalText({
    flag: 'dead-letter-topic',
    group: 'Kafka',
    value: 'NAME',
    about: 'the topic of dead letters; default that of the clicks with .dead-letters behind it',
  }),
  partitions: integer({
    flag: 'partitions',
    default: '6',
    min: 1,
    max: 1024,
    about: 'partitions of each topic (more are fine when checking)',
  }),
  replicationFactor: optionalInteger({
    flag: 'replication-factor',
    min: 1,
    max: 100,
    about: 'copies of each partition; default 3, or as many as there are brokers',
  }),
  retention: duration({
    flag: 'retention',
    default: '7d',
    about: 'how long clicks are kept: longer than the horizon, and than any pause of all that reads them',
  }),
  deadLetterRetention: duration({
    flag: 'dead-letter-retention',
    default: '30d',
    about: 'how long dead letters are kept',
  }),
  ...methodOptions,
};

type Options = OptionValues<typeof topicsOptions>;

const createCommand = command({
  name: 'create',
  summary: 'make the topics that are missing',
  description:
    'Makes the topics of clicks and of dead letters with the partitions, replicas, retention and settings that ' +
    'exact counting needs. What is there already is left as it is, and told where it differs.',
  options: topicsOptions,
  examples: [
    ['click-agg topics create --brokers localhost:9092', 'the topics clicks and clicks.dead-letters'],
    ['click-agg topics create --brokers k1:9092,k2:9092 --partitions 24 --retention 14d', 'a larger one'],
  ],
  async run({ options, terminal }) {
    await withPlans(options, async (topics, plans) => {
      const created = await topics.create(plans);
      const differences = await topics.differences(plans);
      if (terminal.wantsJson) {
        await terminal.json({ created, differences });
        return;
      }
      const state = ({ topic }: TopicPlan): string => {
        if (created.includes(topic)) return 'created';
        return differences.some((one) => one.topic === topic) ? 'there, but differs' : 'there';
      };
      await terminal.table(
        ['topic', 'partitions', 'replicas', 'state'],
        plans.map((plan) => [plan.topic, plan.partitions, plan.replicationFactor, state(plan)]),
      );
      if (differences.length > 0) terminal.warn('see what differs: click-agg topics check');
    });
  },
});

const checkCommand = command({
  name: 'check',
  summary: 'tell what about the topics is not as it should be',
  description: 'Compares the topics with what `topics create` would make. Exits 1 if anything differs.',
  options: topicsOptions,
  examples: [['click-agg topics check --brokers localhost:9092', 'what differs, and why it matters']],
  async run({ options, terminal }) {
    return withPlans(options, async (topics, plans) => {
      const differences = await topics.differences(plans);
      if (terminal.wantsJson) await terminal.json({ ok: differences.length === 0, differences });
      else if (differences.length === 0) {
        await terminal.print(`${plans.map(({ topic }) => topic).join(' and ')} are as they should be\n`);
      } else await terminal.table(['topic', 'setting', 'is', 'should be', 'why'], differences.map(rowOf));
      return differences.length === 0 ? EXIT.ok : EXIT.failure;
    });
  },
});

function rowOf({ topic, setting, is, shouldBe, why }: Difference): string[] {
  return [topic, setting, is, shouldBe, why];
}

export const topicsCommand = command({
  name: 'topics',
  summary: 'make and check the topics of a Kafka cluster',
  options: {},
  examples: [
    ['click-agg topics create --brokers localhost:9092', 'make the topics that are missing'],
    ['click-agg topics check --brokers localhost:9092', 'tell what would lose or bill twice'],
  ],
  commands: [createCommand, checkCommand],
});

async function withPlans<T>(
  options: Options,
  use: (topics: Topics, plans: readonly TopicPlan[]) => Promise<T>,
): Promise<T> {
  const connection = connectionOf(options);
  if (!connection) throw new UsageError('--brokers is required');
  const horizonMs = horizonOf(methodOf(options));
  if (options.retention <= horizonMs) {
    throw new UsageError(`--retention must be longer than the horizon, ${durationText(horizonMs)}`, {
      hint: 'A restart reads the horizon again: what retention has deleted of it could not be judged.',
    });
  }
  const topics = await openTopics(connection);
  try {
    const replicationFactor =
      options.replicationFactor ?? Math.min(REPLICAS_USUAL, Math.max(1, await topics.brokers()));
    const plans = planTopics({
      topic: options.topic,
      deadLetterTopic: options.deadLetterTopic ?? `${options.topic}.dead-letters`,
      partitions: options.partitions,
      replicationFactor,
      retentionMs: options.retention,
      deadLetterRetentionMs: options.deadLetterRetention,
    });
    return await use(topics, plans);
  } finally {
    await topics.close();
  }
}

/** How far back a click can still change what was counted. */
function horizonOf(method: Method): number {
  const { watermarkDelayMs, allowedLatenessMs, doubleClickMs, botWindowMs } = method;
  return watermarkDelayMs + allowedLatenessMs + 60_000 + Math.max(doubleClickMs, botWindowMs);
}
