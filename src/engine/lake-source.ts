// The log that a lake is a copy of: the embedded log, a Kafka topic or a file, and how the lake's manifest knows it again. A
// file of bare lines is known by its first bytes, so that another one isn't mixed in by mistake; with --append
// it goes on where the last one ended.
import { join } from 'node:path';
import type { InputIdentity } from '../adapters/file/identity.js';
import type { Source } from '../core/ports/log.js';
import { LakeTakenError, OwnershipLostError, UsageError } from '../errors.js';
import type { LakeProgress } from '../lake/lake-writer.js';
import { type LakeLog, lakeLog, lakePositions } from '../lake/read-lake.js';
import { type LakePlace, placeName } from '../lake/storage.js';
import { type OpenedSource, openEmbeddedLog, openSource, openTopic, type TopicSpec } from './open-source.js';

export interface LakeSourceOptions {
  dataDir: string;
  lake: LakePlace;
  /** Undefined: not a topic. */
  topic?: TopicSpec | undefined;
  /** Undefined: the topic or the embedded log. */
  input: string | undefined;
  partitions: number;
  append: boolean;
}

/** What goes into writeLake. */
export interface LakeSource {
  source: Source;
  partitions: number;
  sourceIdentity: string;
  continuesIdentity: string | undefined;
}

type Identity =
  | { kind: 'embedded'; log: string }
  | { kind: 'topic'; topic: string }
  | { kind: 'records' }
  | { kind: 'lines'; files: { file: InputIdentity; firstLine: number }[] };

/** Opens the log for the lake of `lake`. UsageError: the lake is a copy of another one. */
export async function openLakeSource(
  options: LakeSourceOptions,
  warn: (line: string) => void = () => {},
): Promise<LakeSource> {
  const stored = (await lakeLog(options.lake))?.identity ?? undefined;
  const known = stored === undefined ? undefined : (JSON.parse(stored) as Identity);
  if (options.input === undefined) {
    const source = options.topic
      ? await openTopic(options.topic, warn)
      : await openEmbeddedLog(join(options.dataDir, 'log'));
    const identity: Identity = options.topic
      ? { kind: 'topic', topic: source.identity }
      : { kind: 'embedded', log: source.identity };
    if (known && JSON.stringify(known) !== JSON.stringify(identity)) {
      await source.close();
      throw otherLog(options.lake);
    }
    return withIdentity(source, source.partitionCount, identity, stored);
  }
  const { input: path, partitions } = options;
  const opened = await openSource({ kind: 'file', path, partitions, format: 'auto' });
  if (opened.file?.lineNumbered) return openLines(options, opened, known, stored);
  if (known && known.kind !== 'records') throw otherLog(options.lake);
  return withIdentity(opened.source, partitions, { kind: 'records' }, stored);
}

async function openLines(
  options: LakeSourceOptions,
  opened: OpenedSource,
  known: Identity | undefined,
  stored: string | undefined,
): Promise<LakeSource> {
  if (known && known.kind !== 'lines') throw otherLog(options.lake);
  const files = known?.files ?? [];
  for (const [index, { file, firstLine }] of files.entries()) {
    if (!(await opened.matches(file))) continue;
    if (index < files.length - 1) {
      throw new UsageError(`${options.input} is in the lake already, to its end`);
    }
    return withIdentity(
      await opened.behind([], firstLine),
      options.partitions,
      { kind: 'lines', files },
      stored,
    );
  }
  if (files.length > 0 && !options.append) {
    throw new UsageError(
      `the lake ${placeName(options.lake)} holds ${files.at(-1)!.file.name}; ${options.input} is another file`,
      {
        hint: 'If it is more of the same log, add --append; else give another --lake.',
      },
    );
  }
  const firstLine = Math.max(0, ...(await lakePositions(options.lake)).values());
  const identity: Identity = { kind: 'lines', files: [...files, { file: opened.file!.identity, firstLine }] };
  return withIdentity(await opened.behind([], firstLine), options.partitions, identity, stored);
}

/** Whether a lake with `log` in its manifest is a copy of the embedded log or topic of that identity. */
export function isLakeOf(log: LakeLog | undefined, logIdentity: string | undefined): boolean {
  if (typeof log?.identity !== 'string') return false;
  const known = JSON.parse(log.identity) as Identity;
  if (known.kind === 'embedded') return known.log === logIdentity;
  return known.kind === 'topic' && known.topic === logIdentity;
}

/**
 * Does the lake's work as long as this process is the one of its group that reads: waits until it is, and again when
 * another one has taken over, from what the lake holds then. Where the signal comes while it stands by, there is
 * nothing to do, and `idle` is the result: to take the lake even for a moment would stop its writer.
 */
export async function whileActive<T>(
  source: Source,
  signal: AbortSignal,
  { work, idle }: { work: () => Promise<T>; idle: T },
): Promise<T> {
  const { membership } = source;
  if (!membership) return work();
  for (;;) {
    if (!(await membership.active(signal))) return idle;
    try {
      return await work();
    } catch (error) {
      const lost = error instanceof OwnershipLostError || error instanceof LakeTakenError;
      if (!lost) throw error;
      if (signal.aborted) return idle;
    }
  }
}

/** Tells the group of a topic how far the lake has come, at each commit; for lag tools. */
export function commitReporter(
  source: Source,
): (progress: Pick<LakeProgress, 'commits' | 'positions'>) => void {
  let told = 0;
  return ({ commits, positions }) => {
    if (commits === told || !source.membership) return;
    told = commits;
    void source.membership.report(positions);
  };
}

function withIdentity(
  source: Source,
  partitions: number,
  identity: Identity,
  stored: string | undefined,
): LakeSource {
  return { source, partitions, sourceIdentity: JSON.stringify(identity), continuesIdentity: stored };
}

function otherLog(lake: LakePlace): UsageError {
  return new UsageError(`the lake ${placeName(lake)} was written from another log`, {
    hint: 'Give each log a lake of its own: --lake DIR.',
  });
}
