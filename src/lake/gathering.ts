// Where records gather before they are files: chunks that fill, chunks that DuckDB decodes meanwhile, and the
// table they end up in. A flush takes the table as it is, and the next records go into a new one while it is
// written. Chunks and tables are few and of bounded size, and with them the memory.
import type { DuckDBConnection } from '../adapters/duckdb/node-api.js';
import type { RawBatch } from '../core/batches.js';
import { invariant } from '../errors.js';
import { ChunkDecoder, createGathered, decodeDoubtful } from './decode-chunk.js';
import { type LakeDatabase, openLakeDatabase } from './duckdb.js';
import { mendPartitions, writeFiles } from './flush.js';
import { Chunk, Intake } from './intake.js';
import type { LakeFile } from './manifest.js';
import type { LakeWriting } from './storage.js';

/** Chunks that are decoded at a time, beside the one that fills. */
const DECODERS = 2;
/** Files that are written at a time. */
const FILE_WRITERS = 2;

interface Decoder {
  chunks: ChunkDecoder;
  chunk: Chunk;
  /** Settled when the decoder is free; never rejects. */
  busy: Promise<void> | undefined;
}

/** A table that no further record goes into. */
export interface Gathered {
  readonly records: number;
  /** All of it as files in staging, durable; the table is gone afterwards. */
  writeFiles(commit: number): Promise<LakeFile[]>;
}

export interface GatheringOptions {
  writing: LakeWriting;
  memoryLimitBytes: number;
  /** Of bare lines. */
  partitions: number;
}

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #database: LakeDatabase;
  readonly #decoders: Decoder[];
  readonly #fileWriters: DuckDBConnection[];
  readonly #intake: Intake;
  /** The one whose chunk is being filled. */
  #filling: Decoder;
  #failure: unknown;
  #generation = 0;
  #decodes: Promise<void>[] = [];
  records = 0;
  /** Of the values. */
  bytes = 0;

  private constructor(
    options: GatheringOptions,
    database: LakeDatabase,
    decoders: Decoder[],
    fileWriters: DuckDBConnection[],
  ) {
    this.#options = options;
    this.#database = database;
    this.#decoders = decoders;
    this.#fileWriters = fileWriters;
    this.#filling = decoders[0]!;
    this.#intake = new Intake(options.partitions);
  }

  static async open(options: GatheringOptions): Promise<Gathering> {
    const database = await openLakeDatabase(options.writing.spillDir, options.memoryLimitBytes);
    const decoders: Decoder[] = [];
    for (let i = 0; i <= DECODERS; i++) {
      const chunks = new ChunkDecoder(await database.connect());
      decoders.push({ chunks, chunk: new Chunk(), busy: undefined });
    }
    const fileWriters: DuckDBConnection[] = [];
    for (let i = 0; i < FILE_WRITERS; i++) fileWriters.push(await database.connect());
    const gathering = new Gathering(options, database, decoders, fileWriters);
    await createGathered(decoders[0]!.chunks.connection, gathering.#table);
    return gathering;
  }

  get #table(): string {
    return `gathered_${this.#generation}`;
  }

  /** For statements while no file is being written. */
  get connection(): DuckDBConnection {
    return this.#fileWriters[0]!;
  }

  /** `decode` must come before the next `put`. */
  get isFull(): boolean {
    return this.#filling.chunk.isFull;
  }

  /** Adds record `i`; returns the partition it goes to (for a bare line a guess that is checked later). */
  put(batch: RawBatch, i: number): number {
    this.records++;
    this.bytes += batch.valueEnd[i]! - batch.valueStart[i]!;
    return this.#intake.put(this.#filling.chunk, batch, i);
  }

  /** Sends the filled chunk to be decoded and finds another one to fill. */
  async decode(): Promise<void> {
    const decoder = this.#filling;
    if (decoder.chunk.count > 0) {
      decoder.chunk.seal();
      decoder.busy = decoder.chunks
        .decode(decoder.chunk, this.#table)
        .catch((error: unknown) => {
          this.#failure ??= error;
        })
        .finally(() => {
          decoder.chunk.clear();
          decoder.busy = undefined;
        });
      this.#decodes.push(decoder.busy);
    }
    const isFree = ({ busy }: Decoder): boolean => busy === undefined;
    while (!this.#decoders.some(isFree)) await Promise.race(this.#decoders.map(({ busy }) => busy));
    if (this.#failure !== undefined) throw this.#failure;
    this.#filling = this.#decoders.find(isFree)!;
  }

  /** Takes what has gathered out of here. */
  async take(): Promise<Gathered> {
    await this.decode();
    const { records } = this;
    const table = this.#table;
    const decodes = this.#decodes;
    this.#generation++;
    this.#decodes = [];
    this.records = 0;
    this.bytes = 0;
    await createGathered(this.#filling.chunks.connection, this.#table);
    return { records, writeFiles: (commit) => this.#writeFiles({ table, decodes, records, commit }) };
  }

  async #writeFiles(of: {
    table: string;
    decodes: readonly Promise<void>[];
    records: number;
    commit: number;
  }): Promise<LakeFile[]> {
    const { table, commit } = of;
    const { writing, partitions } = this.#options;
    const connections = this.#fileWriters;
    await Promise.all(of.decodes);
    if (this.#failure !== undefined) throw this.#failure;
    await decodeDoubtful(connections[0]!, table);
    await mendPartitions(connections[0]!, table, partitions);
    const files = await writeFiles({ writing, commit, table, connections, nowMs: Date.now() });
    const written = files.reduce((sum, { records }) => sum + records, 0);
    invariant(written === of.records, `${written} of ${of.records} records came out of DuckDB`);
    await connections[0]!.run(`DROP TABLE ${table}`);
    return files;
  }

  /** After an error too: waits for what is at work, so that nothing writes into the lake any more. */
  async close(): Promise<void> {
    await Promise.all(this.#decoders.map(({ busy }) => busy));
    for (const { chunks } of this.#decoders) chunks.connection.closeSync();
    for (const connection of this.#fileWriters) connection.closeSync();
    this.#database.close();
  }
}
