// Sends record values the way the lake writer sends them and reads back what its SQL made of each.
import { DuckDBInstance } from '@duckdb/node-api';
import type { RawBatch } from '../../src/core/batches.js';
import { RECORD_BYTES_MAX } from '../../src/core/method.js';
import { ChunkDecoder, createGathered, decodeDoubtful } from '../../src/lake/decode-chunk.js';
import { mendPartitions } from '../../src/lake/flush.js';
import { decodedRows } from '../../src/lake/gathered.js';
import { Chunk, Intake } from '../../src/lake/intake.js';

export type DecodedRow = Record<string, string | number | null>;

export const PARTITIONS = 6;

/** A batch of bare lines, or with `keys` of records of partition 3 with those keys (undefined: none). */
export function batchOf(values: readonly Uint8Array[], keys?: readonly (Uint8Array | undefined)[]): RawBatch {
  const cutValueBytes = new Map<number, number>();
  const kept = values.map((value, i) => {
    if (value.length <= RECORD_BYTES_MAX) return value;
    cutValueBytes.set(i, value.length);
    return value.subarray(0, RECORD_BYTES_MAX);
  });
  const parts = [...kept, ...(keys ?? []).map((key) => key ?? new Uint8Array())];
  const ends: number[] = [];
  let end = 0;
  for (const part of parts) {
    end += part.length;
    ends.push(end);
  }
  const count = values.length;
  const starts = Int32Array.from([0, ...ends].slice(0, parts.length));
  return {
    count,
    bytes: Buffer.concat(parts),
    valueStart: starts.slice(0, count),
    valueEnd: Int32Array.from(ends.slice(0, count)),
    partition: new Int32Array(count).fill(keys ? 3 : -1),
    offset: Float64Array.from(values, (_, i) => i),
    appendTimeMs: new Float64Array(count).fill(Number.NaN),
    cutValueBytes,
    ...(keys && {
      keyStart: Int32Array.from(keys, (key, i) => (key ? starts[count + i]! : -1)),
      keyEnd: Int32Array.from(keys, (key, i) => (key ? ends[count + i]! : -1)),
    }),
  };
}

/** Rows in the order of the values; BLOBs as hex. */
export async function decodeValues(batch: RawBatch): Promise<DecodedRow[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    await createGathered(connection, 'gathered');
    const decoder = new ChunkDecoder(connection);
    const intake = new Intake(PARTITIONS);
    const chunk = new Chunk();
    const send = async (): Promise<void> => {
      chunk.seal();
      await decoder.decode(chunk, 'gathered');
      chunk.clear();
    };
    for (let i = 0; i < batch.count; i++) {
      if (chunk.isFull) await send();
      intake.put(chunk, batch, i);
    }
    await send();
    await decodeDoubtful(connection, 'gathered');
    await mendPartitions(connection, 'gathered', PARTITIONS);
    const reader = await connection.runAndReadAll(
      `SELECT * REPLACE (lower(hex("key")) AS "key", lower(hex("value")) AS "value") FROM ${decodedRows('gathered')} ORDER BY "offset"`,
    );
    return reader
      .getRowObjects()
      .map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === 'bigint' ? Number(value) : (value as string | number | null),
          ]),
        ),
      );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
