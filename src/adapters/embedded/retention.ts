// Forgetting: whole old segments are deleted, by age, by the log's total length, or because nobody needs them any
// more; never the last of a partition. A reader that stood in one gets an error that names where the partition begins now.
import { open, rm, stat } from 'node:fs/promises';
import { HEADER_BYTES, readHeader } from './frame.js';
import { codeOf, ioError, listSegments, readMeta, segmentPath } from './layout.js';

export interface Retention {
  /** Segments whose newest record is older than this are deleted, by append time. */
  maxAgeMs?: number;
  /** The oldest segments of the whole log are deleted until it is no longer than this. */
  maxBytes?: number;
}

interface FinishedSegment {
  path: string;
  bytes: number;
  /** No record in it is newer. */
  newestMs: number;
}

/** Deletes what exceeds the limits, also while a writer and readers are at work. Returns how many bytes it freed. */
export async function applyRetention(logDir: string, limits: Retention & { nowMs: number }): Promise<number> {
  const { maxAgeMs = Infinity, maxBytes = Infinity, nowMs } = limits;
  const { finished, totalBytes } = await finishedSegments(logDir);
  finished.sort((a, b) => a.newestMs - b.newestMs);
  let freed = 0;
  for (const segment of finished) {
    if (nowMs - segment.newestMs <= maxAgeMs && totalBytes - freed <= maxBytes) break;
    try {
      await rm(segment.path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw ioError(error, segment.path, 'write');
    }
    freed += segment.bytes;
  }
  return freed;
}

/** Deletes the partition's segments that hold only records below `offset`. The last one stays. */
export async function dropSegments(logDir: string, partition: number, offset: number): Promise<void> {
  const bases = await listSegments(logDir, partition);
  for (let i = 0; i + 1 < bases.length && bases[i + 1] <= offset; i++) {
    const path = segmentPath(logDir, partition, bases[i]);
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw ioError(error, path, 'write');
    }
  }
}

async function finishedSegments(
  logDir: string,
): Promise<{ finished: FinishedSegment[]; totalBytes: number }> {
  const meta = await readMeta(logDir);
  const finished: FinishedSegment[] = [];
  let totalBytes = 0;
  for (let partition = 0; partition < (meta?.partitions ?? 0); partition++) {
    const bases = await listSegments(logDir, partition);
    let newestMs = -Infinity; // never falls along a partition, so that no gap is torn into it
    for (let i = 0; i < bases.length; i++) {
      const path = segmentPath(logDir, partition, bases[i]);
      const { size, mtimeMs } = await stat(path);
      totalBytes += size;
      if (i === bases.length - 1) continue;
      const nextPath = segmentPath(logDir, partition, bases[i + 1]);
      newestMs = Math.max(newestMs, (await newestBefore(nextPath)) ?? mtimeMs);
      finished.push({ path, bytes: size, newestMs });
    }
  }
  return { finished, totalBytes };
}

/**
 * Greatest append time at the beginning of a segment: nothing before it is newer. Undefined if the segment is
 * empty yet or its records have no append time.
 */
async function newestBefore(path: string): Promise<number | undefined> {
  const handle = await open(path, 'r');
  try {
    const bytes = new Uint8Array(HEADER_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, HEADER_BYTES, 0);
    const header = bytesRead === HEADER_BYTES ? readHeader(new DataView(bytes.buffer), 0) : undefined;
    return header && header.newestAppendMs > -Infinity ? header.newestAppendMs : undefined;
  } finally {
    await handle.close();
  }
}
