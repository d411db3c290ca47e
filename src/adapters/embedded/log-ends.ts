// Where the log's partitions begin and end at the moment. Ends, for lag: walks the headers that are new since the last call.
import { open } from 'node:fs/promises';
import { codeOf, ioError, listSegments, segmentPath } from './layout.js';
import { framePlaces } from './segment.js';

interface KnownEnd {
  base: number;
  at: number;
  offset: number;
}

/** Returns a function that tells the next offset to be written by partition. */
export function logEnds(logDir: string, partitions: number): () => Promise<Map<number, number>> {
  const known: (KnownEnd | undefined)[] = new Array(partitions).fill(undefined);
  return async () => {
    const ends = new Map<number, number>();
    for (let partition = 0; partition < partitions; partition++) {
      known[partition] = await partitionEnd(logDir, partition, known[partition]);
      ends.set(partition, known[partition]?.offset ?? 0);
    }
    return ends;
  };
}

/** The offset of each partition's first record that retention has left. */
export async function logStarts(logDir: string, partitions: number): Promise<Map<number, number>> {
  const starts = new Map<number, number>();
  for (let partition = 0; partition < partitions; partition++)
    starts.set(partition, (await listSegments(logDir, partition))[0] ?? 0);
  return starts;
}

async function partitionEnd(
  logDir: string,
  partition: number,
  known: KnownEnd | undefined,
): Promise<KnownEnd> {
  const base = (await listSegments(logDir, partition)).at(-1) ?? 0;
  let { at, offset } = known?.base === base ? known : { at: 0, offset: base };
  const path = segmentPath(logDir, partition, base);
  try {
    const handle = await open(path, 'r');
    try {
      for await (const frame of framePlaces(handle, at, offset)) {
        at = frame.at + frame.header.frameBytes;
        offset = frame.header.baseOffset + frame.header.count;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw ioError(error, path, 'read');
  }
  return { base, at, offset };
}
