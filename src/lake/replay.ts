// The lake as the older part of its log: the records that retention has deleted there, in the order in which the log
// would have given them. Portions of offsets are asked for one after the other, so that a week of clicks takes no more
// memory than an hour, and all partitions go in step by append time, as a log's do. What the log still has is left to it:
// the lake keeps what a click says, not the bytes that said it.
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBValue,
} from '../adapters/duckdb/node-api.js';
import type { RawBatch } from '../core/batches.js';
import { RECORD_BYTES_MAX } from '../core/method.js';
import type { Positions } from '../core/ports/log.js';
import { UserError } from '../errors.js';
import { recordsIn } from './duckdb.js';
import type { LakeReader, RecordedLakeFile } from './read-lake.js';
import { BYTES_COLUMNS, recordBytes } from './record-bytes.js';

const PORTION_OFFSETS = 8192;
const PORTION_BYTES = 16 * 1_048_576;
/** The lake's clock may be ahead of the log's by so much. */
const CLOCKS_APART_MS = 3_600_000;

export interface ReplayWish {
  /** Next offset to read by partition. */
  positions: Positions;
  /** Offset of each partition's first record that the log still has. */
  starts: Positions;
  /**
   * A partition without a position begins where the log had come to by then, epoch ms; undefined: where the log begins
   * now.
   */
  sinceMs: number | undefined;
  signal: AbortSignal;
}

export interface Replay {
  /** Where the log has to go on: at its start in each partition of which it has lost something that is wished for. */
  positions: Positions;
  /** The records that it has lost. To be read once; lets go of the lake at its end. */
  batches: AsyncGenerator<RawBatch>;
}

