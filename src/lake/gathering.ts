// Where records gather between two flushes: chunks that fill, chunks that DuckDB decodes meanwhile, and the
// table they end up in. At most one chunk fills while `DECODERS` others are decoded, which bounds the memory.
import type { DuckDBConnection } from '@duckdb/node-api';
import type { RawBatch } from '../core/batches.js';
import { invariant } from '../errors.js';
import { ChunkDecoder, createGathered, decodeDoubtful } from './decode-chunk.js';
import { type LakeDatabase, openLakeDatabase } from './duckdb.js';
import { mendPartitions, writeFiles } from './flush.js';
import { Chunk, Intake } from './intake.js';
import type { LakeFile } from './manifest.js';

const DECODERS = 2;
const TABLE = 'gathered';

interface Decoder {
  chunks: ChunkDecoder;
  chunk: Chunk;
  /** Settled when the decoder is free. */
  busy: Promise<void> | undefined;
}

export interface GatheringOptions {
  lakeDir: string;
  memoryLimitBytes: number;
  /** Of bare lines. */
  partitions: number;
}

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #database: LakeDatabase;
  readonly #decoders: Decoder[];
  readonly #intake: Intake;
  /** The one whose chunk is being filled. */
  #filling: Decoder;
  #failure: unknown;
  records = 0;
  /** Of the values. */
  bytes = 0;

  private constructor(options: GatheringOptions, database: LakeDatabase, decoders: Decoder[]) {
    this.#options = options;
    this.#database = database;
    this.#decoders = decoders;
    this.#filling = decoders[0]!;
    this.#intake = new Intake(options.partitions);
  }

  static async open(options: GatheringOptions): Promise<Gathering> {
    const database = await openLakeDatabase(options.lakeDir, options.memoryLimitBytes);
    const decoders: Decoder[] = [];
    for (let i = 0; i <= DECODERS; i++) {
      const chunks = new ChunkDecoder(await database.connect(), TABLE);
      decoders.push({ chunks, chunk: new Chunk(), busy: undefined });
    }
    await createGathered(decoders[0]!.chunks.connection, TABLE);
    return new Gathering(options, database, decoders);
  }

  /** For statements between two flushes. */
  get connection(): DuckDBConnection {
    return this.#decoders[0]!.chunks.connection;
  }

  /** `decode` must come before the next `put`. */
  get isFull(): boolean {
    return this.#filling.chunk.isFull;
  }

  /** Adds record `i`; returns the partition it goes to (for a bare line a guess that is checked later). */
  put(batch: RawBatch, i: number): number {
    const { chunk } = this.#filling;
    this.#intake.put(chunk, batch, i);
    this.records++;
    this.bytes += batch.valueEnd[i]! - batch.valueStart[i]!;
    return chunk.partition[chunk.count - 1]!;
  }

  /** Sends the filled chunk to be decoded and finds another one to fill. */
  async decode(): Promise<void> {
    const decoder = this.#filling;
    if (decoder.chunk.count > 0) {
      this.#intake.seal(decoder.chunk);
      decoder.busy = decoder.chunks
        .decode(decoder.chunk)
        .catch((error: unknown) => {
          this.#failure ??= error;
        })
        .finally(() => {
          decoder.chunk.clear();
          decoder.busy = undefined;
        });
    }
    const isFree = ({ busy }: Decoder): boolean => busy === undefined;
    while (!this.#decoders.some(isFree)) await Promise.race(this.#decoders.map(({ busy }) => busy));
    if (this.#failure !== undefined) throw this.#failure;
    this.#filling = this.#decoders.find(isFree)!;
  }

  /** Everything gathered as files in staging, durable; the table is empty again afterwards. */
  async writeFiles(commit: number): Promise<LakeFile[]> {
    await this.decode();
    await Promise.all(this.#decoders.map(({ busy }) => busy));
    if (this.#failure !== undefined) throw this.#failure;
    const { lakeDir, partitions } = this.#options;
    const connections = this.#decoders.slice(0, DECODERS).map(({ chunks }) => chunks.connection);
    await decodeDoubtful(connections[0]!, TABLE);
    await mendPartitions(connections[0]!, TABLE, partitions);
    const files = await writeFiles({ lakeDir, commit, table: TABLE, connections, nowMs: Date.now() });
    const written = files.reduce((sum, { records }) => sum + records, 0);
    invariant(written === this.records, `${written} of ${this.records} records came out of DuckDB`);
    await connections[0]!.run(`DROP TABLE ${TABLE}`);
    await createGathered(connections[0]!, TABLE);
    this.records = 0;
    this.bytes = 0;
    return files;
  }

  close(): void {
    for (const { chunks } of this.#decoders) chunks.connection.closeSync();
    this.#database.close();
  }
}
