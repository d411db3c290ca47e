// Checks a lake against its manifest with a second implementation of Parquet: are all files there and no others,
// unchanged to the byte, readable, of the right columns, with the rows that the manifest tells, and is each
// record of each partition in them exactly once?
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { codeOf } from '../adapters/embedded/layout.js';
import { INVALID_REASONS } from '../core/method.js';
import { UserError } from '../errors.js';
import { LAKE_COLUMNS } from './columns.js';
import { type LakeFile, type LakePartition, readState, requireLake } from './manifest.js';
import { OffsetSet } from './offset-set.js';
import { openParquet } from './parquet-file.js';
import { type LakeReader, openLake } from './read-lake.js';
import { type LakePlace, openStorage } from './storage.js';

export interface VerifyOptions {
  lake: LakePlace;
  /** Read the rows of so many files, spread evenly; undefined: of all. Everything else is checked for all. */
  sample?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((filesDone: number, files: number) => void) | undefined;
}

export interface VerifyResult {
  ok: boolean;
  files: number;
  /** Files whose rows were read. */
  filesRead: number;
  records: number;
  malformed: number;
  rowsRead: number;
  bytes: number;
  /** One line each; at most PROBLEMS_MAX, then a line that says how many more there are. */
  problems: string[];
}

const PROBLEMS_MAX = 100;

/** Types as parquetjs-lite names them. */
const PARQUET_TYPE = { INTEGER: 'INT_32', BIGINT: 'INT_64', VARCHAR: 'UTF8', BLOB: 'BYTE_ARRAY' } as const;
const COLUMNS = LAKE_COLUMNS.map(({ name, type }) => `${name} ${PARQUET_TYPE[type]}`);
/** Those that the lake gives: append times and marks are judged by whoever reads it, for they are a matter of the method. */
const REASONS: readonly string[] = INVALID_REASONS.slice(1, INVALID_REASONS.indexOf('from_the_future'));

/** Checks the lake; differences are in the result, not thrown. UserError: no lake, or its manifest is damaged. */
export async function verifyLake(options: VerifyOptions): Promise<VerifyResult> {
  const storage = await openStorage(options.lake);
  const lake = await openLake(options.lake);
  try {
    const state = await readState(storage);
    requireLake(state, storage.name);
    const check = new LakeCheck(options, lake);
    await check.files();
    if (state.commit === lake.commit) check.partitions([...state.partitions.values()]);
    check.strangers(await storage.parquetFiles());
    return check.result();
  } finally {
    lake.release();
  }
}

class LakeCheck {
  readonly #options: VerifyOptions;
  readonly #lake: LakeReader;
  readonly #files: readonly LakeFile[];
  readonly #offsets = new Map<number, OffsetSet>();
  readonly #problems: string[] = [];
  #problemCount = 0;
  #filesRead = 0;
  #rowsRead = 0;

  constructor(options: VerifyOptions, lake: LakeReader) {
    this.#options = options;
    this.#lake = lake;
    this.#files = lake.files;
  }

  #problem(line: string): void {
    if (this.#problemCount++ < PROBLEMS_MAX) this.#problems.push(line);
  }

