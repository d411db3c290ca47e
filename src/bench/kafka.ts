// `npm run bench -- kafka`: `run` and `lake` from a real Kafka beside kafkajs reading the same topic and doing
// nothing with it, and `loadgen` into it; all in one run, each in a process of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startService } from '../services/service.js';
import type { Terminal } from '../ui/terminal.js';
import { BIN, type Measure, measure } from './measure.js';

const ALONE = fileURLToPath(new URL('./kafkajs-alone.js', import.meta.url));
/** kafkajs alone, handing over whole batches (as it is fastest), or record by record (as it is used most). */
const BY_BATCH = 'kafkajs alone, by batch';
const BY_MESSAGE = 'kafkajs alone, by message';
const WRITES = fileURLToPath(new URL('./kafkajs-writes.js', import.meta.url));

export interface KafkaBenchOptions {
  clicks: number;
  folder: string;
  /** Of a cluster that is there; undefined: one is started for this. */
  brokers: string | undefined;
  terminal: Terminal;
}

/** Measures and prints. */
export async function benchKafka({ clicks, folder, brokers, terminal }: KafkaBenchOptions): Promise<void> {
  const own =
    brokers === undefined ? await startService('kafka', { directory: join(folder, 'kafka') }) : undefined;
  try {
    const measures = await measureAll(clicks, folder, brokers ?? own!.address.brokers!);
    if (terminal.wantsJson) await terminal.json({ clicks, measures: Object.fromEntries(measures) });
    else await print(terminal, clicks, measures);
  } finally {
    await own?.remove();
  }
}

async function measureAll(clicks: number, folder: string, brokers: string): Promise<Map<string, Measure>> {
  const topic = `click-agg-bench-${Date.now()}`;
  const cluster = ['--brokers', brokers, '--topic', topic];
  const common = ['--json', '--quiet'];
  await measure(folder, [BIN, 'topics', 'create', ...cluster, ...common]);
  const reader = (name: string): string[] => [
    ...[
      ...cluster,
      '--group',
      `${topic}-${name}`,
      '--until-end',
      '--data-dir',
      join(folder, `kafka-${name}`),
    ],
    ...common,
  ];
  const file = join(folder, 'clicks.ndjson');
  await measure(folder, [BIN, 'loadgen', '--count', String(clicks), '--output', file, ...common]);
  const written = `${topic}-written`;
  await measure(folder, [BIN, 'topics', 'create', '--brokers', brokers, '--topic', written, ...common]);
  const steps: [name: string, args: string[]][] = [
    ['kafkajs writing alone', [WRITES, brokers, written, file]],
    ['loadgen to Kafka', [BIN, 'loadgen', '--count', String(clicks), ...cluster, ...common]],
    [BY_BATCH, [ALONE, brokers, topic, 'batch']],
    [BY_MESSAGE, [ALONE, brokers, topic, 'message']],
    ['run from Kafka', [BIN, 'run', ...reader('run')]],
    [`${BY_MESSAGE}, again`, [ALONE, brokers, topic, 'message']],
    [`${BY_BATCH}, again`, [ALONE, brokers, topic, 'batch']],
    ['lake from Kafka', [BIN, 'lake', ...reader('lake')]],
  ];
  const measures = new Map<string, Measure>();
  for (const [name, args] of steps) {
    process.stderr.write(`${name}, ${clicks} clicks …\n`);
    measures.set(name, await measure(folder, args));
  }
  return measures;
}

async function print(terminal: Terminal, clicks: number, measures: Map<string, Measure>): Promise<void> {
  const mean = (name: string): number =>
    (measures.get(name)!.seconds + measures.get(`${name}, again`)!.seconds) / 2;
  const [byBatch, byMessage] = [mean(BY_BATCH), mean(BY_MESSAGE)];
  await terminal.table(
    [`${clicks} clicks`, 'clicks/s', 'x by batch', 'x by message', 'seconds', 'CPU s', 'peak MB'],
    [...measures].map(([name, { seconds, cpuS, rssBytes }]) => [
      name,
      Math.round(clicks / seconds),
      (byBatch / seconds).toFixed(2),
      (byMessage / seconds).toFixed(2),
      seconds.toFixed(1),
      cpuS.toFixed(1),
      Math.round(rssBytes / 1e6),
    ]),
  );
}
