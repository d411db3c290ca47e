// Opens the lake for a recomputation up to given positions: waits a bounded time for a lake writer that lags
// behind, and says clearly which records are missing when waiting doesn't help.
import { setTimeout as sleep } from 'node:timers/promises';
import { livingHolder } from '../adapters/embedded/lock.js';
import { UserError } from '../errors.js';
import { writerLockPath } from '../lake/layout.js';
import { lakePositions, openLake } from '../lake/read-lake.js';
import { HOUR_MS, type PositionMap, type RecordedFile } from './lake-reader.js';

/** How long a living lake writer is waited for. It writes at least every some seconds. */
const WAIT_MS_MAX = 120_000;
const POLL_MS = 200;

export interface OpenedLake {
  files: readonly RecordedFile[];
  /** Next offset by partition: every record below is in the lake. */
  positions: PositionMap;
  /** Must be called: until then the files stay as they are. */
  release(): void;
}

export interface LakeAccess {
  lakeDir: string;
  /** Told once when the lake lags and is waited for. */
  onWait?: (line: string) => void;
  signal?: AbortSignal;
  waitMsMax?: number;
}

/** The lake as it is now. UserError where there is none. */
export async function openLakeNow(lakeDir: string): Promise<OpenedLake> {
  const reader = await openLake(lakeDir);
  const paths = reader.paths();
  return {
    files: reader.files.map((file, index) => ({
      path: paths[index]!,
      hourMs: file.hour * HOUR_MS,
      partition: file.partition,
      firstOffset: file.firstOffset,
      lastOffset: file.lastOffset,
    })),
    positions: reader.positions,
    release: () => reader.release(),
  };
}

/** The lake, once it holds every record below the positions. UserError if it doesn't come to that. */
export async function openLakeUpTo(positions: PositionMap, access: LakeAccess): Promise<OpenedLake> {
  const { lakeDir, onWait, signal, waitMsMax = WAIT_MS_MAX } = access;
  const untilMs = Date.now() + waitMsMax;
  for (let told = false; ; ) {
    const lag = firstLag(positions, await lakePositions(lakeDir));
    if (!lag) return openLakeNow(lakeDir);
    const writer = livingHolder(writerLockPath(lakeDir));
    if (writer === undefined || Date.now() >= untilMs || signal?.aborted)
      throw lagError(lag, lakeDir, writer);
    if (!told) onWait?.(`waiting for the lake: ${describe(lag)}`);
    told = true;
    await sleep(POLL_MS);
  }
}

interface Lag {
  partition: number;
  lake: number;
  wanted: number;
}

function firstLag(wanted: PositionMap, lake: PositionMap): Lag | undefined {
  for (const [partition, position] of [...wanted].sort(([a], [b]) => a - b)) {
    const has = lake.get(partition) ?? 0;
    if (has < position) return { partition, lake: has, wanted: position };
  }
  return undefined;
}

function describe({ partition, lake, wanted }: Lag): string {
  return `partition ${partition} is at offset ${lake}, the store at ${wanted}`;
}

function lagError(lag: Lag, lakeDir: string, writer: number | undefined): UserError {
  return new UserError(`the lake ${lakeDir} lags behind the store: ${describe(lag)}`, {
    hint:
      writer === undefined
        ? 'Write the rest of the log into it: click-agg lake --until-end (with the same --input, if there was one).'
        : `Its writer (pid ${writer}) is at work: try again when it has caught up.`,
  });
}
