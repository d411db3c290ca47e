// A log with the lake that is a copy of it behind: what retention has deleted from the log and is to be read (again)
// comes from there. For a partition that was quiet for longer than the log goes back, or a run that stood still for so long.
import type { RawBatch } from '../core/batches.js';
import type { Positions, Source, SourceOptions } from '../core/ports/log.js';
import { UserError } from '../errors.js';
import { type LakePlace, placeName } from '../lake/storage.js';
import type { OpenedSource } from './open-source.js';

/** The source, reaching back as far as the lake. Reading throws a UserError if that is of another log, or lacks it, too. */
export function withArchive(
  { source, logIdentity }: OpenedSource,
  lake: LakePlace,
  warn: (line: string) => void,
): Source {
  async function* read(options: SourceOptions): AsyncGenerator<RawBatch> {
    const starts = (await source.starts?.()) ?? new Map();
    const positions = beginsTooLate(options, starts) ? yield* archived(options, starts) : options.positions;
    if (!options.signal.aborted) yield* source.read({ ...options, positions });
  }

  async function* archived(options: SourceOptions, starts: Positions): AsyncGenerator<RawBatch, Positions> {
    const { neededSinceMs: sinceMs, positions, signal } = options;
    // Only who reads a lake waits for DuckDB to load.
    const { isLakeOf } = await import('./lake-source.js');
    const { openLake } = await import('../lake/read-lake.js');
    const { replay } = await import('../lake/replay.js');
    const reader = await openLake(lake, { required: false });
    try {
      if (reader.log === undefined) {
        throw new UserError(
          `${source.description} begins too late for what is to be read, and there is no lake at ${placeName(lake)}`,
          { hint: 'Give the one that has what retention has deleted: --archive DIR|s3://…' },
        );
      }
      if (!isLakeOf(reader.log, logIdentity)) {
        throw new UserError(`--archive: the lake ${placeName(lake)} is not of ${source.description}`);
      }
      warn(`the log begins too late: reading what is missing there from the lake ${placeName(lake)}`);
      return yield* replay(reader, { starts, positions, sinceMs, signal });
    } finally {
      reader.release();
    }
  }

  return { ...source, read };
}

/** Whether the log lacks something that is to be read, or may lack it. */
function beginsTooLate({ positions, neededSinceMs }: SourceOptions, starts: Positions): boolean {
  return [...starts].some(
    ([partition, start]) => (positions.get(partition) ?? (neededSinceMs === undefined ? start : 0)) < start,
  );
}
