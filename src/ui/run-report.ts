// What `run` tells while it counts (a line that moves, or a line now and then) and when it is done.
import type { FollowerStatus, LiveStatus } from '../core/live-status.js';
import type { LogFields, ProgressBar, Terminal } from './terminal.js';

/** On no terminal a line of status comes this often, ms. */
const LINE_EVERY_MS = 5000;

/** What the lake got meanwhile. */
export interface LakeGain {
  /** Records. */
  committed: number;
  files: number;
  bytes: number;
}

export interface RunReporter {
  /** Another process may be counting; this one waits for its turn. */
  standsBy(source: string): void;
  begin(source: string, untilEnd: boolean): void;
  status(status: LiveStatus): void;
  end(): void;
  /** The result on standard output; without a status it has only stood by. */
  result(source: string, status: LiveStatus | undefined, lake: LakeGain | undefined): Promise<void>;
}

/** A reporter for one run. */
export function runReporter(terminal: Terminal): RunReporter {
  let bar: ProgressBar | undefined;
  let lastLineMs = Date.now();
  return {
    standsBy(source) {
      terminal.info(`standing by for ${source}: waiting for its turn in the consumer group`, { source });
    },
    begin(source, untilEnd) {
      terminal.info(untilEnd ? `counting ${source}` : `counting ${source}; stop with Ctrl-C`, { source });
      if (terminal.interactive && !terminal.logsJson) bar = terminal.progress('counting', undefined);
    },
    status(status) {
      bar?.update(status.records, statusNote(status));
      if (bar || Date.now() - lastLineMs < LINE_EVERY_MS) return;
      lastLineMs = Date.now();
      terminal.info(`${status.records} records, ${statusNote(status)}`, statusFields(status));
    },
    end() {
      bar?.stop();
    },
    async result(source, status, lake) {
      if (terminal.wantsJson)
        await terminal.json(status ? resultOf(status, lake) : { source, stood_by: true });
      else if (status) await printResult(terminal, status, lake);
      else terminal.info('stopped while it stood by: it has counted nothing');
    },
  };
}

/** The least watermark and the lag of all partitions. */
function progressOf({ partitions }: LiveStatus): { watermark: string | undefined; lag: number } {
  const watermarks = partitions.flatMap(({ watermarkMs }) =>
    watermarkMs === undefined ? [] : [watermarkMs],
  );
  const watermark = watermarks.length === 0 ? undefined : timeOf(Math.min(...watermarks));
  const lags = partitions.map(({ end, position }) => (end === undefined ? 0 : Math.max(0, end - position)));
  return { watermark, lag: lags.reduce((sum, each) => sum + each, 0) };
}

/** `statusNote` for machines. */
function statusFields(status: LiveStatus): LogFields {
  return {
    records: status.records,
    records_per_second: Math.round(status.recordsPerSecond),
    ...progressOf(status),
    ledger: status.ledger,
    rss_bytes: status.rssBytes,
    ...followersOf(status),
  };
}

function followersOf({ followers }: LiveStatus): LogFields {
  if (!followers) return {};
  const shown = followers.map(({ store, commits, behind, trouble }) => ({
    ...{ store, commits: commits ?? null, behind: behind ?? null, trouble: trouble ?? null },
  }));
  return { followers: shown };
}

/** Rate, watermark, lag, dead letters and memory in one line. */
function statusNote(status: LiveStatus): string {
  const { ledger } = status;
  const { watermark = 'none', lag } = progressOf(status);
  return [
    `${Math.round(status.recordsPerSecond)}/s`,
    `watermark ${watermark}`,
    ...(lag > 0 ? [`lag ${lag}`] : []),
    `billable ${ledger.billable}`,
    `dropped ${ledger.records - ledger.billable}`,
    `${Math.round(status.rssBytes / 1_000_000)} MB`,
    ...(status.followers ?? []).filter(isLate).map(({ store, behind }) => `${store} ${behind ?? '?'} behind`),
  ].join(', ');
}

/** A commit that is under way is no delay. */
function isLate({ behind, trouble }: FollowerStatus): boolean {
  return trouble !== undefined || (behind ?? 0) > 1;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function resultOf(status: LiveStatus, lake: LakeGain | undefined): unknown {
  const seconds = (Date.now() - status.startedAtMs) / 1000;
  return {
    source: status.source,
    method_hash: status.methodHash,
    records_read: status.records,
    seconds,
    ledger: status.ledger,
    horizon: { clicks: status.horizonClicks, bytes: status.horizonBytes },
    rss_bytes: status.rssBytes,
    ...followersOf(status),
    partitions: status.partitions.map(({ partition, position, end, watermarkMs }) => ({
      partition,
      position,
      end: end ?? null,
      watermark: watermarkMs === undefined ? null : timeOf(watermarkMs),
    })),
    ...(lake ? { lake: { records: lake.committed, files: lake.files, bytes: lake.bytes } } : {}),
  };
}

async function printResult(
  terminal: Terminal,
  status: LiveStatus,
  lake: LakeGain | undefined,
): Promise<void> {
  const { ledger } = status;
  const share = (count: number): string =>
    ledger.records === 0 ? '' : `${((count / ledger.records) * 100).toFixed(2)} %`;
  const { records, ...verdicts } = ledger;
  await terminal.table(
    ['verdict', 'records', 'share'],
    [
      ...Object.entries(verdicts).map(([verdict, count]) => [verdict, count, share(count)]),
      ['all', records, share(records)],
    ],
  );
  await terminal.table(
    ['partition', 'position', 'lag', 'watermark'],
    status.partitions.map(({ partition, position, end, watermarkMs }) => [
      partition,
      position,
      end === undefined ? '' : Math.max(0, end - position),
      watermarkMs === undefined ? 'none' : timeOf(watermarkMs),
    ]),
  );
  if (status.followers) {
    await terminal.table(
      ['store that follows', 'commits', 'behind'],
      status.followers.map(({ store, commits, behind }) => [store, commits ?? '?', behind ?? '?']),
    );
  }
  if (lake) await terminal.print(`The lake got ${lake.committed} records in ${lake.files} files.\n`);
}
