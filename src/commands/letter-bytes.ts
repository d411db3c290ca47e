// The bytes of a dead letter: in the store, in the log, or what the lake has of them.
import { existsSync } from 'node:fs';
import { readRecords } from '../adapters/embedded/read-records.js';
import type { DeadLetter } from '../core/ports/commit.js';
import type { DataDir } from '../engine/data-dir.js';
import { UserError } from '../errors.js';
import { type LakePlace, openLake } from '../lake/read-lake.js';
import { lakeRecord } from '../lake/record-bytes.js';

/** The letter's bytes, from where they are kept. UserError: they are nowhere. */
export async function bytesOf(
  dataDir: DataDir,
  lakePlace: LakePlace,
  letter: DeadLetter,
): Promise<{ value: Uint8Array; from: string }> {
  if (letter.value) return { value: letter.value, from: 'the store' };
  const { partition, offset, clickId } = letter;
  const logged = existsSync(dataDir.logDir) ? await readRecords(dataDir.logDir, partition, [offset]) : [];
  // The totals may have been counted from a file instead of this log.
  const record = logged.find(({ value }) => clickId === undefined || clickIdOf(value) === clickId);
  if (record) return { value: record.value, from: 'the log' };
  const lake = await openLake(lakePlace, { required: false });
  try {
    const holding = lake.recorded.filter(
      (file) => file.partition === partition && file.firstOffset <= offset && file.lastOffset >= offset,
    );
    const paths = holding.map(({ path }) => path);
    await lake.fetch(paths);
    const value = await lakeRecord(paths, letter);
    if (value) return { value, from: 'the lake, which keeps the fields of a click and not its bytes' };
  } finally {
    lake.release();
  }
  throw new UserError(`the bytes of record ${partition}:${offset} are neither in the log nor in the lake`, {
    hint: 'Bot clicks and invalid traffic are kept by their place alone; look for it in the input it came from.',
  });
}

function clickIdOf(value: Uint8Array): unknown {
  return (JSON.parse(Buffer.from(value).toString('utf8')) as Record<string, unknown>).click_id;
}
