// Generates clicks as they come in life, into the embedded log, a file or standard output, and tells what it
// put in of each kind. How clicks are made is core/loadgen's; how fast, engine/loadgen-pace's.
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMeta } from '../adapters/embedded/layout.js';
import { openLogWriter } from '../adapters/embedded/log-writer.js';
import type { KafkaConnection } from '../adapters/kafka/connection.js';
import { topicWriter } from '../adapters/kafka/topic-writer.js';
import { SteadyArrivals } from '../core/loadgen/arrivals.js';
import { ClickGenerator } from '../core/loadgen/generator.js';
import { type Form, KINDS, type Kind, type LoadProfile } from '../core/loadgen/profile.js';
import type { Truth } from '../core/loadgen/truth.js';
import {
  fileError,
  fileOutput,
  type LoadOutput,
  logOutput,
  printedOutput,
} from '../engine/loadgen-output.js';
import { runAtFullSpeed, runPaced } from '../engine/loadgen-pace.js';
import { EXIT, UsageError } from '../errors.js';
import { type CommandContext, command } from '../options/command.js';
import { connectionOf } from '../options/kafka.js';
import { loadgenOptions } from '../options/loadgen.js';
import type { OptionValues } from '../options/option.js';
import { methodOf } from '../options/shared.js';
import { pause } from '../pause.js';
import { compact, duration } from '../ui/progress.js';
import type { Terminal } from '../ui/terminal.js';

type Options = OptionValues<typeof loadgenOptions>;

const START_DEFAULT_MS = Date.UTC(2026, 1, 22);
/** Times of four digits of year, with room for late and future clicks around. */
const START_END_MS = Date.UTC(9000, 0, 1);
const EVENT_RATE_DEFAULT = 1000;
const PARTITIONS_DEFAULT = 6;
const FUTURE_DEFAULT = 0.0005;

const MEANING: Readonly<Record<Kind, string>> = {
  ordinary: 'reaches the log within half a second',
  disordered: 'sound and in time, but behind younger clicks',
  late: 'its minute is closed, the allowed lateness is not over',
  too_late: 'the allowed lateness is over',
  duplicate: 'an earlier record again',
  double_click: 'same user and ad, shortly after another click',
  bot: 'in a burst from one IP address',
  invalid_traffic: 'marked as a crawler’s, a data centre’s or a prefetch',
  unusual: 'sound, in a rare form',
  malformed: 'invalid by its bytes',
  future: 'event time beyond append time and clock skew',
};

export const loadgenCommand = command({
  name: 'loadgen',
  summary: 'generate clicks as they come in life',
  description:
    'Writes clicks to the embedded log, with --brokers to a Kafka topic, or with --output to a file or standard ' +
    'output: ads popular by ' +
    "Zipf's law, day and night, and everything that goes wrong in a log by the share that you ask for. It " +
    'prints what it put in of each kind. With --rate and no --start it is a live source whose event times ' +
    'are now; else time is virtual, and a seed repeats byte for byte.',
  options: loadgenOptions,
  examples: [
    ['click-agg loadgen --count 1000000', 'a million clicks into the embedded log'],
    ['click-agg loadgen --rate 2000 --duration 10m', 'a live log for ten minutes'],
    [
      'click-agg loadgen -n 3000000 -o clicks.ndjson --truth truth.json',
      'a file of lines, and what is in it',
    ],
    ['click-agg loadgen -n 100000 --seed 7 --late 5% --bots 10% -o -', 'another mix, to standard output'],
    ['click-agg loadgen --brokers localhost:9092 --rate 5000', 'a live source of the Kafka topic clicks'],
    ['click-agg loadgen -n 1000000 --event-rate 100 --format kcat -o day.ndjson', 'three hours as kcat -J'],
  ],
  async run(context) {
    const { options, signal } = context;
    checkUsage(options);
    if (options.truth !== undefined) await checkWritable(options.truth);
    const target = await openTarget(options, context.terminal);
    try {
      const profile = profileOf(options, target);
      warnOfTimes(context.terminal, profile, target);
      const { truth, elapsedMs } = await generate(context, profile, target);
      await target.output.close();
      await report(context, truth, target, elapsedMs);
    } finally {
      await target.output.close();
    }
    const endless = options.count === undefined && options.duration === undefined;
    return signal.aborted && !endless ? EXIT.interrupted : EXIT.ok;
  },
});