/** Finds where to begin. UserError: the lake lacks such records, too; then it is let go of. */
export async function openReplay(lake: LakeReader, wish: ReplayWish): Promise<Replay> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const close = (): void => {
    instance.closeSync();
    lake.release();
  };
  try {
    const connection = await instance.connect();
    const partitions: PartitionReplay[] = [];
    for (const [partition, start] of wish.starts) {
      const from =
        wish.positions.get(partition) ??
        (await firstSince(connection, lake, { partition, start, sinceMs: wish.sinceMs }));
      partitions.push(new PartitionReplay(connection, lake, { partition, from, start }));
    }
    return {
      positions: new Map(
        partitions.map(({ partition, position, start }) => [partition, Math.max(position, start)]),
      ),
      batches: oldestFirst(partitions, wish.signal, close),
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function* oldestFirst(
  partitions: readonly PartitionReplay[],
  signal: AbortSignal,
  close: () => void,
): AsyncGenerator<RawBatch> {
  try {
    while (!signal.aborted) {
      let oldest: PartitionReplay | undefined;
      for (const partition of partitions) {
        await partition.ready();
        if (partition.rows.length === 0) continue;
        if (!oldest || partition.appendTimeMs < oldest.appendTimeMs) oldest = partition;
      }
      if (!oldest) return;
      yield oldest.take();
    }
  } finally {
    close();
  }
}

/**
 * Where to begin so that all since `sinceMs` comes: with the last record before, if the lake has it, since that shows
 * that nothing is missing. The log's start where none of its deleted records is needed.
 */
async function firstSince(
  connection: DuckDBConnection,
  lake: LakeReader,
  { partition, start, sinceMs }: { partition: number; start: number; sinceMs: number | undefined },
): Promise<number> {
  if (start === 0 || sinceMs === undefined) return start;
  const files = lake.files.flatMap((file, index) =>
    file.partition === partition ? [{ ...file, path: lake.recorded[index]!.path }] : [],
  );
  const young = files.filter(
    ({ firstOffset, writtenAtMs }) => firstOffset < start && writtenAtMs >= sinceMs - CLOCKS_APART_MS,
  );
  const found = await offsetOf(connection, lake, pathsOf(young), {
    select: 'min("offset")',
    where: `append_time >= ${sinceMs} AND "offset" < ${start}`,
  });
  const since = found ?? start;
  const older = files.filter(({ firstOffset }) => firstOffset < since);
  // Each file has a record at its first offset.
  const reached = Math.max(...older.map(({ firstOffset }) => firstOffset));
  const near = older.filter(({ lastOffset }) => lastOffset >= reached);
  const before = await offsetOf(connection, lake, pathsOf(near), {
    select: 'max("offset")',
    where: `"offset" < ${since}`,
  });
  return before ?? since;
}

async function offsetOf(
  connection: DuckDBConnection,
  lake: LakeReader,
  paths: readonly string[],
  query: { select: string; where: string },
): Promise<number | undefined> {
  const [row] = await rowsOf(connection, lake, paths, query);
  return row === undefined || row[0] === null ? undefined : Number(row[0]);
}

const pathsOf = (files: readonly { path: string }[]): string[] => files.map(({ path }) => path);

/** What is to be read of one partition. */
class PartitionReplay {
  readonly partition: number;
  /** Next offset to be given. */
  position: number;
  rows: DuckDBValue[][] = [];
  /** Offset of the log's first record: what is to be read lies before. */
  readonly start: number;
  private readonly files: readonly RecordedLakeFile[];

  constructor(
    private readonly connection: DuckDBConnection,
    private readonly lake: LakeReader,
    { partition, from, start }: { partition: number; from: number; start: number },
  ) {
    this.partition = partition;
    this.position = from;
    this.start = start;
    this.files = lake.recorded.filter((file) => file.partition === partition);
    if (from < start) this.requireAll(from, lake.positions.get(partition) ?? 0);
  }

  /** Of the next row; -Infinity where the log has none. */
  get appendTimeMs(): number {
    const time = this.rows[0]![1]!;
    return time === null ? -Infinity : Number(time);
  }

  private requireAll(from: number, end: number): void {
    const { partition, start } = this;
    const first = Math.min(...this.files.map(({ firstOffset }) => firstOffset));
    if (first <= from && end >= start) return;
    const missing =
      first <= from ? `${Math.max(from, end)} to ${start - 1}` : `${from} to ${Math.min(first, start) - 1}`;
    throw new UserError(
      `retention has deleted offsets ${missing} of partition ${partition} from the log, and the lake lacks them, too`,
      { hint: 'Counting stops here and keeps what it has. Lengthen the retention of the log.' },
    );
  }

  /** Fetches rows, if there are more. */
  async ready(): Promise<void> {
    while (this.rows.length === 0 && this.position < this.start) {
      const { position } = this;
      const to = Math.min(position + PORTION_OFFSETS, this.start);
      const files = this.files.filter(
        ({ firstOffset, lastOffset }) => firstOffset < to && lastOffset >= position,
      );
      this.rows = await rowsOf(this.connection, this.lake, pathsOf(files), {
        select: `"offset", append_time, key, value_bytes, ad_id, ${BYTES_COLUMNS.join(', ')}`,
        where: portion(position, to),
      });
      // Offsets without records are at an end, too.
      if (this.rows.length === 0) this.position = to;
    }
  }

  take(): RawBatch {
    const { rows } = this;
    this.rows = [];
    this.position = Number(rows.at(-1)![0]) + 1;
    return batchOf(this.partition, rows);
  }
}

/** Records from `from` on, below `to`: as many as their bytes allow, since malformed ones may be a MiB each. */
function portion(from: number, to: number): string {
  const within = `"offset" >= ${from} AND "offset" < ${to}`;
  return `${within} AND "offset" <= (
    SELECT coalesce(max(place) FILTER (bytes <= ${PORTION_BYTES}), min(place)) FROM (
      SELECT "offset" AS place, sum(coalesce(octet_length(value), 0)) OVER (ORDER BY "offset") AS bytes
      FROM records WHERE ${within}))
    ORDER BY "offset"`;
}

async function rowsOf(
  connection: DuckDBConnection,
  lake: LakeReader,
  paths: readonly string[],
  { select, where }: { select: string; where: string },
): Promise<DuckDBValue[][]> {
  if (paths.length === 0) return [];
  await lake.fetch(paths);
  const reader = await connection.runAndReadAll(
    `WITH records AS (FROM ${recordsIn(paths)})
     SELECT ${select} FROM records WHERE ${where}`,
  );
  return reader.getRows();
}

function batchOf(partition: number, rows: readonly (readonly DuckDBValue[])[]): RawBatch {
  const count = rows.length;
  const batch = {
    count,
    valueStart: new Int32Array(count),
    valueEnd: new Int32Array(count),
    keyStart: new Int32Array(count).fill(-1),
    keyEnd: new Int32Array(count).fill(-1),
    partition: new Int32Array(count).fill(partition),
    offset: new Float64Array(count),
    appendTimeMs: new Float64Array(count),
    cutValueBytes: new Map<number, number>(),
  };
  const pieces: Uint8Array[] = [];
  let at = 0;
  const put = (bytes: Uint8Array, starts: Int32Array, ends: Int32Array, i: number): void => {
    pieces.push(bytes);
    starts[i] = at;
    at += bytes.length;
    ends[i] = at;
  };
  for (const [i, [offset, appendTime, key, valueBytes, adId, ...fields]] of rows.entries()) {
    const value = recordBytes(fields);
    batch.offset[i] = Number(offset);
    batch.appendTimeMs[i] = appendTime === null ? Number.NaN : Number(appendTime);
    put(value, batch.valueStart, batch.valueEnd, i);
    if (value.length === RECORD_BYTES_MAX) batch.cutValueBytes.set(i, Number(valueBytes));
    if (key instanceof DuckDBBlobValue) put(key.bytes, batch.keyStart, batch.keyEnd, i);
    else if (adId !== null) put(Buffer.from(String(adId)), batch.keyStart, batch.keyEnd, i);
  }
  return { ...batch, bytes: Buffer.concat(pieces) };
}
