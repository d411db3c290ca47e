// What a lake holds, in a few numbers.
import { readState, requireLake } from './manifest.js';
import { openLake } from './read-lake.js';
import { type LakePlace, openStorage } from './storage.js';

export interface LakeStatus {
  /** Number of the last commit. */
  commit: number;
  records: number;
  malformed: number;
  files: number;
  bytes: number;
  /** Event times of the sound records as ISO 8601; null if there are none. */
  from: string | null;
  to: string | null;
  method_hash: string | null;
  partitions: { partition: number; position: number; records: number; files: number }[];
  /** Where each file is: a path or an `s3://` URL. */
  paths: string[];
}

/** UserError: there is no lake. */
export async function lakeStatus(place: LakePlace): Promise<LakeStatus> {
  const storage = await openStorage(place);
  const state = await readState(storage);
  requireLake(state, storage.name);
  const lake = await openLake(place);
  const paths = [...lake.addresses];
  lake.release();
  const files = [...state.files.values()];
  const times = files.flatMap(({ minEventTimeMs: min, maxEventTimeMs: max }) =>
    min === null || max === null ? [] : [{ min, max }],
  );
  const iso = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
  return {
    commit: state.commit,
    records: files.reduce((sum, { records }) => sum + records, 0),
    malformed: files.reduce((sum, { malformed }) => sum + malformed, 0),
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    from: iso(times.reduce((least, { min }) => Math.min(least, min), Infinity)),
    to: iso(times.reduce((greatest, { max }) => Math.max(greatest, max), -Infinity)),
    method_hash: state.methodHash ?? null,
    partitions: [...state.partitions.values()].map(({ partition, position, records }) => ({
      ...{ partition, position, records },
      files: files.filter((file) => file.partition === partition).length,
    })),
    paths,
  };
}
