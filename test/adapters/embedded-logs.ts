// Small logs for the tests of the embedded log.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppendBatch } from '../../src/adapters/embedded/log-writer.js';

export interface NewRecord {
  partition: number;
  value: string | Uint8Array;
  key?: string;
  appendTimeMs?: number;
}

/** Packs records into a batch as the log takes it. */
export function batchOf(records: readonly NewRecord[]): AppendBatch {
  const parts: Uint8Array[] = [];
  const count = records.length;
  const [valueStart, valueEnd, keyStart, keyEnd, partition] = Array.from(
    { length: 5 },
    () => new Int32Array(count),
  );
  const appendTimeMs = new Float64Array(count);
  let at = 0;
  const put = (part: string | Uint8Array): number => {
    const bytes = Buffer.from(part);
    parts.push(bytes);
    at += bytes.length;
    return at;
  };
  records.forEach((record, i) => {
    valueStart[i] = at;
    valueEnd[i] = put(record.value);
    keyStart[i] = record.key === undefined ? -1 : at;
    keyEnd[i] = record.key === undefined ? -1 : put(record.key);
    partition[i] = record.partition;
    appendTimeMs[i] = record.appendTimeMs ?? Number.NaN;
  });
  return {
    count,
    bytes: Buffer.concat(parts),
    valueStart,
    valueEnd,
    keyStart,
    keyEnd,
    partition,
    appendTimeMs,
  };
}

/** A temporary folder, and what removes it. */
export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'click-agg-log-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
