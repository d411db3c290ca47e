// Which files of the lake a recomputation must read, and how a file becomes rows in SQL.
//
// A sound record is in the folder of its event time's hour, so a period needs the hours around it. Lateness is
// decided by records at smaller offsets with *greater* event times, so of later hours those files are needed
// too that begin below the greatest offset of the period; they are read for nothing but their event times.
import { quote } from './session.js';

/** A Parquet file of the lake, as its place and name tell it. */
export interface RecordedFile {
  path: string;
  /** Start of the hour of event time that its sound records are in, epoch ms. */
  hourMs: number;
  partition: number;
  firstOffset: number;
  lastOffset: number;
  /** Makes files of the same lake readable at their paths. Absent: they are. */
  readonly fetch?: (paths: readonly string[]) => Promise<void>;
}

/** Next offset by partition up to which the log is looked at. */
export type PositionMap = ReadonlyMap<number, number>;

export const HOUR_MS = 3_600_000;

/** `[fromMs, toMs)` of event time. */
export interface Period {
  fromMs: number;
  toMs: number;
}

/** Files that hold every sound record of `[fromMs, toMs)` below the positions. */
export function filesWithin(
  files: readonly RecordedFile[],
  period: Period,
  positions: PositionMap,
): RecordedFile[] {
  return files.filter(
    (file) =>
      file.hourMs + HOUR_MS > period.fromMs &&
      file.hourMs < period.toMs &&
      file.firstOffset < (positions.get(file.partition) ?? 0),
  );
}

/** Files of hours at or after `hourMs` that hold records below the given offsets: they may make others late. */
export function filesAfter(
  files: readonly RecordedFile[],
  hourMs: number,
  greatestOffsets: PositionMap,
): RecordedFile[] {
  return files.filter(
    (file) => file.hourMs >= hourMs && file.firstOffset < (greatestOffsets.get(file.partition) ?? -1),
  );
}

/** The end of what the files hold, as positions: for a recomputation of everything there is. */
export function endsOf(files: readonly RecordedFile[]): Map<number, number> {
  const ends = new Map<number, number>();
  for (const { partition, lastOffset } of files) {
    ends.set(partition, Math.max(ends.get(partition) ?? 0, lastOffset + 1));
  }
  return ends;
}

/** The columns of the lake that the recomputation reads. A file in which one is missing or of another type is garbled. */
const COLUMNS = {
  partition: 'INTEGER',
  offset: 'BIGINT',
  append_time: 'BIGINT',
  click_id: 'VARCHAR',
  event_time: 'BIGINT',
  ad_id: 'VARCHAR',
  campaign_id: 'VARCHAR',
  user_id: 'VARCHAR',
  ip_address: 'VARCHAR',
  country: 'VARCHAR',
  device_type: 'VARCHAR',
  extra: 'VARCHAR',
  malformed: 'VARCHAR',
} as const;

/** Makes the files readable; a table expression of their records. */
export async function recordsIn(files: readonly RecordedFile[]): Promise<string> {
  await files[0]?.fetch?.(files.map(({ path }) => path));
  if (files.length === 0) {
    const columns = Object.entries(COLUMNS).map(([name, type]) => `CAST(NULL AS ${type}) AS "${name}"`);
    return `(SELECT ${columns.join(', ')} WHERE false)`;
  }
  return `read_parquet([${files.map(({ path }) => quote(path)).join(', ')}], hive_partitioning = false)`;
}
