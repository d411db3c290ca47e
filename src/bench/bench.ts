// `npm run bench`: how fast, with how much memory, and how both grow. Everything is measured in one run, one
// after the other, each in a process of its own, so that the ratios hold whatever machine this is.
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { UsageError, UserError } from '../errors.js';
import { parseDurationMs } from '../options/option.js';
import { createTerminal } from '../ui/create-terminal.js';
import { benchIngest } from './ingest.js';
import { benchKafka } from './kafka.js';
import { BIN, type Measure, measure } from './measure.js';
import { benchStores } from './stores.js';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'click-agg-bench-'));

interface RunResult {
  horizon: { clicks: number; bytes: number };
}

const VERSION_1 = ['--invalid-traffic', 'off'];

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
    // What the verdict `invalid_traffic` costs: the same clicks without it.
    [
      'run, method 1',
      [BIN, 'run', '--input', file, '--data-dir', `${directory}-run-1`, ...VERSION_1, ...common],
    ],
    ['lake', [BIN, 'lake', '--input', file, '--data-dir', `${directory}-data`, '--lake', lake, ...common]],
    ['recomputation', [here('./recompute.js'), lake]],
    ['recomputation, method 1', [here('./recompute.js'), lake, ...VERSION_1]],
  ];
  const measures = new Map<string, Measure>();
  for (const [name, args] of steps) {
    if (!names.has(name)) continue;
    process.stderr.write(`${name}, ${clicks} clicks …\n`);
    measures.set(name, await measure(folder, args));
  }
  await rm(file);
  return measures;
}

const EVERYTHING = new Set([
  'loadgen to a file',
  'JSON.parse alone',
  'obvious engine',
  'run',
  'run, method 1',
  'lake',
  'recomputation',
  'recomputation, method 1',
]);
const GROWTH = new Set(['loadgen to a file', 'run', 'lake', 'recomputation']);

// `kafka`, `stores`, `ingest`: only that part.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    brokers: { type: 'string' },
    clicks: { type: 'string', default: '3000000' },
    growth: { type: 'string', default: '1000000,10000000' },
    json: { type: 'boolean', default: false },
    // Of `stores`.
    totals: { type: 'string', default: '10000000' },
    'fill-limit': { type: 'string', default: '10m' },
    only: { type: 'string', default: '' },
    // Of `ingest`.
    seconds: { type: 'string', default: '15' },
    connections: { type: 'string', default: '128' },
    rate: { type: 'string', default: '5000' },
    soak: { type: 'string', default: '0' },
    outage: { type: 'string', default: '0' },
  },
});
const durationOf = (name: string, text: string): number => {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new UsageError(`--${name}: not a duration such as 10m: ${text}`);
  return ms;
};
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
  if (positionals.includes('kafka')) {
    await benchKafka({ clicks, folder, brokers: values.brokers, terminal });
  } else if (positionals.includes('stores')) {
    await benchStores({
      ...{ folder, terminal, totals: Number(values.totals), measure: (args) => measure(folder, args) },
      fillMs: durationOf('fill-limit', values['fill-limit']),
      only: values.only === '' ? [] : values.only.split(','),
    });
  } else if (positionals.includes('ingest')) {
    await benchIngest({
      ...{ folder, terminal, seconds: Number(values.seconds), connections: Number(values.connections) },
      rate: Number(values.rate),
      soakMs: parseDurationMs(values.soak) ?? 0,
      outageMs: parseDurationMs(values.outage) ?? 0,
    });
  } else await benchAll();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`Error: ${error.message}\n`);
  process.exitCode = error.exitCode;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function benchAll(): Promise<void> {
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