function checkUsage(options: Options): void {
  const { count, rate, duration: durationMs, start, eventRate } = options;
  if (count === undefined && rate === undefined) {
    throw new UsageError('say how many clicks: --count N, or --rate R with --duration D', {
      hint: 'For instance: click-agg loadgen --count 100000',
    });
  }
  if (durationMs !== undefined && rate === undefined) throw new UsageError('--duration needs --rate');
  if (eventRate !== undefined && rate !== undefined && start === undefined) {
    throw new UsageError('--event-rate needs --start when there is a --rate', {
      hint: 'Without --start, event times follow the clock.',
    });
  }
  if (start !== undefined && (start < 0 || start >= START_END_MS)) {
    throw new UsageError('--start must be from 1970 to 8999');
  }
  if (options.brokers !== undefined && options.output !== undefined) {
    throw new UsageError('give --brokers or --output, not both');
  }
  if (options.format === 'kcat' && options.output === undefined) {
    throw new UsageError('--format kcat needs --output FILE, or --output - for standard output');
  }
  const { disorder, late, tooLate, duplicates, doubleClicks, bots, malformed, future = 0, unusual } = options;
  const repeated = duplicates + doubleClicks + bots + options.invalidTrafficShare;
  const sum = disorder + late + tooLate + repeated + malformed + future + unusual;
  if (sum > 1 + 1e-9) {
    throw new UsageError(`the shares of what goes wrong sum to ${sum.toFixed(4)}, which is more than 1`);
  }
}

/** Finds out before the work and not after it. */
async function checkWritable(path: string): Promise<void> {
  try {
    await (await open(path, 'a')).close();
  } catch (error) {
    throw fileError(error, path);
  }
}

interface Target {
  output: LoadOutput;
  form: Form;
  partitions: number;
  /** Newest append time that is in the log already, epoch ms; -Infinity in a new one. */
  newestMs: number;
  /** Whether records get their append time from the log and not from the load: a topic with LogAppendTime. */
  timedByLog: boolean;
}

async function openTarget(options: Options, terminal: Terminal): Promise<Target> {
  const { output, format } = options;
  if (output !== undefined) {
    const partitions = options.partitions ?? PARTITIONS_DEFAULT;
    const lines = output === '-' ? printedOutput(terminal.print) : await fileOutput(output);
    return { output: onceClosed(lines), form: format, partitions, newestMs: -Infinity, timedByLog: false };
  }
  const connection = connectionOf(options);
  if (connection) return topicTarget(connection, options, terminal);
  const logDir = join(options.dataDir, 'log');
  const partitions = options.partitions ?? (await readMeta(logDir))?.partitions ?? PARTITIONS_DEFAULT;
  const log = await openLogWriter(logDir, { partitions });
  const newestMs = log.newestAppendMs();
  const toLog = onceClosed(logOutput(`the log ${logDir}`, log));
  return { output: toLog, form: 'records', partitions, newestMs, timedByLog: false };
}

async function topicTarget(
  connection: KafkaConnection,
  options: Options,
  terminal: Terminal,
): Promise<Target> {
  const { topic } = options;
  const writer = await topicWriter({ connection, topic, warn: (line) => terminal.warn(line) });
  const { partitions, description, timedByLog } = writer;
  if (options.partitions !== undefined && options.partitions !== partitions) {
    await writer.close();
    throw new UsageError(`topic ${topic} has ${partitions} partitions, not ${options.partitions}`);
  }
  const output = onceClosed(logOutput(description, writer));
  return { output, form: 'records', partitions, newestMs: -Infinity, timedByLog };
}

/** Closing a second time does nothing: closed when done to be sure of the write, and on every other way out. */
function onceClosed(output: LoadOutput): LoadOutput {
  let closing: Promise<void> | undefined;
  return {
    ...output,
    close() {
      closing ??= output.close();
      return closing;
    },
  };
}

function profileOf(options: Options, { form, partitions, newestMs, timedByLog }: Target): LoadProfile {
  const isLive = options.rate !== undefined && options.start === undefined;
  const continued = newestMs > 0 ? newestMs + 1 : START_DEFAULT_MS;
  return {
    seed: options.seed,
    form,
    startMs: isLive ? Date.now() : (options.start ?? continued),
    clicksPerSecond: options.eventRate ?? options.rate ?? EVENT_RATE_DEFAULT,
    dayNight: options.dayNight,
    ads: options.ads,
    campaigns: options.campaigns,
    users: options.users,
    zipf: options.zipf,
    shares: {
      disordered: options.disorder,
      late: options.late,
      too_late: options.tooLate,
      duplicate: options.duplicates,
      double_click: options.doubleClicks,
      invalid_traffic: options.invalidTrafficShare,
      unusual: options.unusual,
      malformed: options.malformed,
      future: options.future ?? (form === 'clicks' || (timedByLog && !isLive) ? 0 : FUTURE_DEFAULT),
    },
    bots: options.bots,
    disorderByMs: options.disorderBy,
    epochTimes: options.epochTimes,
    userAgents: options.userAgents,
    referrers: options.referrers,
    impressions: options.impressions,
    ipv6: options.ipv6,
    countries: options.countries,
    devices: options.devices,
    partitions,
    method: methodOf(options),
  };
}

