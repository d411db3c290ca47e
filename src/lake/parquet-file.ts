// A lake file read by parquetjs-lite, an implementation of Parquet that shares nothing with the DuckDB that
// wrote it. It knows no zstd of its own: the decompressor is put into its table of codecs.
import { createRequire } from 'node:module';
import { unzstdWhole } from '../adapters/file/zstd.js';

interface Cursor {
  /** Rows of the next row group; null at the end. */
  nextRowGroup(): Promise<Record<string, unknown>[] | null>;
}
interface Reader {
  getCursor(columns?: string[]): Cursor;
  getRowCount(): unknown;
  getSchema(): {
    fields: Record<string, { originalType?: string; primitiveType: string; rLevelMax: number }>;
  };
  close(): Promise<void>;
}
interface Library {
  ParquetReader: { openFile(path: string, options: { rawStatistics: boolean }): Promise<Reader> };
}
interface Compression {
  PARQUET_COMPRESSION_METHODS: Record<
    string,
    { inflate(bytes: Uint8Array): Buffer; deflate(bytes: Uint8Array): Buffer }
  >;
}

/** Of a column of a row group, which DuckDB writes as few pages; damaged bytes may claim to be anything. */
const PAGE_BYTES_MAX = 1_000_000_000;

let library: Library | undefined;

function loadLibrary(): Library {
  if (library) return library;
  const require = createRequire(import.meta.url);
  const { PARQUET_COMPRESSION_METHODS } = require('parquetjs-lite/lib/compression.js') as Compression;
  PARQUET_COMPRESSION_METHODS.ZSTD ??= {
    inflate: (bytes) => unzstdWhole(bytes, PAGE_BYTES_MAX),
    deflate: () => {
      throw new Error('parquetjs-lite only reads zstd here');
    },
  };
  library = require('parquetjs-lite') as Library;
  return library;
}

/** Name and type of each column, as `partition INT32` or `ad_id UTF8`. */
export interface ParquetFile {
  readonly rows: number;
  readonly columns: readonly string[];
  /** Rows of all row groups with these columns (all: undefined); absent values are undefined. */
  rowGroups(columns?: readonly string[]): AsyncIterable<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Opens a file and reads its footer. Throws whatever the library throws, as an Error. */
export async function openParquet(path: string): Promise<ParquetFile> {
  // Statistics stay raw: the library trips over some that are sound, and nobody needs them here.
  const reader = await asError(loadLibrary().ParquetReader.openFile(path, { rawStatistics: true }));
  return {
    rows: Number(reader.getRowCount()),
    columns: Object.entries(reader.getSchema().fields).map(
      ([name, { originalType, primitiveType }]) => `${name} ${originalType ?? primitiveType}`,
    ),
    async *rowGroups(columns) {
      const cursor = reader.getCursor(columns ? [...columns] : undefined);
      for (;;) {
        const rows = await asError(cursor.nextRowGroup());
        if (!rows) return;
        yield rows;
      }
    },
    close: () => reader.close(),
  };
}

/** The library throws texts here and there. */
async function asError<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof Error ? error : new Error(String(error));
  }
}
