// Merges the small files of a quiet hour into larger ones, exactly once, by the same kind of commit as a flush:
// the merged file is written to staging, and one manifest entry puts it in and the old ones out. Whoever reads
// by the manifest sees the one or the other; a reader at work keeps the old files from being removed.
import type { DuckDBConnection } from '../adapters/duckdb/node-api.js';
import { invariant } from '../errors.js';
import { copyToParquet, lakeError, MEMORY_LIMIT_BYTES, openLakeDatabase, recordsIn } from './duckdb.js';
import { seal } from './flush.js';
import { filePath } from './layout.js';
import { type LakeFile, readState, requireLake } from './manifest.js';
import { type LakePlace, openStorage, placeName } from './storage.js';
import { WriterSeat } from './writer-seat.js';

/** A merged file is at most so large; a file at least half of it is left alone. */
const MERGED_BYTES_MAX = 256 * 1024 * 1024;
/** Files that one merge reads, so that a commit stays short. */
const MERGED_FILES_MAX = 512;

export interface Compaction {
  seat: WriterSeat;
  connection: DuckDBConnection;
  /** Only hours to which nothing was written for so long. */
  olderThanMs: number;
}

export interface CompactionResult {
  merges: number;
  filesBefore: number;
  filesAfter: number;
  records: number;
  /** Someone is reading the lake, so the rest was left for later. */
  postponed: boolean;
}

/** Merges what there is to merge once. */
export async function compactOnce(compaction: Compaction): Promise<CompactionResult> {
  const result: CompactionResult = { merges: 0, filesBefore: 0, filesAfter: 0, records: 0, postponed: false };
  for (const group of mergeGroups(
    [...compaction.seat.state.files.values()],
    compaction.olderThanMs,
    Date.now(),
  )) {
    const merged = await merge(compaction, group);
    if (!merged) {
      result.postponed = true;
      break;
    }
    result.merges++;
    result.filesBefore += group.length;
    result.filesAfter++;
    result.records += merged.records;
  }
  return result;
}

/** Files to be merged with each other: of one hour and partition, in offset order, within the bounds. */
export function mergeGroups(files: readonly LakeFile[], olderThanMs: number, nowMs: number): LakeFile[][] {
  const newestByHour = new Map<number, number>();
  for (const { hour, writtenAtMs } of files) {
    newestByHour.set(hour, Math.max(newestByHour.get(hour) ?? 0, writtenAtMs));
  }
  const quiet = files.filter(
    ({ hour, bytes }) => nowMs - newestByHour.get(hour)! >= olderThanMs && bytes < MERGED_BYTES_MAX / 2,
  );
  quiet.sort((a, b) => a.hour - b.hour || a.partition - b.partition || a.firstOffset - b.firstOffset);
  const groups: LakeFile[][] = [];
  let group: LakeFile[] = [];
  let bytes = 0;
  for (const file of quiet) {
    const first = group[0];
    const fits =
      first?.hour === file.hour &&
      first.partition === file.partition &&
      bytes + file.bytes <= MERGED_BYTES_MAX &&
      group.length < MERGED_FILES_MAX;
    if (!fits) {
      group = [];
      bytes = 0;
      groups.push(group);
    }
    group.push(file);
    bytes += file.bytes;
  }
  return groups.filter(({ length }) => length > 1);
}

/** One merge and its commit; undefined if readers are at work. */
async function merge(compaction: Compaction, group: readonly LakeFile[]): Promise<LakeFile | undefined> {
  const { seat, connection } = compaction;
  const { state, writing } = seat;
  const commit = state.commit + 1;
  const first = group[0]!;
  const span = {
    hour: first.hour,
    partition: first.partition,
    firstOffset: Math.min(...group.map(({ firstOffset }) => firstOffset)),
    lastOffset: Math.max(...group.map(({ lastOffset }) => lastOffset)),
  };
  const records = group.reduce((sum, file) => sum + file.records, 0);
  const path = filePath({ ...span, commit });
  const staged = writing.stagedPath(commit, path);
  await writing.prepare(commit);
  const fetched = await writing.fetch(group);
  const rows = await copyToParquet(connection, {
    from: `${recordsIn(fetched)} ORDER BY "offset"`,
    path: staged,
  });
  invariant(rows === records, `${path} got ${rows} rows of ${records}`);
  const times = group.flatMap(({ minEventTimeMs: min, maxEventTimeMs: max }) =>
    min === null || max === null ? [] : [min, max],
  );
  const file: LakeFile = {
    path,
    ...span,
    records,
    malformed: group.reduce((sum, { malformed }) => sum + malformed, 0),
    minEventTimeMs: times.length > 0 ? Math.min(...times) : null,
    maxEventTimeMs: times.length > 0 ? Math.max(...times) : null,
    ...(await seal(staged)),
    writtenAtMs: Math.max(...group.map(({ writtenAtMs }) => writtenAtMs)),
  };
  await writing.stage(commit, file);
  await writing.settle(commit);
  invariant(state.log, 'a lake with files knows its log');
  const { log } = state;
  const swapped = await writing.swapWhenUnread(() =>
    seat.commit({
      kind: 'compact',
      methodHash: state.methodHash ?? null,
      log,
      partitions: [...state.partitions.values()],
      add: [file],
      remove: group.map((old) => old.path),
    }),
  );
  return swapped ? file : undefined;
}

export interface CompactLakeOptions {
  lake: LakePlace;
  olderThanMs: number;
  memoryLimitBytes?: number | undefined;
}

/** Compacts a lake that nobody writes. UserError: there is none, or somebody does (who compacts it anyway). */
export async function compactLake(options: CompactLakeOptions): Promise<CompactionResult> {
  const { lake, olderThanMs, memoryLimitBytes = MEMORY_LIMIT_BYTES } = options;
  const storage = await openStorage(lake);
  requireLake(await readState(storage), storage.name);
  try {
    const seat = await WriterSeat.take(storage);
    try {
      const database = await openLakeDatabase(seat.writing.spillDir, memoryLimitBytes);
      try {
        return await compactOnce({ seat, connection: await database.connect(), olderThanMs });
      } finally {
        database.close();
      }
    } finally {
      seat.release();
    }
  } catch (error) {
    throw lakeError(error, placeName(lake));
  }
}
