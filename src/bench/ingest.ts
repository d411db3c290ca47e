// `npm run bench -- ingest`: redirects by the real server, with real Kafka, PostgreSQL and Redis, beside a bare
// node:http server that answers 302 and does nothing, in the same run. `--soak 10m` looks at memory for so long at a
// steady rate, `--outage 5m` takes the broker away for so long.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Service, startService } from '../services/service.js';
import type { Terminal } from '../ui/terminal.js';
import { adsOfLoad, clickOver, type HttpLoadResult } from './http-load.js';
import { BIN, measure } from './measure.js';
import { ServerProcess } from './server-process.js';

const BARE = fileURLToPath(new URL('./bare-redirect.js', import.meta.url));
const TOPIC = 'clicks';
/** Each server so often, in turns: the machine may be busy with other things for a while. */
const ROUNDS = 3;
/** The compilers of Node and of Kafka's Java take more CPU at first than all else does. */
const WARM_UP_S = 20;
const SAMPLE_MS = 5000;
const WAITING = 'click_agg_ingest_spool_waiting_clicks';

export interface IngestBenchOptions {
  folder: string;
  terminal: Terminal;
  seconds: number;
  connections: number;
  /** Requests a second of soak and outage, and of the comparison at one rate. */
  rate: number;
  soakMs: number;
  outageMs: number;
}

type Row = HttpLoadResult & {
  name: string;
  /** Undefined: all it can. */
  asked: number | undefined;
  round: number;
  isBare: boolean;
  cpuUs: number | undefined;
};

/** What the real server was beside the bare one of the same round. */
interface Ratio {
  round: number;
  asked: number | undefined;
  perSecond: number;
  p50: number;
  p99: number;
  p999: number;
}

/** Measures and prints. */
export async function benchIngest(options: IngestBenchOptions): Promise<void> {
  const { folder, terminal } = options;
  const services: Service[] = [];
  const servers: ServerProcess[] = [];
  // PostgreSQL runs as another user, who must be able to reach its files.
  chmodSync(folder, 0o711);
  try {
    for (const name of ['kafka', 'postgres', 'redis'] as const) {
      services.push(await startService(name, { directory: join(folder, name) }));
    }
    const [kafka, postgres, redis] = services as [Service, Service, Service];
    const ads = ['--ads', postgres.address.url!, '--redis', redis.address.url!];
    const real = await startReal(folder, ['--brokers', kafka.address.brokers!, '--topic', TOPIC], ads);
    const bare = await ServerProcess.start([BARE]);
    servers.push(real, bare);
    const rows = await sideBySide(options, bare, real);
    const soak = options.soakMs > 0 ? await soakFor(options, real) : undefined;
    const outage = options.outageMs > 0 ? await outageOf(options, real, kafka) : undefined;
    const ratios = ratiosOf(rows);
    if (terminal.wantsJson) await terminal.json({ rows, ratios, soak, outage });
    else await print(terminal, rows, ratios, { soak, outage });
  } finally {
    for (const server of servers) await server.stop();
    for (const service of services) await service.remove();
  }
}

async function startReal(
  folder: string,
  cluster: readonly string[],
  ads: readonly string[],
): Promise<ServerProcess> {
  const file = join(folder, 'ads.ndjson');
  writeFileSync(file, adsOfLoad());
  await measure(folder, [BIN, 'topics', 'create', ...cluster, '--json', '--quiet']);
  const dataDir = ['--data-dir', join(folder, 'ingest')];
  await measure(folder, [BIN, 'ads', 'import', file, ...ads, ...dataDir, '--json', '--quiet']);
  const ports = ['--port', '0', '--metrics-port', '0'];
  return await ServerProcess.start([BIN, 'ingest', ...ports, ...cluster, ...ads, ...dataDir]);
}

async function sideBySide(
  { seconds, connections, rate }: IngestBenchOptions,
  bare: ServerProcess,
  real: ServerProcess,
): Promise<Row[]> {
  for (const { url } of [bare, real])
    await clickOver({ url, connections, seconds: WARM_UP_S, rate: undefined });
  const rows: Row[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const asked of [undefined, rate]) {
      const turn = [
        ['node:http alone', bare],
        ['click-agg ingest', real],
      ] as const;
      // Whoever comes second may have it easier, or not: that is shared.
      for (const [name, server] of round % 2 === 0 ? turn : turn.toReversed()) {
        const label = `${name}, ${asked === undefined ? 'all it can' : `${asked}/s`}`;
        process.stderr.write(`${label}, ${seconds} s …\n`);
        const before = server.cpuMs();
        const result = await clickOver({ url: server.url, connections, seconds, rate: asked });
        const after = server.cpuMs();
        const answered = Object.values(result.answers).reduce((sum, count) => sum + count, 0);
        const cpuUs =
          before === undefined || after === undefined ? undefined : ((after - before) * 1000) / answered;
        rows.push({ name: label, asked, round, isBare: server === bare, ...result, cpuUs });
        await drained(real);
      }
    }
  }
  return rows;
}

/** Until everything is in Kafka: what waits must not weigh on what is measured next. */
async function drained(real: ServerProcess): Promise<void> {
  while ((await real.metric(WAITING)) > 0) await sleep(200);
}

