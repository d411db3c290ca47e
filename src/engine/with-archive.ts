// A log with the lake that is a copy of it behind: what retention has deleted from the log and is to be read (again)
// comes from there. For a partition that was quiet for longer than the log goes back, or a run that stood still for so long.
import type { RawBatch } from '../core/batches.js';
import type { Positions, Source, SourceOptions } from '../core/ports/log.js';
import { UserError } from '../errors.js';
import type { LakeReader } from '../lake/read-lake.js';
import { type LakePlace, placeName } from '../lake/storage.js';
import { inStep } from './in-step.js';
import type { OpenedSource } from './open-source.js';

/** The source, reaching back as far as the lake. Reading throws a UserError if that is of another log, or lacks it, too. */
export function withArchive(
  { source, logIdentity }: OpenedSource,
  lake: LakePlace,
  warn: (line: string) => void,
): Source {
  async function* read(options: SourceOptions): AsyncGenerator<RawBatch> {
    const starts = (await source.starts?.()) ?? new Map();
    if (beginsTooLate(options, starts)) yield* withLake(options, starts);
    else yield* source.read(options);
  }

  async function* withLake(options: SourceOptions, starts: Positions): AsyncGenerator<RawBatch> {
    const ending = new AbortController();
    const signal = AbortSignal.any([options.signal, ending.signal]);
    const wish = { starts, signal, positions: options.positions, sinceMs: options.neededSinceMs };
    // Only who reads a lake waits for DuckDB to load.
    const { openReplay } = await import('../lake/replay.js');
    const { positions, batches } = await openReplay(await opened(), wish);
    const log = source.read({ ...options, signal, positions })[Symbol.asyncIterator]();
    try {
      yield* inStep(batches, log);
    } finally {
      ending.abort();
      await log.return?.();
      await batches.return(undefined);
    }
  }

  async function opened(): Promise<LakeReader> {
    const { isLakeOf } = await import('./lake-source.js');
    const { openLake } = await import('../lake/read-lake.js');
    const reader = await openLake(lake, { required: false });
    const { log } = reader;
    if (log !== undefined && isLakeOf(log, logIdentity)) {
      warn(`the log begins too late: reading what is missing there from the lake ${placeName(lake)}`);
      return reader;
    }
    reader.release();
    if (log !== undefined)
      throw new UserError(`--archive: the lake ${placeName(lake)} is not of ${source.description}`);
    throw new UserError(
      `${source.description} begins too late for what is to be read, and there is no lake at ${placeName(lake)}`,
      { hint: 'Give the one that has what retention has deleted: --archive DIR|s3://…' },
    );
  }

  return { ...source, read };
}

/** Whether the log lacks something that is to be read, or may lack it. */
function beginsTooLate({ positions, neededSinceMs }: SourceOptions, starts: Positions): boolean {
  return [...starts].some(
    ([partition, start]) => (positions.get(partition) ?? (neededSinceMs === undefined ? start : 0)) < start,
  );
}
