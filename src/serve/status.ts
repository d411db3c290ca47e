// How the stream is: as the living run says, else as its store stands. An advertiser hears how far it has come, but
// no number that is made of the clicks of others.
import type { LiveStatus } from '../core/live-status.js';
import type { RunStatus, StatusAnswer, StatusSource } from './api.js';
import type { TotalsReader } from './store-source.js';
import { asOf, isoOrNull, type Tide } from './tide.js';
import type { Viewer } from './tokens.js';

/** The living run, and how its status came here. */
export type Living = { status: LiveStatus; source: StatusSource } | undefined;

/** GET /v1/status */
export async function statusAnswer(
  reader: TotalsReader | undefined,
  { tide, living, viewer }: { tide: Tide; living: Living; viewer: Viewer },
): Promise<StatusAnswer> {
  const commitMs = living?.status.lastCommitAtMs;
  const common = {
    as_of: asOf(tide),
    source: living?.source ?? 'store',
    live: living !== undefined,
    since_commit_ms: commitMs === undefined ? null : Math.max(0, Date.now() - commitMs),
  };
  if (viewer.role === 'advertiser')
    return { ...common, run: null, ledger: null, partitions: null, lag: null };
  if (!living) {
    const partitions = tide.partitions.map(({ partition, position, watermarkMs }) => ({
      ...{ partition, position, lag: null, watermark: isoOrNull(watermarkMs) },
    }));
    const ledger = (await reader?.ledger()) ?? null;
    return { ...common, run: null, ledger, partitions, lag: null };
  }
  const { status } = living;
  const partitions = status.partitions.map(({ partition, position, end, watermarkMs }) => ({
    ...{ partition, position, watermark: isoOrNull(watermarkMs) },
    lag: end === undefined ? null : Math.max(0, end - position),
  }));
  const lags = partitions.map(({ lag }) => lag);
  return {
    ...common,
    run: runStatus(status),
    ledger: status.ledger,
    partitions,
    lag: lags.includes(null) ? null : lags.reduce<number>((sum, lag) => sum + lag!, 0),
  };
}

function runStatus(status: LiveStatus): RunStatus {
  return {
    started_at: isoOrNull(status.startedAtMs)!,
    log: status.source,
    records: status.records,
    records_per_second: status.recordsPerSecond,
    memory_bytes: status.rssBytes,
    clicks_in_memory: status.horizonClicks,
    clicks_in_memory_bytes: status.horizonBytes,
    last_commit_at: isoOrNull(status.lastCommitAtMs),
    last_commit_ms: status.lastCommitMs ?? null,
  };
}
