// Fetches single records of the log by partition and offset: the original bytes behind a dead letter or a verdict.
import { type FileHandle, open } from 'node:fs/promises';
import { invariant } from '../../errors.js';
import { FRAME_BYTES_MAX, isWhole } from './frame.js';
import { FrameRecords } from './frame-records.js';
import { codeOf, ioError, listSegments, segmentPath } from './layout.js';
import { damagedError } from './partition-writer.js';
import { framePlaces, type PlacedFrame } from './segment.js';

export interface LogRecord {
  partition: number;
  offset: number;
  /** Epoch ms, or undefined where the record has none. */
  appendTimeMs: number | undefined;
  key: Uint8Array | undefined;
  /** The bytes as they came, cut to RECORD_BYTES_MAX. */
  value: Uint8Array;
  /** True length of the value. */
  valueBytes: number;
}

/**
 * The records of `partition` at these offsets, ascending. Those that were deleted by retention or aren't written yet
 * are left out. UserError: a frame is damaged.
 */
export async function readRecords(
  logDir: string,
  partition: number,
  offsets: Iterable<number>,
): Promise<LogRecord[]> {
  const wanted = [...new Set(offsets)].sort((a, b) => a - b);
  const bases = await listSegments(logDir, partition);
  const found: LogRecord[] = [];
  const columns = new FrameRecords();
  for (let i = 0; i < bases.length; i++) {
    const here = wanted.filter((offset) => offset >= bases[i] && offset < (bases[i + 1] ?? Infinity));
    if (here.length === 0) continue;
    const path = segmentPath(logDir, partition, bases[i]);
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') continue; // deleted by retention meanwhile
      throw ioError(error, path, 'read');
    }
    try {
      for await (const frame of framePlaces(handle, 0, bases[i])) {
        const { baseOffset, count } = frame.header;
        const inFrame = here.filter((offset) => offset >= baseOffset && offset < baseOffset + count);
        if (inFrame.length > 0)
          found.push(...(await fromFrame(handle, frame, columns, partition, inFrame, path)));
        if (baseOffset + count > here[here.length - 1]) break;
      }
    } finally {
      await handle.close();
    }
  }
  return found;
}

async function fromFrame(
  handle: FileHandle,
  { at, header }: PlacedFrame,
  columns: FrameRecords,
  partition: number,
  offsets: readonly number[],
  path: string,
): Promise<LogRecord[]> {
  invariant(header.frameBytes <= FRAME_BYTES_MAX, 'a header that is not sound');
  const bytes = new Uint8Array(header.frameBytes);
  const view = new DataView(bytes.buffer);
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, at);
  if (!isWhole(bytes, view, 0, bytesRead, header)) throw damagedError(path, header.baseOffset);
  columns.clear(partition);
  columns.add(view, 0, header, 0);
  const batch = columns.batch(bytes);
  return offsets.map((offset) => {
    const i = offset - header.baseOffset;
    const value = bytes.slice(batch.valueStart[i], batch.valueEnd[i]);
    const key =
      batch.keyStart && batch.keyEnd && batch.keyStart[i] >= 0
        ? bytes.slice(batch.keyStart[i], batch.keyEnd[i])
        : undefined;
    const appendTimeMs = Number.isNaN(batch.appendTimeMs[i]) ? undefined : batch.appendTimeMs[i];
    const valueBytes = batch.cutValueBytes?.get(i) ?? value.length;
    return { partition, offset, appendTimeMs, key, value, valueBytes };
  });
}