function warnOfTimes(terminal: Terminal, profile: LoadProfile, target: Target): void {
  if (profile.startMs < target.newestMs) {
    terminal.warn(
      `${target.output.name} already reaches ${new Date(target.newestMs).toISOString()}: ` +
        'clicks from before that are late there',
    );
  }
  if (target.timedByLog && profile.shares.future > 0 && profile.startMs < Date.now() - 60_000) {
    terminal.warn(
      'this topic sets the append times: clicks from the future are none there, and make others late',
    );
  }
  if (profile.form === 'clicks' && profile.shares.future > 0) {
    terminal.warn(
      'bare clicks carry no append time: those from the future will count, and make others late; ' +
        '--format kcat carries it',
    );
  }
}

async function generate(
  { options, terminal, signal }: CommandContext<typeof loadgenOptions>,
  profile: LoadProfile,
  { output }: Target,
): Promise<{ truth: Truth; elapsedMs: number }> {
  const { rate, count, duration: durationMs } = options;
  const arrivals =
    rate !== undefined && options.start === undefined ? new SteadyArrivals(profile.startMs) : undefined;
  const generator = new ClickGenerator(profile, arrivals);
  const due = rate !== undefined && durationMs !== undefined ? (rate * durationMs) / 1000 : Infinity;
  const total = Math.min(count ?? Infinity, due);
  const bar = terminal.progress(`to ${output.name}`, Number.isFinite(total) ? total : undefined);
  const run = { generator, output, countMax: count, signal, onProgress: bar.update };
  const startedMs = performance.now();
  try {
    if (rate === undefined) await runAtFullSpeed(run);
    else {
      await runPaced(run, {
        perSecond: rate,
        durationMs,
        live: arrivals && { arrivals, startMs: profile.startMs },
        nowMs: () => performance.now(),
        sleep: (ms) => pause(ms, signal),
      });
    }
  } finally {
    bar.stop();
  }
  const truth = generator.truth();
  if (!signal.aborted && Number.isFinite(total) && truth.records < Math.floor(total)) {
    terminal.warn(`${truth.records} of ${total} clicks were made in that time: this rate is too high here`);
  }
  return { truth, elapsedMs: performance.now() - startedMs };
}

async function report(
  { options, terminal, signal }: CommandContext<typeof loadgenOptions>,
  truth: Truth,
  { output }: Target,
  elapsedMs: number,
): Promise<void> {
  const result = {
    ...truth,
    output: output.name,
    stopped: signal.aborted,
    elapsed_ms: Math.round(elapsedMs),
  };
  if (options.truth !== undefined) {
    try {
      await writeFile(options.truth, `${JSON.stringify(result, null, 2)}\n`);
    } catch (error) {
      throw fileError(error, options.truth);
    }
  }
  const { records, bytes } = truth;
  const perSecond = elapsedMs > 0 ? (records * 1000) / elapsedMs : 0;
  terminal.info(
    `${signal.aborted ? 'stopped: ' : ''}wrote ${records.toLocaleString('en-US')} records (${compact(bytes)}B) ` +
      `to ${output.name} in ${duration(elapsedMs)}, ${compact(perSecond)}/s; seed ${truth.seed}, ` +
      `arrivals ${truth.first_arrival ?? 'none'} to ${truth.last_arrival ?? 'none'}`,
  );
  if (options.output === '-') reportAside(terminal, result);
  else if (terminal.wantsJson) await terminal.json(result);
  else {
    await terminal.table(
      ['kind', 'records', 'share', 'what it is'],
      KINDS.map((kind) => [kind, truth.kinds[kind], percent(truth.kinds[kind], records), MEANING[kind]]),
    );
  }
}

/** Standard output holds the clicks: the account goes to standard error. */
function reportAside(terminal: Terminal, result: Truth): void {
  if (terminal.wantsJson) terminal.info(JSON.stringify(result));
  else {
    for (const kind of KINDS) {
      const count = result.kinds[kind];
      terminal.info(`  ${kind.padEnd(15)} ${String(count).padStart(10)}  ${percent(count, result.records)}`);
    }
  }
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '0.00 %' : `${((part * 100) / whole).toFixed(2)} %`;
}