interface Soak extends HttpLoadResult {
  /** Memory in MB at equal distances. */
  rssMb: number[];
  waitingMax: number;
}

/** Steady load; looks at memory and the spool now and again. */
async function watched(real: ServerProcess, load: Promise<HttpLoadResult>): Promise<Soak> {
  const rssMb: number[] = [];
  let waitingMax = 0;
  let result: HttpLoadResult | undefined;
  const running = load.then((done) => {
    result = done;
  });
  while (!result) {
    await Promise.race([running, sleep(SAMPLE_MS)]);
    rssMb.push(Math.round((real.rssBytes() ?? Number.NaN) / 1e6));
    waitingMax = Math.max(waitingMax, await real.metric(WAITING));
  }
  return { ...result, rssMb, waitingMax };
}

async function soakFor(
  { connections, rate, soakMs }: IngestBenchOptions,
  real: ServerProcess,
): Promise<Soak> {
  process.stderr.write(`soak at ${rate}/s for ${soakMs / 1000} s …\n`);
  const soak = await watched(real, clickOver({ url: real.url, connections, seconds: soakMs / 1000, rate }));
  await drained(real);
  return soak;
}

interface Outage extends Soak {
  /** From the broker's return until nothing waited. */
  drainedMs: number;
  connections: number;
  /** Answers of 302, and clicks that came into the topic meanwhile. */
  acknowledged: number;
  sent: number;
}

/** Takes the broker away while clicks come. */
async function outageOf(
  { connections, rate, outageMs }: IngestBenchOptions,
  real: ServerProcess,
  kafka: Service,
): Promise<Outage> {
  process.stderr.write(`broker away for ${outageMs / 1000} s at ${rate}/s …\n`);
  const sentBefore = await real.metric('click_agg_ingest_log_sent_total');
  const load = watched(real, clickOver({ url: real.url, connections, seconds: outageMs / 1000, rate }));
  await kafka.kill();
  const result = await load;
  await kafka.start();
  const startedMs = performance.now();
  await drained(real);
  return {
    ...result,
    drainedMs: performance.now() - startedMs,
    connections,
    acknowledged: result.answers['302'] ?? 0,
    sent: (await real.metric('click_agg_ingest_log_sent_total')) - sentBefore,
  };
}

function ratiosOf(rows: readonly Row[]): Ratio[] {
  return rows.flatMap((real) => {
    const { round, asked, latencyMs } = real;
    const bare = rows.find((row) => row.isBare && row.round === round && row.asked === asked);
    if (real.isBare || !bare) return [];
    const times = (name: 'p50' | 'p99' | 'p999'): number => latencyMs[name] / bare.latencyMs[name];
    return [
      {
        ...{ round, asked, perSecond: real.perSecond / bare.perSecond },
        ...{ p50: times('p50'), p99: times('p99'), p999: times('p999') },
      },
    ];
  });
}

async function print(
  terminal: Terminal,
  rows: readonly Row[],
  ratios: readonly Ratio[],
  { soak, outage }: { soak: Soak | undefined; outage: Outage | undefined },
): Promise<void> {
  const ms = (value: number): string => value.toFixed(2);
  await terminal.table(
    ['redirects', 'a second', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs each', 'not 302'],
    rows.map(({ name, perSecond, latencyMs: { p50, p99, p999 }, cpuUs, answers, errors }) => [
      ...[name, Math.round(perSecond), ms(p50), ms(p99), ms(p999)],
      ...[cpuUs?.toFixed(0) ?? '?', notRedirected(answers, errors)],
    ]),
  );
  await terminal.table(
    ['click-agg ingest / node:http alone', 'a second', 'p50', 'p99', 'p99.9'],
    ratios.map(({ round, asked, perSecond, p50, p99, p999 }) => [
      `round ${round + 1}, ${asked === undefined ? 'all it can' : `${asked}/s`}`,
      ...[perSecond, p50, p99, p999].map((ratio) => ratio.toFixed(2)),
    ]),
  );
  const steady = [soak && (['soak', soak] as const), outage && (['outage', outage] as const)];
  for (const part of steady) {
    if (!part) continue;
    const [name, { perSecond, latencyMs, rssMb, waitingMax, answers, errors }] = part;
    await terminal.print(
      `${name}: ${Math.round(perSecond)}/s, p50 ${ms(latencyMs.p50)} ms, p99 ${ms(latencyMs.p99)} ms, ` +
        `not 302: ${notRedirected(answers, errors)}, at most ${waitingMax} clicks in the spool, ` +
        `memory in MB: ${rssMb.join(' ')}\n`,
    );
  }
  if (!outage) return;
  await terminal.print(
    `outage: ${outage.acknowledged} acknowledged, ${outage.sent} came into the topic, ` +
      `the last one ${(outage.drainedMs / 1000).toFixed(1)} s after the broker was back ` +
      `(the load hangs up at its end: up to ${outage.connections} more were taken than it heard of)\n`,
  );
}

function notRedirected(answers: Readonly<Record<string, number>>, errors: number): number {
  return Object.entries(answers).reduce(
    (sum, [status, count]) => (status === '302' ? sum : sum + count),
    errors,
  );
}
