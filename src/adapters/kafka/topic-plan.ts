// How the topics of clicks and of dead letters should be, so that counting them is exact and stays so, and why.
import { RECORD_BYTES_MAX } from '../../core/method.js';

export interface PlanOptions {
  topic: string;
  deadLetterTopic: string;
  partitions: number;
  replicationFactor: number;
  /** How long clicks are kept, ms; -1: for ever. */
  retentionMs: number;
  deadLetterRetentionMs: number;
}

/** A setting of a topic; numbers are compared as numbers, and -1 is more than any. */
export interface PlannedSetting {
  name: string;
  value: string;
  /** More (or longer) than that is fine, too. */
  orMore: boolean;
  why: string;
}

export interface TopicPlan {
  topic: string;
  partitions: number;
  replicationFactor: number;
  settings: readonly PlannedSetting[];
}

/** A record that is too long by the counting method must still reach the log to be accounted for. */
const MESSAGE_BYTES = 2 * RECORD_BYTES_MAX;

/** The plan of both topics. */
export function planTopics(options: PlanOptions): TopicPlan[] {
  const { topic, deadLetterTopic, partitions, replicationFactor } = options;
  const shared = sharedSettings(replicationFactor);
  const both = { partitions, replicationFactor };
  return [
    {
      topic,
      ...both,
      settings: [
        {
          name: 'retention.ms',
          value: String(options.retentionMs),
          orMore: true,
          why: 'a restart reads the horizon again, and a replay more',
        },
        {
          name: 'message.timestamp.type',
          value: 'LogAppendTime',
          orMore: false,
          why: 'clicks from the future are told by the broker’s clock',
        },
        ...shared,
      ],
    },
    {
      topic: deadLetterTopic,
      ...both,
      settings: [
        {
          name: 'retention.ms',
          value: String(options.deadLetterRetentionMs),
          orMore: true,
          why: 'people need time to look at them',
        },
        ...shared,
      ],
    },
  ];
}

function sharedSettings(replicationFactor: number): PlannedSetting[] {
  return [
    {
      name: 'retention.bytes',
      value: '-1',
      orMore: true,
      why: 'a limit by size would cut the horizon when clicks are many',
    },
    {
      name: 'cleanup.policy',
      value: 'delete',
      orMore: false,
      why: 'compaction would delete clicks by their key',
    },
    {
      name: 'min.insync.replicas',
      value: String(Math.max(1, replicationFactor - 1)),
      orMore: true,
      why: 'an acknowledged click survives the loss of a broker',
    },
    {
      name: 'unclean.leader.election.enable',
      value: 'false',
      orMore: false,
      why: 'it would cut off clicks that were counted',
    },
    {
      name: 'max.message.bytes',
      value: String(MESSAGE_BYTES),
      orMore: true,
      why: 'a record that is too long is accounted for as invalid',
    },
  ];
}
