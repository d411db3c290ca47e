// The log that a lake is a copy of: the embedded log or a file, and how the lake's manifest knows it again. A
// file of bare lines is known by its first bytes, so that another one isn't mixed in by mistake; with --append
// it goes on where the last one ended.
import { join } from 'node:path';
import { logSource } from '../adapters/embedded/log-source.js';
import type { InputIdentity } from '../adapters/file/identity.js';
import type { Source } from '../core/ports.js';
import { UsageError } from '../errors.js';
import { lakeLog, lakePositions } from '../lake/read-lake.js';
import { type OpenedSource, openSource } from './open-source.js';

export interface LakeSourceOptions {
  dataDir: string;
  lakeDir: string;
  /** Undefined: the embedded log. */
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
  | { kind: 'records' }
  | { kind: 'lines'; files: { file: InputIdentity; firstLine: number }[] };

/** Opens the log for the lake in `lakeDir`. UsageError: the lake is a copy of another one. */
export async function openLakeSource(options: LakeSourceOptions): Promise<LakeSource> {
  const stored = (await lakeLog(options.lakeDir))?.identity ?? undefined;
  const known = stored === undefined ? undefined : (JSON.parse(stored) as Identity);
  if (options.input === undefined) {
    const source = await logSource(join(options.dataDir, 'log'));
    const identity: Identity = { kind: 'embedded', log: source.identity };
    if (known && JSON.stringify(known) !== JSON.stringify(identity)) throw otherLog(options.lakeDir);
    return withIdentity(source, source.partitionCount, identity, stored);
  }
  const { input: path, partitions } = options;
  const opened = await openSource({ kind: 'file', path, partitions, format: 'auto' });
  if (opened.file?.lineNumbered) return openLines(options, opened, known, stored);
  if (known && known.kind !== 'records') throw otherLog(options.lakeDir);
  return withIdentity(opened.source, partitions, { kind: 'records' }, stored);
}

async function openLines(
  options: LakeSourceOptions,
  opened: OpenedSource,
  known: Identity | undefined,
  stored: string | undefined,
): Promise<LakeSource> {
  if (known && known.kind !== 'lines') throw otherLog(options.lakeDir);
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
      `the lake ${options.lakeDir} holds ${files.at(-1)!.file.name}; ${options.input} is another file`,
      {
        hint: 'If it is more of the same log, add --append; else give another --lake-dir.',
      },
    );
  }
  const firstLine = Math.max(0, ...(await lakePositions(options.lakeDir)).values());
  const identity: Identity = { kind: 'lines', files: [...files, { file: opened.file!.identity, firstLine }] };
  return withIdentity(await opened.behind([], firstLine), options.partitions, identity, stored);
}

function withIdentity(
  source: Source,
  partitions: number,
  identity: Identity,
  stored: string | undefined,
): LakeSource {
  return { source, partitions, sourceIdentity: JSON.stringify(identity), continuesIdentity: stored };
}

function otherLog(lakeDir: string): UsageError {
  return new UsageError(`the lake ${lakeDir} was written from another log`, {
    hint: 'Give each log a lake of its own: --lake-dir DIR.',
  });
}