  async files(): Promise<void> {
    const { sample = this.#files.length, onProgress, signal } = this.#options;
    const chosen = new Set(
      Array.from({ length: Math.min(sample, this.#files.length) }, (_, i) =>
        Math.floor((i * this.#files.length) / Math.min(sample, this.#files.length)),
      ),
    );
    for (const [i, file] of this.#files.entries()) {
      signal?.throwIfAborted();
      const { path } = this.#lake.recorded[i]!;
      await this.#file(file, path, chosen.has(i));
      onProgress?.(i + 1, this.#files.length);
    }
  }

  async #file(file: LakeFile, path: string, readRows: boolean): Promise<void> {
    try {
      await this.#lake.fetch([path], { fresh: true });
      const { size } = await stat(path);
      if (size !== file.bytes)
        this.#problem(`${file.path} has ${size} bytes, the manifest says ${file.bytes}`);
      else if ((await sha256Of(path)) !== file.sha256)
        this.#problem(`${file.path} was changed: its checksum differs`);
    } catch (error) {
      if (error instanceof UserError) {
        this.#problem(error.message);
        return;
      }
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#problem(`${file.path} ${code === 'ENOENT' ? 'is missing' : `can't be read: ${code}`}`);
      return;
    }
    try {
      await this.#content(file, path, readRows);
    } catch (error) {
      this.#problem(
        `${file.path} can't be read as Parquet: ${error instanceof Error ? error.message : error}`,
      );
    }
  }

  async #content(file: LakeFile, path: string, readRows: boolean): Promise<void> {
    const parquet = await openParquet(path);
    try {
      if (parquet.columns.join() !== COLUMNS.join()) {
        this.#problem(`${file.path} has other columns than a lake file: ${parquet.columns.join(', ')}`);
        return;
      }
      if (parquet.rows !== file.records) {
        this.#problem(`${file.path} has ${parquet.rows} rows, the manifest says ${file.records}`);
      }
      if (!readRows) return;
      const rows = new RowCheck(file);
      for await (const group of parquet.rowGroups()) {
        for (const row of group) rows.see(row);
      }
      for (const line of rows.problems()) this.#problem(`${file.path} ${line}`);
      this.#filesRead++;
      this.#rowsRead += rows.count;
      let offsets = this.#offsets.get(file.partition);
      if (!offsets) {
        offsets = new OffsetSet();
        this.#offsets.set(file.partition, offsets);
      }
      const doubled = offsets.addAll(rows.offsets);
      if (doubled > 0) {
        this.#problem(
          `${file.path} holds ${doubled} records of partition ${file.partition} that another file holds too`,
        );
      }
    } finally {
      await parquet.close();
    }
  }

  /** Sums of the files against what the manifest says of each partition. */
  partitions(partitions: readonly LakePartition[]): void {
    const all = this.#filesRead === this.#files.length;
    for (const { partition, position, firstOffset, records } of partitions) {
      const name = `partition ${partition}`;
      const listed = this.#files
        .filter((file) => file.partition === partition)
        .reduce((sum, file) => sum + file.records, 0);
      if (listed !== records) {
        this.#problem(`${name}: the files hold ${listed} records, ${records} were taken from the log`);
      }
      if (!all || records === 0 || firstOffset === null) continue;
      const found = this.#offsets.get(partition);
      if (!found) continue;
      if (found.size !== records) {
        this.#problem(
          `${name}: ${found.size} different offsets were found, ${records} were taken from the log`,
        );
      }
      // A log without gaps has exactly the offsets from the first to the position.
      if (records === position - firstOffset && !found.isRange(firstOffset, position)) {
        this.#problem(`${name}: not every offset from ${firstOffset} to ${position - 1} was found`);
      }
    }
  }

  /** Files in the hour folders that the manifest doesn't name: a reader who globs counts them. */
  strangers(paths: readonly string[]): void {
    const known = new Set(this.#files.map(({ path }) => path));
    for (const path of paths) if (!known.has(path)) this.#problem(`${path} belongs to no commit`);
  }

  result(): VerifyResult {
    const sum = (of: (file: LakeFile) => number): number =>
      this.#files.reduce((total, file) => total + of(file), 0);
    const more = this.#problemCount - this.#problems.length;
    return {
      ok: this.#problemCount === 0,
      files: this.#files.length,
      filesRead: this.#filesRead,
      records: sum(({ records }) => records),
      malformed: sum(({ malformed }) => malformed),
      rowsRead: this.#rowsRead,
      bytes: sum(({ bytes }) => bytes),
      problems: more > 0 ? [...this.#problems, `and ${more} more`] : this.#problems,
    };
  }
}

/** What is wrong in a file's rows, counted by kind. */
class RowCheck {
  readonly #file: LakeFile;
  readonly #wrong = new Map<string, number>();
  readonly offsets: Float64Array;
  count = 0;
  #malformed = 0;

  constructor(file: LakeFile) {
    this.#file = file;
    this.offsets = new Float64Array(file.records);
  }

  see(row: Record<string, unknown>): void {
    const { partition, hour, firstOffset, lastOffset } = this.#file;
    const offset = numberOf(row.offset);
    const reason = row.malformed;
    if (this.count < this.offsets.length) this.offsets[this.count] = offset;
    this.count++;
    if (numberOf(row.partition) !== partition) this.#note('rows are of another partition');
    if (!(offset >= firstOffset && offset <= lastOffset)) this.#note('rows lie outside of its offsets');
    if (!(numberOf(row.value_bytes) >= 0)) this.#note('rows have no value_bytes');
    if (reason === undefined) {
      if (hourOf(row.event_time) !== hour) this.#note('sound rows are of another hour');
      if (row.value !== undefined) this.#note('sound rows carry a value');
      if (typeof row.click_id !== 'string' || typeof row.ad_id !== 'string')
        this.#note('sound rows lack a field');
    } else {
      this.#malformed++;
      if (!REASONS.includes(String(reason))) this.#note('rows have an unknown reason');
      if (row.value === undefined) this.#note('malformed rows lack their value');
      if (row.append_time !== undefined && hourOf(row.append_time) !== hour) {
        this.#note('malformed rows are of another hour');
      }
    }
  }

  #note(what: string): void {
    this.#wrong.set(what, (this.#wrong.get(what) ?? 0) + 1);
  }

  problems(): string[] {
    const lines = [...this.#wrong].map(([what, rows]) => `${rows} ${what}`);
    if (this.#malformed !== this.#file.malformed) {
      lines.push(`has ${this.#malformed} malformed rows, the manifest says ${this.#file.malformed}`);
    }
    if (this.count !== this.#file.records) lines.push(`gave ${this.count} rows of ${this.#file.records}`);
    return lines;
  }
}

/** Columns with a dictionary come as text from parquetjs-lite, others as bigint. */
const numberOf = (value: unknown): number => (value === undefined ? Number.NaN : Number(value));
const hourOf = (epochMs: unknown): number => Math.floor(numberOf(epochMs) / 3_600_000);

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
