// Opens the lake for a recomputation up to given positions: waits a bounded time for a lake writer that lags
// behind, and says clearly which records are missing when waiting doesn't help.
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { lakeLog, lakePositions, openLake } from '../lake/read-lake.js';
import { type LakePlace, type LakeWriterSign, openStorage, placeName } from '../lake/storage.js';
import type { PositionMap, RecordedFile } from './lake-reader.js';

/** How long a living lake writer is waited for. It is asked to write what it has read, and does so at once. */
const WAIT_MS_MAX = 120_000;
/** A writer that can't be seen from here (on S3) but lives takes up what it is asked in a few seconds. */
const HEARD_MS_MAX = 15_000;
const POLL_MS = 200;
/** Where each look costs money. */
const UNSEEN_POLL_MS = 1_000;

export interface OpenedLake {
  files: readonly RecordedFile[];
  /** Next offset by partition: every record below is in the lake. */
  positions: PositionMap;
  /** Must be called: until then the files stay as they are. */
  release(): void;
}

export interface LakeAccess {
  lake: LakePlace;
  /** Told once when the lake lags and is waited for. */
  onWait?: (line: string) => void;
  signal?: AbortSignal;
  waitMsMax?: number;
}

/** The lake as it is now. UserError where there is none. */
export async function openLakeNow(lake: LakePlace): Promise<OpenedLake> {
  const reader = await openLake(lake);
  const fetch = (paths: readonly string[]): Promise<void> => reader.fetch(paths);
  return {
    files: reader.recorded.map((file) => ({ ...file, fetch })),
    positions: reader.positions,
    release: () => reader.release(),
  };
}

/** The lake, once it holds every record below the positions. UserError if it doesn't come to that. */
export async function openLakeUpTo(positions: PositionMap, access: LakeAccess): Promise<OpenedLake> {
  const { lake, onWait, signal, waitMsMax = WAIT_MS_MAX } = access;
  const storage = await openStorage(lake);
  const untilMs = Date.now() + waitMsMax;
  const heardByMs = Date.now() + HEARD_MS_MAX;
  for (let asked = false, heard = false; ; ) {
    const lag = firstLag(positions, await lakePositions(lake));
    if (!lag) return openLakeNow(lake);
    const seen = storage.writer();
    heard ||= asked && (await storage.flushHeard());
    const writer = seen === 'unseen' && !heard && Date.now() >= heardByMs ? 'nobody' : seen;
    if (writer === 'nobody' || Date.now() >= untilMs || signal?.aborted) {
      // Where nobody ever wrote one, that is what is to be told.
      if (writer === 'nobody' && (await lakeLog(lake)) === undefined) return openLakeNow(lake);
      throw lagError(lag, lake, writer);
    }
    if (!asked) onWait?.(`waiting for the lake: ${describe(lag)}`);
    // Again and again, because what is missing may not have been read when it was heard.
    if (!asked || (await storage.flushHeard())) await storage.askFlush();
    asked = true;
    await sleep(seen === 'unseen' ? UNSEEN_POLL_MS : POLL_MS);
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

function lagError(lag: Lag, lake: LakePlace, writer: LakeWriterSign): UserError {
  return new UserError(`the lake ${placeName(lake)} lags behind the store: ${describe(lag)}`, {
    hint:
      writer === 'nobody'
        ? 'Write the rest of the log into it: click-agg lake --until-end (with the same --input, if there was one).'
        : `Its writer${writer === 'unseen' ? '' : ` (pid ${writer.pid})`} is at work: try again when it has caught up.`,
  });
}
