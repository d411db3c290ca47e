// The whole way in a minute, on a mixed load with faults thrown in: what a newcomer runs first. It types the
// commands that a person would type, in processes of their own, so that what it shows is what there is.
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { $ } from 'zx';
import { EXIT, UserError } from '../errors.js';
import { connectLive } from '../live/client.js';
import { command } from '../options/command.js';
import { integer, onOff, optionalText } from '../options/option.js';
import type { Terminal } from '../ui/terminal.js';

const BIN = fileURLToPath(new URL('../../bin/click-agg.js', import.meta.url));
/** The aggregator is killed when it has counted this share of the log. */
const KILL_AT = 0.5;
const POLL_MS = 30;
/** The load spreads over so much event time, so that its first minutes are closed at the end. */
const SPAN_S = 4200;
const FIRST_MINUTE = '2026-02-22T00:00Z';
const BACKFILLED_TO = '2026-02-22T00:15Z';

export const demoCommand = command({
  name: 'demo',
  summary: 'see everything in a minute',
  description:
    'Generates a mixed load, counts it while the aggregator is killed with SIGKILL half-way and started again, ' +
    'keeps the lake, recomputes everything in SQL, and shows that both agree to the click.',
  options: {
    clicks: integer({
      flag: 'clicks',
      default: '600000',
      min: 20_000,
      max: 100_000_000,
      about: 'how many clicks',
    }),
    seed: integer({ flag: 'seed', default: '7', min: 0, about: 'makes the load repeat byte for byte' }),
    dataDir: optionalText({
      flag: 'data-dir',
      value: 'DIR',
      about: 'where to work; a new folder for temporary files unless told',
    }),
    keep: onOff({ flag: 'keep', about: 'keep the data directory, to look around in it' }),
  },
  examples: [
    ['click-agg demo', 'see it'],
    ['click-agg demo --clicks 3000000 --keep', 'a larger one, and look around afterwards'],
  ],
  async run({ options, terminal, signal }) {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'click-agg-demo-'));
    const keep = options.keep || options.dataDir !== undefined;
    try {
      const outcome = await tour({ dataDir, clicks: options.clicks, seed: options.seed, terminal, signal });
      if (terminal.wantsJson) await terminal.json(outcome);
      else await terminal.print(closing(terminal, outcome, keep ? dataDir : undefined));
      return outcome.agree ? EXIT.ok : EXIT.failure;
    } finally {
      if (!keep) await rm(dataDir, { recursive: true, force: true });
    }
  },
});

interface Tour {
  dataDir: string;
  clicks: number;
  seed: number;
  terminal: Terminal;
  signal: AbortSignal;
}

interface Outcome {
  agree: boolean;
  cells: number;
  differences: number;
  ledger: Record<string, number>;
  killed_at_record: number;
}

async function tour(demo: Tour): Promise<Outcome> {
  const { clicks, seed, terminal } = demo;
  const say = async (step: string): Promise<void> => {
    if (!terminal.wantsJson) await terminal.print(`\n${terminal.style.bold(step)}\n`);
  };

  await say('1. Clicks come into the log: late ones, double clicks, redeliveries, bots, broken ones.');
  await show(demo, [
    'loadgen',
    '--count',
    `${clicks}`,
    '--seed',
    `${seed}`,
    '--event-rate',
    `${Math.ceil(clicks / SPAN_S)}`,
  ]);

  await say('2. The stream counts them. Half-way it is killed with SIGKILL, whatever it is doing.');
  const killedAt = await killHalfWay(demo);
  if (!terminal.wantsJson) await terminal.print(`killed after ${killedAt} records\n`);

  await say('3. Started again, it goes on from its last commit; the lake keeps every record as Parquet.');
  await show(demo, ['run', '--until-end', '--lake']);

  await say('4. The ads with the most clicks, as a dashboard would ask.');
  await show(demo, ['query', '--group-by', 'ad_id,campaign_id', '--top', '5']);

  await say('5. A second implementation recomputes every verdict from the lake, in SQL, and compares.');
  await show(demo, ['reconcile']);

  await say('6. Clicks that came too late are billed by a backfill of the closed period, as adjustments.');
  await show(demo, ['backfill', '--from', FIRST_MINUTE, '--to', BACKFILLED_TO]);

  await say('7. And both still agree:');
  const report = JSON.parse(await output(demo, ['reconcile', '--json'])) as {
    agree: boolean;
    cells: number;
    differences: unknown[];
    ledger: Record<string, number>;
  };
  const { agree, cells, differences, ledger } = report;
  return { agree, cells, differences: differences.length, ledger, killed_at_record: killedAt };
}

/** Starts `run`, kills it when half of the log is counted, and tells at which record that was. */
async function killHalfWay({ dataDir, clicks, signal }: Tour): Promise<number> {
  const running = $({
    nothrow: true,
    quiet: true,
  })`${process.execPath} ${BIN} run --lake --quiet --data-dir ${dataDir}`;
  let ended = false;
  running.finally(() => {
    ended = true;
  });
  while (true) {
    const live = await connectLive(dataDir);
    const status = await live?.status();
    await live?.close();
    if (status && (status.ledger.records >= clicks * KILL_AT || signal.aborted)) {
      process.kill(status.pid, 'SIGKILL');
      await running;
      if (signal.aborted) throw new UserError('stopped', { exitCode: EXIT.interrupted });
      return status.ledger.records;
    }
    if (ended) throw new UserError(`the aggregator ended by itself: ${(await running).stderr.trim()}`);
    await sleep(POLL_MS);
  }
}

/** Runs a command of ours and shows what it prints; with --json it is run for its effect alone. */
async function show(demo: Tour, args: readonly string[]): Promise<void> {
  if (demo.terminal.wantsJson) {
    await output(demo, args);
    return;
  }
  const { dataDir, terminal } = demo;
  await terminal.print(terminal.style.dim(`$ click-agg ${args.join(' ')}\n`));
  const { exitCode } = await $({
    nothrow: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  })`${process.execPath} ${BIN} ${args} --data-dir ${dataDir}`;
  if (exitCode !== 0) throw new UserError(`click-agg ${args[0]} ended with exit code ${exitCode}`);
}

/** The standard output of a command of ours. */
async function output({ dataDir }: Tour, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await $({
    nothrow: true,
    quiet: true,
  })`${process.execPath} ${BIN} ${args} --quiet --data-dir ${dataDir}`;
  if (exitCode !== 0) throw new UserError(`click-agg ${args[0]} failed: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

function closing(terminal: Terminal, outcome: Outcome, dataDir: string | undefined): string {
  const { green, red, bold } = terminal.style;
  const proof = outcome.agree
    ? green(
        `✔ stream and recomputation agree on ${outcome.cells} cells and ${outcome.ledger.records} records`,
      )
    : red(`✘ ${outcome.differences} cells differ`);
  return [
    proof,
    '',
    bold('Where to look next'),
    dataDir === undefined
      ? '  click-agg demo --keep                 keeps its data directory, to look around in'
      : `  click-agg top --data-dir ${dataDir}          the dashboard`,
    '  click-agg method                      how clicks are counted',
    '  click-agg run --input FILE            counts clicks of your own',
    '  docs/counting-method.md               the rules, with an example',
    '',
  ].join('\n');
}
