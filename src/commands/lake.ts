// Keeps every raw record as Parquet. Writing, checking and merging are src/lake's; here they get their options
// and tell what they did.
import { commitReporter, openLakeSource, whileActive } from '../engine/lake-source.js';
import { EXIT } from '../errors.js';
import { compactLake } from '../lake/compact.js';
import { LAKE_DEFAULTS, type LakeProgress, nothingWritten, writeLake } from '../lake/lake-writer.js';
import { lakeStatus } from '../lake/status.js';
import { placeName } from '../lake/storage.js';
import { verifyLake } from '../lake/verify.js';
import { watchLake } from '../metrics/watching.js';
import { command } from '../options/command.js';
import { clusterOptions, groupOption, lakeGroupOf, topicOption, topicSpecOf } from '../options/kafka.js';
import { lakeOptions, lakePlaceOf } from '../options/lake.js';
import { metricsOptions } from '../options/metrics.js';
import { duration, integer, onOff, optionalInteger } from '../options/option.js';
import { dataDirOption, inputOptions, methodHashesOf, methodOptions } from '../options/shared.js';
import { compact } from '../ui/progress.js';

const MEGABYTE = 1_000_000;

const placeOptions = { ...dataDirOption, ...lakeOptions };

const memoryOption = {
  memoryLimit: integer({
    flag: 'memory-limit',
    value: 'MB',
    default: '1000',
    min: 200,
    max: 1_000_000,
    about: 'memory for decoding and sorting, in MB; beyond it, disk is used',
  }),
};

const olderThanOption = duration({
  flag: 'older-than',
  default: '10m',
  about: 'merge only hours to which nothing was written for so long',
});

const verifyCommand = command({
  name: 'verify',
  summary: 'check the files of the lake with a second implementation of Parquet',
  description:
    'Compares every file with the manifest by size, checksum, columns and row count, reads the rows with ' +
    'parquetjs-lite, and sees that each record of each partition is there exactly once. Exits 1 on differences.',
  options: {
    ...placeOptions,
    sample: optionalInteger({
      flag: 'sample',
      value: 'FILES',
      min: 0,
      about: 'read the rows of only so many files (about 60,000 rows/s); the rest is checked of all',
    }),
  },
  examples: [
    ['click-agg lake verify', 'check everything'],
    ['click-agg lake verify --sample 20', 'checksums of all files, the rows of 20'],
  ],
  async run({ options, terminal, signal }) {
    const bar = terminal.progress('checking files', undefined);
    const result = await verifyLake({
      lake: lakePlaceOf(options),
      sample: options.sample,
      signal,
      onProgress: (done, files) => bar.update(done, `of ${files} files`),
    }).finally(() => bar.stop());
    if (terminal.wantsJson) await terminal.json(result);
    else {
      for (const problem of result.problems) terminal.error(problem);
      const { files, filesRead, records, malformed, bytes } = result;
      await terminal.print(
        `${result.ok ? 'The lake is sound' : 'The lake is NOT sound'}: ${files} files, ${records} records, ` +
          `${malformed} of them malformed, ${compact(bytes)}B; rows read of ${filesRead} files\n`,
      );
    }
    return result.ok ? EXIT.ok : EXIT.failure;
  },
});

const compactCommand = command({
  name: 'compact',
  summary: 'merge the small files of quiet hours',
  description:
    'Files of one hour and partition become one of up to 256 MB, sorted by offset. Readers see the old files ' +
    'or the new one. A running writer does it by itself; this is for a lake that nobody writes.',
  options: { ...placeOptions, ...memoryOption, olderThan: olderThanOption },
  examples: [
    ['click-agg lake compact', 'merge what can be merged'],
    ['click-agg lake compact --older-than 0', 'also what was written just now'],
  ],
  async run({ options, terminal }) {
    const result = await compactLake({
      lake: lakePlaceOf(options),
      olderThanMs: options.olderThan,
      memoryLimitBytes: options.memoryLimit * MEGABYTE,
    });
    if (result.postponed) terminal.warn('somebody is reading the lake: the rest was left for later');
    if (terminal.wantsJson) await terminal.json(result);
    else {
      await terminal.print(
        `Merged ${result.filesBefore} files into ${result.filesAfter} (${result.records} records)\n`,
      );
    }
  },
});

