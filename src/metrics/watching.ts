// What a command tells those who watch it. Loaded always, so it imports nothing heavy: prom-client and the HTTP
// server come only with --metrics-port.
import type { LiveStatus } from '../core/live-status.js';
import type { Positions } from '../core/ports/log.js';
import type { LedgerCounts, Store } from '../core/ports/store.js';
import { type Answer, Health } from './health.js';

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

/** What an ingest server has done since its start, and how its parts stand. */
export interface IngestFigures {
  tally: {
    answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
    accepted: number;
    rejected: Readonly<Record<string, number>>;
    marked: Readonly<Record<string, number>>;
    links: Readonly<Record<string, number>>;
    otherCampaign: number;
    seen: Readonly<Record<string, number>>;
  };
  log: {
    waitingRecords: number;
    waitingBytes: number;
    oldestWaitingMs: number | undefined;
    sending: boolean;
    taken: number;
    refused: number;
    sent: number;
  };
  targets: {
    hits: number;
    stale: number;
    shared: number;
    queries: number;
    failures: number;
    redisAnswers: boolean | undefined;
    tableAnswers: boolean;
    cached: number;
  };
}

export interface IngestMonitor extends Monitor {
  /** It takes clicks; the figures are asked for at every scrape. */
  takes(figures: () => IngestFigures): void;
  /** It takes no more: whoever routes to it should stop. */
  stops(): void;
  /** An answer was given; absent: nobody wants to know. */
  readonly answered: ((route: string, seconds: number) => void) | undefined;
  /** The dashboard is in the same process: its metrics are shown beside these. Called once at most. */
  withDashboard(): Pick<ServeMonitor, 'serves' | 'answered'>;
  /** /healthz and /readyz, which are on the server's own port, too. */
  live(): Promise<Answer>;
  ready(): Promise<Answer>;
}

/** How a server of the read API is. */
export interface ServeFigures {
  watchers: number;
  views: number;
  made: number;
  failed: number;
  told: boolean;
}

export interface ServeMonitor extends Monitor {
  /** It answers; the figures are asked for at every scrape. */
  serves(figures: () => ServeFigures): void;
  /** An answer was given; absent: nobody wants to know. */
  readonly answered: ((answer: { route: string; status: number; seconds: number }) => void) | undefined;
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

/** The monitor of an ingest server. UserError: the port is taken. */
export async function watchIngest({
  metricsHost: host,
  metricsPort: port,
}: MetricsPlace): Promise<IngestMonitor> {
  const health = new Health();
  if (port !== undefined) {
    const { startIngestMonitor } = await import('./ingest-monitor.js');
    return await startIngestMonitor({ host, port }, health);
  }
  return {
    ...unwatched,
    watch: (name, ask) => health.watch(name, ask),
    live: () => health.live(),
    ready: () => health.ready(),
    takes() {
      health.role = 'active';
    },
    stops() {
      health.role = 'stopping';
    },
    withDashboard: () => ({ serves() {}, answered: undefined }),
    answered: undefined,
  };
}

/** The monitor of a server of the read API. UserError: the port is taken. */
export async function watchServe({
  metricsHost: host,
  metricsPort: port,
}: MetricsPlace): Promise<ServeMonitor> {
  if (port === undefined) return { ...unwatched, serves() {}, answered: undefined };
  const { startServeMonitor } = await import('./serve-monitor.js');
  return await startServeMonitor({ host, port });
}
