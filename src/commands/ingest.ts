// The HTTP server that takes clicks. Here its parts are opened and closed in order; what it does with a click is
// src/ingest/.
import { once } from 'node:events';
import { join } from 'node:path';
import { openDataDir } from '../engine/data-dir.js';
import { UsageError } from '../errors.js';
import type { Ingestion } from '../ingest/ingestion.js';
import { networksOf } from '../ingest/networks.js';
import { openIngestion } from '../ingest/open-ingestion.js';
import { refusalLog } from '../ingest/refusal-log.js';
import { SEEN_WAIT_MS, type SeenMarks, seenMarks } from '../ingest/seen-marks.js';
import { type IngestServer, startIngestServer } from '../ingest/server.js';
import type { IngestTally } from '../ingest/tally.js';
import { type IngestMonitor, watchIngest } from '../metrics/watching.js';
import { adsOption, adsTtlOption } from '../options/ads.js';
import { type CommandContext, command } from '../options/command.js';
import { ingestOptions } from '../options/ingest.js';
import { clusterOptions, connectionOf, topicOption } from '../options/kafka.js';
import { metricsOptions } from '../options/metrics.js';
import type { OptionValues } from '../options/option.js';
import { redisOption } from '../options/redis.js';
import { dashboardBesideOptions } from '../options/serve.js';
import { dataDirOption, inputOptions, methodOptions } from '../options/shared.js';
import { spoolOptions } from '../options/spool.js';
import { storeOption } from '../options/store.js';
import type { ClickLog } from '../spool/click-log.js';
import { openClickLog } from '../spool/open-click-log.js';
import { openTargets } from '../stores/open-ads.js';
import { visible } from '../ui/escape.js';
import type { Terminal } from '../ui/terminal.js';

const options = {
  ...dataDirOption,
  ...ingestOptions,
  ...adsOption,
  ...adsTtlOption,
  redis: redisOption('where ingest servers share targets, and what --mark-seen has seen', 'Ads'),
  ...clusterOptions,
  ...topicOption,
  partitions: inputOptions.partitions,
  ...spoolOptions,
  clockSkew: methodOptions.clockSkew,
  ...metricsOptions,
  ...storeOption,
  ...dashboardBesideOptions,
};
type Options = OptionValues<typeof options>;
type Context = CommandContext<typeof options>;

export const ingestCommand = command({
  name: 'ingest',
  summary: 'take clicks over HTTP',
  description:
    'GET /c/AD puts a click into the log and sends the browser on to the ad’s page; POST /v1/clicks takes clicks ' +
    'as JSON from apps and servers. The log is the embedded one, or with --brokers a Kafka topic by way of a spool ' +
    'on this disk, which a broker that is gone does not hold up. A click that was answered survives a kill -9.',
  options,
  examples: [
    ['click-agg ingest', 'on 127.0.0.1:8080 into the embedded log, with the ads of the data directory'],
    [
      'click-agg ingest --host 0.0.0.0 --brokers k1:9092 --ads postgres://agg@db/ads --redis redis://cache',
      'with servers: start as many as you like, each with a data directory of its own',
    ],
    [
      'click-agg ingest --trust-proxy 10.0.0.0/8 --country-header CF-IPCountry',
      'behind a CDN or load balancer',
    ],
  ],
  run,
});

async function run(context: Context): Promise<undefined> {
  const { options, terminal, signal } = context;
  checkUsage(options);
  const closing: (() => Promise<void>)[] = [];
  const warn = (line: string): void => terminal.warn(line);
  try {
    const monitor = await watchIngest(options);
    closing.push(() => monitor.close());
    if (monitor.url) terminal.info(`metrics on ${monitor.url}/metrics`, { metrics_url: monitor.url });
    const targets = await openTargets({ ...options, adsTtlMs: options.adsTtl }, warn);
    closing.push(() => targets.close());
    const seen = await openSeen(options, closing);
    const log = await openLog(options, warn);
    closing.push(() => log.close());
    monitor.watch('log', async () => refuseIfFull(log, options));
    const ingestion = await openIngestion({ ...{ log, targets, seen, warn }, ...detailsOf(options) });
    await openDashboard(context, monitor, closing);
    const server = await startServer(context, ingestion, monitor);
    closing.push(() => server.close());
    monitor.takes(() => ({ tally: ingestion.tally, log: log.status(), targets: targets.stats() }));
    const { url } = server;
    terminal.info(`taking clicks on ${url} into ${log.description}`, { url });
    await Promise.race([aborted(signal), log.failed]);
    monitor.stops();
    await closing.pop()?.();
    await tell(terminal, ingestion.tally);
  } finally {
    // Requests end before what they need.
    for (const close of closing.reverse()) await close();
  }
  return undefined;
}