const statusCommand = command({
  name: 'status',
  summary: 'tell what the lake holds and how far it has come',
  options: {
    ...placeOptions,
    files: onOff({ flag: 'files', about: 'print the path of every file, one a line' }),
  },
  examples: [
    ['click-agg lake status', 'records, files and the position of each partition'],
    ['click-agg lake status --files', 'the files, for a program that must see whole commits only'],
  ],
  async run({ options, terminal }) {
    const status = await lakeStatus(lakePlaceOf(options));
    if (options.files) await terminal.print(status.paths.map((path) => `${path}\n`).join(''));
    else if (terminal.wantsJson) {
      const { paths: _, ...rest } = status;
      await terminal.json(rest);
    } else {
      const { records, malformed, files, bytes, commit, from, to } = status;
      await terminal.print(
        `${records} records (${malformed} malformed) in ${files} files, ${compact(bytes)}B, ${commit} ${commit === 1 ? 'commit' : 'commits'}, ` +
          `event times from ${from ?? 'none'} to ${to ?? 'none'}\n`,
      );
      await terminal.table(
        ['partition', 'position', 'records', 'files'],
        status.partitions.map(({ partition, position, records, files }) => [
          partition,
          position,
          records,
          files,
        ]),
      );
    }
  },
});

export const lakeCommand = command({
  name: 'lake',
  summary: 'keep every raw record as Parquet',
  description:
    'Copies the log into Parquet files below dt=…/hour=…/, each record exactly once, the malformed ones too. It ' +
    'has positions of its own: stopped or killed, it goes on where its last flush ended. Follows the log ' +
    'until stopped, unless --until-end or --input is given.',
  options: {
    ...placeOptions,
    ...inputOptions,
    ...clusterOptions,
    ...topicOption,
    group: groupOption('; the lake’s has -lake behind its name'),
    untilEnd: onOff({ flag: 'until-end', about: 'stop at the present end of the log' }),
    flushRecords: integer({
      flag: 'flush-records',
      default: String(LAKE_DEFAULTS.flushRecords),
      min: 1,
      max: 10_000_000,
      about: 'write files after so many records',
    }),
    flushInterval: duration({
      flag: 'flush-interval',
      default: '30s',
      minMs: 100,
      about: 'or after the first of them has waited so long',
    }),
    compactEvery: duration({
      flag: 'compact-every',
      default: '5m',
      about: 'how often small files of quiet hours are merged along the way; 0: never',
    }),
    olderThan: olderThanOption,
    ...memoryOption,
    ...metricsOptions,
    ...methodOptions,
  },
  examples: [
    ['click-agg lake', 'follow the embedded log'],
    ['click-agg lake --brokers localhost:9092', 'follow the Kafka topic clicks'],
    ['click-agg lake --until-end', 'copy what is there, then stop'],
    ['click-agg lake --input clicks.ndjson.zst', 'make a lake of a file'],
  ],
  commands: [verifyCommand, compactCommand, statusCommand],
  async run({ options, terminal, signal }) {
    const lake = lakePlaceOf(options);
    const name = placeName(lake);
    const monitor = await watchLake(options);
    if (monitor.url) terminal.info(`metrics on ${monitor.url}/metrics`, { metrics_url: monitor.url });
    const { source, ...identity } = await openLakeSource(
      { ...options, lake, topic: topicSpecOf(options, lakeGroupOf(options.group)) },
      (line) => terminal.warn(line),
    );
    const bar = terminal.progress(`lake ${name}`, undefined);
    const note = ({ committed, commits }: LakeProgress): string =>
      `${compact(committed)} written, ${commits} commits`;
    try {
      monitor.writes(() => source.ends());
      terminal.info(`copying ${source.description} into ${name}`);
      const report = commitReporter(source);
      const result = await whileActive(source, signal, {
        idle: nothingWritten(),
        work: () =>
          writeLake({
            source,
            ...identity,
            lake,
            signal,
            untilEnd: options.untilEnd || options.input !== undefined,
            ...methodHashesOf(options),
            flushRecords: options.flushRecords,
            flushIntervalMs: options.flushInterval,
            compactEveryMs: options.compactEvery,
            compactOlderThanMs: options.olderThan,
            memoryLimitBytes: options.memoryLimit * MEGABYTE,
            onProgress: (progress) => {
              report(progress);
              bar.update(progress.records, note(progress));
              monitor.observe(progress);
            },
          }),
      });
      bar.stop();
      const { positions, ...counts } = result;
      if (terminal.wantsJson) {
        await terminal.json({ lake: name, ...counts, positions: Object.fromEntries(positions) });
      } else {
        await terminal.print(
          `Wrote ${result.committed} records (${result.malformed} malformed) to ${result.files} files in ${name}\n`,
        );
      }
    } finally {
      bar.stop();
      await source.close();
      await monitor.close();
    }
  },
});
