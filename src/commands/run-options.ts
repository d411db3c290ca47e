// What `run` can be told, and what that names: the log, the lake behind it, the topic of the dead letters.
import type { KafkaConnection } from '../adapters/kafka/connection.js';
import type { SourceSpec } from '../engine/open-source.js';
import type { LetterTopic } from '../engine/publish-letters.js';
import { UsageError } from '../errors.js';
import type { LakePlace } from '../lake/storage.js';
import {
  clusterOptions,
  groupOption,
  letterTopicOf,
  letterTopicOption,
  topicOption,
} from '../options/kafka.js';
import { lakePlaceOf, s3Options } from '../options/lake.js';
import { metricsOptions } from '../options/metrics.js';
import { duration, type OptionValues, onOff, optionalText } from '../options/option.js';
import { channelOption, redisOption } from '../options/redis.js';
import { dataDirOption, inputOptions, methodOptions } from '../options/shared.js';
import { storesOptions } from '../options/store.js';

export const runOptions = {
  ...dataDirOption,
  ...storesOptions,
  ...inputOptions,
  ...clusterOptions,
  ...topicOption,
  ...letterTopicOption,
  group: groupOption(),
  untilEnd: onOff({ flag: 'until-end', about: 'stop at the present end of the log' }),
  ...s3Options,
  lake: optionalText({
    flag: 'lake',
    value: 'DIR|s3://…',
    valueOptional: true,
    about:
      'keep every raw record as Parquet, too, in a folder or s3://bucket/prefix; in lake/ of the data directory unless told',
  }),
  archive: optionalText({
    flag: 'archive',
    value: 'DIR|s3://…',
    valueOptional: true,
    about:
      'a lake that has what retention has deleted from the log, should it be needed again; the one of --lake, if that is given',
  }),
  commitEvery: duration({
    flag: 'commit-every',
    default: '1s',
    minMs: 10,
    about: 'write what changed to the store so often: fresher totals against fewer transactions',
  }),
  idleAfter: duration({
    flag: 'idle-after',
    default: '10s',
    minMs: 1000,
    about: 'show the open minutes of a partition, as provisional, when it was quiet for so long',
  }),
  openMinutes: onOff({
    flag: 'open-minutes',
    about:
      'write the open minutes of all partitions, as provisional, with every commit: a click is in the totals within seconds',
  }),
  redis: redisOption('tell dashboards through this Redis what each commit changed (redis://user@host:port)'),
  ...channelOption,
  ...metricsOptions,
  ...methodOptions,
};

export type RunOptions = OptionValues<typeof runOptions>;

/** UsageError: the options make no sense together. */
export function checkTogether({ append, archive, brokers, input }: RunOptions): void {
  if (append && input === undefined) throw new UsageError('--append needs --input');
  if (brokers !== undefined && input !== undefined)
    throw new UsageError('--brokers and --input exclude each other');
  if (archive !== undefined && input !== undefined)
    throw new UsageError('--archive and --input exclude each other: retention deletes nothing from a file');
}

/** The log that is counted. */
export function sourceOf(
  { topic, group, partitions }: RunOptions,
  kafka: KafkaConnection | undefined,
  file: string | undefined,
  logDir: string,
): SourceSpec {
  if (kafka) return { kind: 'kafka', connection: kafka, topic, group };
  if (file === undefined) return { kind: 'embedded', logDir };
  return { kind: 'file', path: file, partitions, format: 'auto' };
}

/** The lake behind the log; undefined: there is none. */
export function archiveOf(options: RunOptions): LakePlace | undefined {
  const { archive, lake, input } = options;
  if (archive !== undefined) return lakePlaceOf({ ...options, lake: archive }, '--archive');
  return lake === undefined || input !== undefined ? undefined : lakePlaceOf(options);
}

/** The topic of the dead letters; undefined: they are kept in the store alone. */
export function lettersTo(options: RunOptions, connection: KafkaConnection): LetterTopic | undefined {
  const letterTopic = letterTopicOf(options);
  const { topic, group } = options;
  return letterTopic === undefined ? undefined : { connection, topic, letterTopic, group };
}