function checkUsage(options: Options): void {
  if (options.pseudonymise && options.pseudonymKey.length === 0) {
    throw new UsageError('--pseudonymise needs a key', {
      hint: 'Put it into CLICK_AGG_PSEUDONYM_KEY, or "pseudonymKey" of a config file, and keep it.',
    });
  }
  if (options.pseudonymKey.length > 1)
    throw new UsageError('--pseudonymise takes one key: users change with it');
  if (options.markSeen && options.redis === undefined) throw new UsageError('--mark-seen needs --redis');
  if (options.countryHeader !== undefined && options.trustProxy.length === 0) {
    throw new UsageError('--country-header is believed from proxies only', {
      hint: 'Say which with --trust-proxy.',
    });
  }
}

/** Not ready: whoever routes to it would get 503. A broker that is gone is no reason, as long as clicks can wait. */
function refuseIfFull(log: ClickLog, { brokers, spoolLimit }: Options): void {
  const { waitingBytes, trouble } = log.status();
  if (waitingBytes >= spoolLimit) throw new Error('the spool is full');
  if (brokers === undefined && trouble !== undefined) throw new Error(trouble);
}

async function openSeen(options: Options, closing: (() => Promise<void>)[]): Promise<SeenMarks | undefined> {
  if (!options.markSeen || options.redis === undefined) return undefined;
  const { connectRedis } = await import('../adapters/redis/connection.js');
  // A connection of its own, since it is not waited for as long as one that knows targets.
  const connection = await connectRedis(options.redis, { answerWaitMs: SEEN_WAIT_MS });
  closing.push(() => connection.close());
  return seenMarks(connection);
}

async function openLog(options: Options, warn: (line: string) => void): Promise<ClickLog> {
  const { dataDir, topic } = options;
  const connection = connectionOf(options);
  const { logDir } = await openDataDir(dataDir);
  return await openClickLog({
    kafka: connection && { connection, topic },
    ...{ logDir, partitions: options.partitions, warn },
    spoolDir: options.spool ?? join(dataDir, 'click-spool'),
    spoolLimitBytes: options.spoolLimit,
    sync: options.spoolSync,
  });
}

function detailsOf(options: Options) {
  return {
    signingKeys: options.signingKey,
    apiKeys: options.apiKey,
    batchLimit: options.batchLimit,
    clockSkewMs: options.clockSkew,
    countryHeader: options.countryHeader,
    geoipFile: options.geoip,
    datacenterFiles: options.datacenterNetworks,
    pseudonymKey: options.pseudonymise ? options.pseudonymKey[0] : undefined,
  };
}

async function startServer(
  { options, terminal }: Context,
  ingestion: Ingestion,
  monitor: IngestMonitor,
): Promise<IngestServer> {
  const { host, port, trustProxy } = options;
  const trustedProxies = trustProxy.length === 0 ? undefined : networksOf(trustProxy, '--trust-proxy');
  return await startIngestServer({
    ...{ host, port, ingestion, trustedProxies },
    limits: {
      bodyBytes: options.bodyLimit,
      headerBytes: options.headerLimit,
      urlBytes: options.urlLimit,
      connections: options.connectionLimit,
      requests: options.rateLimit,
      windowMs: options.rateWindow,
    },
    refusals: refusalLog({ info: (line, fields) => terminal.info(line, fields), visible }),
    live: () => monitor.live(),
    ready: () => monitor.ready(),
    onAnswer: monitor.answered,
  });
}

/** The dashboard in the same process, where it is asked for. */
async function openDashboard(
  { options, terminal }: Context,
  monitor: IngestMonitor,
  closing: (() => Promise<void>)[],
): Promise<void> {
  if (!options.dashboard) return;
  const { startReadApi } = await import('../serve/start.js');
  const { dashboardHost: host, dashboardPort: port } = options;
  const warn = (line: string): void => terminal.warn(line);
  const { answered: onAnswer, serves } = monitor.withDashboard();
  const dashboard = await startReadApi({ ...options, host, port }, { web: true, onAnswer, warn });
  closing.push(() => dashboard.close());
  serves(() => dashboard.figures());
  terminal.info(`dashboard on ${dashboard.url}`, { dashboard_url: dashboard.url });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** The result: what was taken. */
async function tell(terminal: Terminal, { accepted, rejected, marked, answers }: IngestTally): Promise<void> {
  if (terminal.wantsJson) await terminal.json({ accepted, rejected, marked, answers });
  else await terminal.print(`Took ${accepted} clicks\n`);
}
