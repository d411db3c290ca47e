// `npm run bench`: how fast, with how much memory, and how both grow. Everything is measured in one run, one
// after the other, each in a process of its own, so that the ratios hold whatever machine this is.
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { createTerminal } from '../ui/create-terminal.js';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const BIN = here('../../bin/click-agg.js');
const HOOK = here('./usage-hook.js');

interface Measure {
  seconds: number;
  cpuS: number;
  rssBytes: number;
  /** What the process printed: a JSON document. */
  result: unknown;
}

const folder = mkdtempSync(join(tmpdir(), 'click-agg-bench-'));

/** Runs a script of ours to its end. */
async function measure(args: readonly string[]): Promise<Measure> {
  const usageFile = join(folder, 'usage.json');
  const startedMs = performance.now();
  const { exitCode, stdout, stderr } = await $({
    quiet: true,
    nothrow: true,
    env: { ...process.env, BENCH_USAGE_FILE: usageFile },
  })`${process.execPath} --import ${HOOK} ${args}`;
  const seconds = (performance.now() - startedMs) / 1000;
  if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  const usage = JSON.parse(readFileSync(usageFile, 'utf8')) as Pick<Measure, 'cpuS' | 'rssBytes'>;
  return { seconds, ...usage, result: JSON.parse(stdout) };
}

interface RunResult {
  horizon: { clicks: number; bytes: number };
}

/** One size of load through everything that is asked for. */
async function round(clicks: number, names: ReadonlySet<string>): Promise<Map<string, Measure>> {
  const directory = join(folder, String(clicks));
  const file = `${directory}.ndjson`;
  const lake = `${directory}-lake`;
  const common = ['--json', '--quiet'];
  const steps: [name: string, args: string[]][] = [
    ['loadgen to a file', [BIN, 'loadgen', '--count', String(clicks), '--output', file, ...common]],
    ['JSON.parse alone', [here('./json-parse.js'), file]],
    ['obvious engine', [here('./obvious-engine.js'), file]],
    ['run', [BIN, 'run', '--input', file, '--data-dir', `${directory}-run`, ...common]],
    ['lake', [BIN, 'lake', '--input', file, '--data-dir', `${directory}-data`, '--lake', lake, ...common]],
    ['recomputation', [here('./recompute.js'), lake]],
  ];
  const measures = new Map<string, Measure>();
  for (const [name, args] of steps) {
    if (!names.has(name)) continue;
    process.stderr.write(`${name}, ${clicks} clicks …\n`);
    measures.set(name, await measure(args));
  }
  await rm(file);
  return measures;
}

const EVERYTHING = new Set([
  'loadgen to a file',
  'JSON.parse alone',
  'obvious engine',
  'run',
  'lake',
  'recomputation',
]);
const GROWTH = new Set(['loadgen to a file', 'run', 'lake', 'recomputation']);

const { values } = parseArgs({
  options: {
    clicks: { type: 'string', default: '3000000' },
    growth: { type: 'string', default: '1000000,10000000' },
    json: { type: 'boolean', default: false },
  },
});
const terminal = createTerminal({
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  json: values.json,
  quiet: false,
  noColor: false,
  nowMs: () => Date.now(),
});
const clicks = Number(values.clicks);
const sizes = values.growth === '' ? [] : values.growth.split(',').map(Number);

try {
  const main = await round(clicks, EVERYTHING);
  const growth = new Map<number, Map<string, Measure>>();
  for (const size of sizes) growth.set(size, await round(size, GROWTH));
  if (values.json) {
    const plain = (measures: Map<string, Measure>): unknown => Object.fromEntries(measures);
    await terminal.json({
      clicks,
      main: plain(main),
      growth: Object.fromEntries([...growth].map(([size, each]) => [size, plain(each)])),
    });
  } else {
    await printMain(main);
    await printGrowth(growth);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function printMain(measures: Map<string, Measure>): Promise<void> {
  const obvious = measures.get('obvious engine')!.seconds;
  await terminal.table(
    [`${clicks} clicks`, 'clicks/s', 'x obvious', 'seconds', 'CPU s', 'peak MB'],
    [...measures].map(([name, { seconds, cpuS, rssBytes }]) => [
      name,
      Math.round(clicks / seconds),
      (obvious / seconds).toFixed(2),
      seconds.toFixed(1),
      cpuS.toFixed(1),
      Math.round(rssBytes / 1e6),
    ]),
  );
  const { horizon } = measures.get('run')!.result as RunResult;
  const each = horizon.clicks === 0 ? 0 : horizon.bytes / horizon.clicks;
  await terminal.print(`run holds ${horizon.clicks} clicks of the horizon, ${each.toFixed(1)} bytes each\n`);
}

async function printGrowth(growth: Map<number, Map<string, Measure>>): Promise<void> {
  if (growth.size === 0) return;
  const names = [...growth.values().next().value!.keys()];
  await terminal.table(
    ['growth', ...[...growth.keys()].flatMap((size) => [`${size}: clicks/s`, 'peak MB'])],
    names.map((name) => [
      name,
      ...[...growth].flatMap(([size, measures]) => {
        const { seconds, rssBytes } = measures.get(name)!;
        return [Math.round(size / seconds), Math.round(rssBytes / 1e6)];
      }),
    ]),
  );
}
