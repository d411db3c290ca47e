// A lake's writer that is watched: what it has read and written, how far behind the log it is, whether it is well.
import { Gauge } from 'prom-client';
import type { Positions } from '../core/ports/log.js';
import { TotalCounter } from './counter.js';
import { Health } from './health.js';
import { newRegistry, startMonitor } from './monitor.js';
import type { LakeMonitor, LakeTally } from './watching.js';

const COUNTERS: Readonly<
  Record<Exclude<keyof LakeTally, 'positions'>, readonly [name: string, help: string]>
> = {
  records: ['click_agg_lake_records_read_total', 'Records read from the log'],
  committed: ['click_agg_lake_records_total', 'Records that are durable in the lake'],
  malformed: ['click_agg_lake_malformed_records_total', 'Of these, records that are no sound click'],
  commits: ['click_agg_lake_commits_total', 'Commits to the lake'],
  files: ['click_agg_lake_files_total', 'Parquet files written'],
  bytes: ['click_agg_lake_bytes_total', 'Bytes of the files written'],
};

/** Starts to serve on this address. UserError: the port is taken. */
export async function startLakeMonitor(place: { host: string; port: number }): Promise<LakeMonitor> {
  const registry = newRegistry();
  const registers = [registry];
  const counters = Object.entries(COUNTERS).map(([field, [name, help]]) => {
    const counter = new TotalCounter(registry, { name, help });
    counter.raiseTo(0);
    return [field as keyof typeof COUNTERS, counter] as const;
  });
  const lastCommit = new Gauge({
    ...{ name: 'click_agg_lake_last_commit_timestamp_seconds', help: 'Last commit, Unix seconds', registers },
  });
  const lag = new Gauge({
    ...{ name: 'click_agg_lake_lag', help: 'Records of the log that are not durable in the lake', registers },
    labelNames: ['partition'],
  });
  const health = new Health();
  let endsOf: (() => Promise<Positions>) | undefined;
  let positions: Positions = new Map();
  let commits = 0;
  /** Where the log can't be asked, /readyz says why; the other figures are wanted all the more. */
  const ends = async (): Promise<Positions> => {
    try {
      return (await endsOf?.()) ?? new Map();
    } catch {
      lag.reset();
      return new Map();
    }
  };
  const monitor = await startMonitor(place, {
    ...{ health, registry },
    async refresh() {
      for (const [partition, end] of await ends()) {
        lag.set({ partition: String(partition) }, Math.max(0, end - (positions.get(partition) ?? 0)));
      }
    },
  });
  return {
    ...monitor,
    writes(logEnds) {
      endsOf = logEnds;
      health.role = 'active';
      health.watch('source', logEnds);
    },
    observe(tally) {
      ({ positions } = tally);
      for (const [field, counter] of counters) counter.raiseTo(tally[field]);
      if (tally.commits === commits) return;
      commits = tally.commits;
      lastCommit.setToCurrentTime();
    },
  };
}
