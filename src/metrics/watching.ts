// What a command tells those who watch it. Loaded always, so it imports nothing heavy: prom-client and the HTTP
// server come only with --metrics-port.
import type { LedgerCounts, LiveStatus, Positions, Store } from '../core/ports.js';

/** Where to serve: the values of --metrics-host and --metrics-port. */
export interface MetricsPlace {
  metricsHost: string;
  metricsPort: number | undefined;
}

export interface Monitor {
  /** `http://127.0.0.1:9464`; undefined where nobody watches. */
  readonly url: string | undefined;
  /** Something that must be reachable for the process to be ready: a name, and a question that rejects with the reason. */
  watch(name: string, ask: () => Promise<unknown>): void;
  close(): Promise<void>;
}

export interface RunMonitor extends Monitor {
  /** The same store, its commits measured. */
  meter<S extends Store>(store: S): S;
  /** Another process counts, and this one waits for its turn. */
  standsBy(): void;
  /** This process counts, under this epoch, behind what the ledger holds; `status` is asked at every scrape. */
  counts(epoch: number, ledger: LedgerCounts, status: () => LiveStatus): void;
  /** About once a second while it counts. */
  observe(status: LiveStatus): void;
  /** Events of dead letters that this turn has put into their topic, and those that wait, about. */
  letters(published: number, waiting: number): void;
}

/** What the lake's writer has done since its start. */
export interface LakeTally {
  records: number;
  committed: number;
  malformed: number;
  commits: number;
  files: number;
  bytes: number;
  /** Next offset by partition: all below it is durable. */
  positions: Positions;
}

export interface LakeMonitor extends Monitor {
  /** It writes; `ends` is asked at every scrape. */
  writes(ends: () => Promise<Positions>): void;
  observe(tally: LakeTally): void;
}

const unwatched: Monitor = {
  url: undefined,
  watch() {},
  async close() {},
};

/** The monitor of a `run`. UserError: the port is taken. */
export async function watchRun({ metricsHost: host, metricsPort: port }: MetricsPlace): Promise<RunMonitor> {
  if (port === undefined) {
    return { ...unwatched, meter: (store) => store, standsBy() {}, counts() {}, observe() {}, letters() {} };
  }
  const { startRunMonitor } = await import('./run-monitor.js');
  return await startRunMonitor({ host, port });
}

/** The monitor of a lake's writer. UserError: the port is taken. */
export async function watchLake({
  metricsHost: host,
  metricsPort: port,
}: MetricsPlace): Promise<LakeMonitor> {
  if (port === undefined) return { ...unwatched, writes() {}, observe() {} };
  const { startLakeMonitor } = await import('./lake-monitor.js');
  return await startLakeMonitor({ host, port });
}
