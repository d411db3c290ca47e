// Where mended records are sent: a Kafka topic, the embedded log, or a file for those who keep their clicks elsewhere.
import { writeFile } from 'node:fs/promises';
import { readMeta } from '../adapters/embedded/layout.js';
import { openLogWriter } from '../adapters/embedded/log-writer.js';
import { onOneLine } from '../adapters/ndjson/letter-lines.js';
import type { DecodedBatch } from '../core/decoded-batch.js';
import type { DataDir } from '../engine/data-dir.js';
import { UsageError, UserError } from '../errors.js';
import { type clusterOptions, connectionOf, type topicOption } from '../options/kafka.js';
import type { OptionValues } from '../options/option.js';
import type { Terminal } from '../ui/terminal.js';

/** A record to be sent. */
export interface RecordToSend {
  value: Uint8Array;
  /** Of a letter that is sent as it came. */
  key?: Uint8Array | undefined;
  letter: { partition: number; offset: number } | undefined;
}

export interface Destination {
  readonly name: string;
  readonly partitions: number;
  /** Whether `run` counts what is sent there, and not whoever takes it from a file. */
  readonly isLog: boolean;
  /** Resolves when all records are durable there. `decoded`: the same records. */
  send(records: readonly RecordToSend[], decoded: DecodedBatch): Promise<void>;
  close(): Promise<void>;
}

type Options = OptionValues<typeof clusterOptions & typeof topicOption> & { output: string | undefined };

/** Opens where the options send records to. UserError: it isn't there; UsageError: two of them were given. */
export async function destinationOf(
  options: Options,
  dataDir: DataDir,
  terminal: Terminal,
): Promise<Destination> {
  const connection = connectionOf(options);
  if (options.output !== undefined) {
    if (connection) throw new UsageError('give --brokers or --output, not both');
    return toLines(options.output, terminal);
  }
  if (!connection) return toEmbeddedLog(dataDir);
  const { topicWriter } = await import('../adapters/kafka/topic-writer.js');
  const writer = await topicWriter({
    connection,
    topic: options.topic,
    warn: (line) => terminal.warn(line),
  });
  return {
    name: writer.description,
    partitions: writer.partitions,
    isLog: true,
    send: (_, decoded) => writer.append(keyedByAd(decoded)),
    close: () => writer.close(),
  };
}

/** The records as a log takes them: an ad's clicks have its id as their key. */
function keyedByAd({
  count,
  bytes,
  valueStart,
  valueEnd,
  partition,
  appendTimeMs,
  adStart,
  adLength,
}: DecodedBatch) {
  const keyEnd = adStart.map((start, index) => start + adLength[index]);
  return { count, bytes, valueStart, valueEnd, keyStart: adStart, keyEnd, partition, appendTimeMs };
}

async function toEmbeddedLog({ path, logDir }: DataDir): Promise<Destination> {
  const meta = await readMeta(logDir);
  if (!meta) {
    throw new UserError(`there is no embedded log in ${path}: these clicks come from elsewhere`, {
      hint: 'Name the Kafka topic (--brokers), or write them into a file (--output FILE).',
    });
  }
  const { partitions } = meta;
  return {
    name: logDir,
    partitions,
    isLog: true,
    async send(_, decoded) {
      const log = await openLogWriter(logDir, { partitions });
      try {
        await log.append(keyedByAd(decoded));
        await log.flush();
      } finally {
        await log.close();
      }
    },
    async close() {},
  };
}

function toLines(output: string, terminal: Terminal): Destination {
  return {
    name: output,
    partitions: 1,
    isLog: false,
    async send(records) {
      const lines = records
        .map(({ value }) => `${onOneLine(Buffer.from(value).toString('utf8'))}\n`)
        .join('');
      if (output === '-') await terminal.print(lines);
      else await writeNew(output, lines);
    },
    async close() {},
  };
}

async function writeNew(output: string, lines: string): Promise<void> {
  try {
    await writeFile(output, lines, { flag: 'wx', flush: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(code === 'EEXIST' ? `${output} exists already` : `can't write ${output}: ${code}`, {
      hint: 'Name another file.',
      cause: error,
    });
  }
}
