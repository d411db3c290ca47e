// Names a source in plain values, so that it can be opened in another thread. A new kind of source is a new
// line here and a room in adapters/, loaded when it is asked for.
import type { FileFormat } from '../adapters/file/file-source.js';
import type { InputIdentity } from '../adapters/file/identity.js';
import type { KafkaConnection } from '../adapters/kafka/connection.js';
import type { RawBatch } from '../core/batches.js';
import type { Source, SourceOptions } from '../core/ports/log.js';

export interface TopicSpec {
  connection: KafkaConnection;
  topic: string;
  /** Without one nobody else shares the reading. */
  group: string | undefined;
}

export type SourceSpec =
  | { kind: 'embedded'; logDir: string }
  | ({ kind: 'kafka' } & TopicSpec)
  /** `path` may be `-`, standard input. */
  | { kind: 'file'; path: string; partitions: number; format: FileFormat };

/** A file that was counted before the present one, and the number of its first line in the log they make up. */
export interface EarlierFile {
  path: string;
  firstLine: number;
}

/** What is told of a file besides what every source tells. */
export interface FileTraits {
  identity: InputIdentity;
  /** Bare lines: offsets are line numbers over all partitions. */
  lineNumbered: boolean;
}

export interface OpenedSource {
  source: Source;
  file: FileTraits | undefined;
  /** Names this very log, so that another one isn't taken for it; undefined: a file. */
  logIdentity: string | undefined;
  /** Whether a file is the one of `identity`. Before it is read. */
  matches(identity: InputIdentity): Promise<boolean>;
  /** The source as the last part of a log: behind the earlier files, its lines numbered from `firstLine`. */
  behind(earlier: readonly EarlierFile[], firstLine: number): Promise<Source>;
}

/** Opens the source. Its errors are for people; so are the lines that `warn` gets of what it waits for. */
export async function openSource(
  spec: SourceSpec,
  warn: (line: string) => void = () => {},
): Promise<OpenedSource> {
  if (spec.kind === 'file') return await openFile(spec);
  return openedLog(spec.kind === 'kafka' ? await openTopic(spec, warn) : await openEmbeddedLog(spec.logDir));
}

/** A log that is known by its identity. */
export type LogSource = Source & { readonly identity: string };

/** Opens a Kafka topic. Its errors are for people. */
export async function openTopic(spec: TopicSpec, warn: (line: string) => void): Promise<LogSource> {
  const { kafkaSource } = await import('../adapters/kafka/kafka-source.js');
  return await kafkaSource({ ...spec, warn });
}

/** Opens the embedded log of `logDir`. Its errors are for people. */
export async function openEmbeddedLog(logDir: string): Promise<LogSource> {
  const { logSource } = await import('../adapters/embedded/log-source.js');
  return await logSource(logDir);
}

async function openFile({
  path,
  partitions,
  format,
}: Extract<SourceSpec, { kind: 'file' }>): Promise<OpenedSource> {
  const { fileSource } = await import('../adapters/file/file-source.js');
  const source = await fileSource({ path, partitions, format });
  return {
    source,
    file: { identity: source.identity, lineNumbered: source.format === 'clicks' },
    logIdentity: undefined,
    matches: (identity) => source.matches(identity),
    async behind(earlier, firstLine) {
      const parts: Source[] = [];
      for (const part of earlier) {
        parts.push(await fileSource({ path: part.path, firstLine: part.firstLine, partitions, format }));
      }
      const last = firstLine === 0 ? source : numberedFrom(source, firstLine);
      return parts.length === 0 ? last : chained([...parts, last]);
    },
  };
}

/** A log is known by its identity, and no file lies before it. */
function openedLog(source: LogSource): OpenedSource {
  return {
    source,
    file: undefined,
    logIdentity: source.identity,
    matches: async () => false,
    behind: async () => source,
  };
}

/** Bare lines numbered from `firstLine` instead of 0: what the number is, is only known once the input was looked at. */
function numberedFrom(source: Source, firstLine: number): Source {
  async function* read(options: SourceOptions): AsyncGenerator<RawBatch> {
    const positions = new Map<number, number>();
    for (const [partition, position] of options.positions)
      positions.set(partition, Math.max(0, position - firstLine));
    for await (const batch of source.read({ ...options, positions })) {
      for (let i = 0; i < batch.count; i++) batch.offset[i]! += firstLine;
      yield batch;
    }
  }
  return { ...source, read };
}

/** Sources one after the other, as one log. */
function chained(sources: readonly Source[]): Source {
  const last = sources.at(-1)!;
  async function* read(options: SourceOptions): AsyncGenerator<RawBatch> {
    for (const source of sources)
      yield* source.read({ ...options, untilEnd: options.untilEnd || source !== last });
  }
  return {
    partitionCount: last.partitionCount,
    seekable: sources.every((source) => source.seekable),
    description: last.description,
    read,
    ends: () => last.ends(),
    async close() {
      for (const source of sources) await source.close();
    },
  };
}
