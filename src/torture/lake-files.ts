// What the files of a lake hold of each partition, read as any reader would: nothing of ours helps.
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

export interface InLake {
  records: number;
  /** How many of them have an offset of their own. */
  offsets: number;
  first: number;
  last: number;
}

/** By partition. Throws where the folder has no file, or is just being compacted. */
export async function readLakeFiles(lake: string): Promise<Map<number, InLake>> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT partition, count(*)::DOUBLE, count(DISTINCT "offset")::DOUBLE, min("offset")::DOUBLE, max("offset")::DOUBLE
       FROM read_parquet(?, hive_partitioning = false) GROUP BY partition`,
      [join(lake, 'dt=*/hour=*/*.parquet')],
    );
    return new Map(
      reader.getRows().map((row) => {
        const [partition, records, offsets, first, last] = row.map(Number);
        return [partition!, { records: records!, offsets: offsets!, first: first!, last: last! }];
      }),
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
