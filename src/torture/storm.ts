// A storm: real Kafka, real PostgreSQL, real processes of click-agg under load, while they are killed, paused and
// started again at random moments; then calm, and the proof that nothing was lost and nothing counted twice.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Random } from '../core/loadgen/random.js';
import type { PartName } from '../services/part.js';
import { killService, type Service, startService } from '../services/service.js';
import { STORE_SERVERS, type StoreName } from '../services/store-servers.js';
import { type Bursts, startBursts } from './bursts.js';
import { deal, FAULTS, FOLLOWER_FAULTS, type Victims } from './faults.js';
import { type Load, startLoad } from './load.js';
import { deleteOldRecords } from './old-records.js';
import { activeOf, Program } from './program.js';
import { type Proof, prove } from './proof.js';
import { type Census, endsOf, newCensus, quietKafka } from './topic-census.js';

const BIN = fileURLToPath(new URL('../../bin/click-agg.js', import.meta.url));
const TOPIC = 'clicks';
const SCHEMA = 'click_agg';
const SESSION_TIMEOUT_MS = 6000;
const PARTITIONS_FIRST = 4;
const PARTITIONS_ADDED = 2;
const PARTITIONS_MAX = 10;
/** Between two faults. */
const QUIET_MS_MIN = 500;
const QUIET_MS_MAX = 6000;
/** So many faults wait until a run counts, for so long at most. */
const RECOVERED_SHARE = 0.6;
const RECOVERED_MS = 30_000;
/** When the load has ended, everything is counted within this time. */
const CALM_MS = 240_000;
const POLL_MS = 500;

export interface StormOptions {
  seed: number;
  /** How long faults are dealt out, ms. */
  durationMs: number;
  /** Here live the lake, the programs' own files and their logs. */
  directory: string;
  /** The folder of a server. */
  serverFolder: (name: PartName | 'follower') => string;
  /** Another store, which follows PostgreSQL. */
  follower?: StoreName | undefined;
  /** Records a second. */
  rate: number;
  signal: AbortSignal;
  say: (line: string) => void;
}

export interface StormOutcome extends Proof {
  /** How often each fault struck. */
  faults: Record<string, number>;
  /** Starts of each program. */
  starts: Record<string, number>;
  /** Ends of each program that were not asked for. */
  ownEnds: Record<string, number>;
  /** What was deleted of the topic meanwhile, by retention. */
  deletedRecords: number;
}

/** Lets it rage, then looks. */
export async function storm(options: StormOptions): Promise<StormOutcome> {
  let scene: Scene | undefined;
  try {
    scene = await setUp(options);
    const faults = await rage(options, scene);
    options.say('calm: the load ends, all is counted');
    const problems = await calm(scene, options);
    const proof = await prove(scene.evidence, scene.census);
    const all = scene.programs;
    for (const program of all) {
      const bug = program.bug();
      if (bug !== undefined) problems.push(`${program.name} says in ${program.logFile}:\n${bug}`);
    }
    return {
      ...proof,
      problems: [...problems, ...proof.problems],
      faults,
      deletedRecords: scene.deletedRecords,
      starts: Object.fromEntries(all.map(({ name, starts }) => [name, starts])),
      ownEnds: Object.fromEntries(all.map(({ name, ownEnds }) => [name, ownEnds])),
    };
  } finally {
    scene?.bursts.abandon();
    for (const program of scene?.programs ?? []) await program.discard();
    for (const name of ['kafka', 'postgres', 'follower'] as const)
      await killService(options.serverFolder(name));
  }
}

interface Scene {
  kafka: Service;
  postgres: Service;
  follower: Service | undefined;
  /** What names the stores to a run, beside the environment. */
  stores: readonly string[];
  environment: Record<string, string>;
  programs: readonly Program[];
  runs: Victims['runs'];
  lake: Program;
  load: Load;
  bursts: Bursts;
  evidence: Parameters<typeof prove>[0];
  /** What the topic was seen to hold before old records were deleted. */
  census: Census;
  deletedRecords: number;
}

async function setUp(options: StormOptions): Promise<Scene> {
  const { directory, serverFolder, seed, rate, say } = options;
  const kafka = await startService('kafka', { directory: serverFolder('kafka'), say });
  const postgres = await startService('postgres', { directory: serverFolder('postgres'), say });
  const brokers = kafka.address.brokers!;
  const store = postgres.address.url!;
  const environment = {
    CLICK_AGG_BROKERS: brokers,
    CLICK_AGG_STORE: `${store}?schema=${SCHEMA}`,
    CLICK_AGG_TOPIC: TOPIC,
    CLICK_AGG_LAKE: join(directory, 'lake'),
    CLICK_AGG_KAFKA_SESSION_TIMEOUT: `${SESSION_TIMEOUT_MS}ms`,
    NO_COLOR: '1',
  };
  const { follower, stores } = await followerOf(options, environment);
  const made = await clickAgg(['topics', 'create', '--partitions', String(PARTITIONS_FIRST)], environment);
  if (made.code !== 0) throw new Error(`topics create: ${made.output}`);
  const start = (name: string, args: readonly string[]) =>
    new Program({ name, directory, environment, endless: true, args: () => args });
  // The lake of its own process, so that killing one leaves the other.
  const { CLICK_AGG_LAKE: lakePlace, ...runEnvironment } = environment;
  const runs = ['run-a', 'run-b'].map((name) => {
    const dataDir = join(directory, name);
    mkdirSync(dataDir, { recursive: true });
    const args = ['run', '--data-dir', dataDir, '--quiet', ...stores];
    const how = { name, directory, environment: runEnvironment, endless: true, args: () => args };
    return { program: new Program(how), dataDir };
  });
  const lakeArgs = [
    '--data-dir',
    join(directory, 'lake-state'),
    '--flush-interval',
    '3s',
    '--compact-every',
    '20s',
  ];
  const lake = start('lake', ['lake', ...lakeArgs, '--older-than', '5s', '--quiet']);
  const load = startLoad({ directory, environment, topic: TOPIC, seed, rate, pace: 60 });
  const bursts = startBursts(brokers, TOPIC, load.eventTimeMs);
  const programs = [...runs.map(({ program }) => program), lake, load.program];
  return {
    ...{ kafka, postgres, follower, stores, environment, runs, lake, load, bursts, programs },
    ...{ census: newCensus(), deletedRecords: 0 },
    evidence: {
      ...{ brokers, store, topic: TOPIC, letterTopic: `${TOPIC}.dead-letters`, schema: SCHEMA },
      lake: lakePlace,
    },
  };
}

/** Starts the store that follows, and puts into the environment what it needs there. */
async function followerOf(
  { follower: name, serverFolder, say }: StormOptions,
  environment: Record<string, string>,
): Promise<Pick<Scene, 'follower' | 'stores'>> {
  if (name === undefined) return { follower: undefined, stores: [] };
  const { part, place } = STORE_SERVERS[name];
  const follower = await startService(part, { directory: serverFolder('follower'), say });
  const { url, environment: more } = place(follower.address);
  Object.assign(environment, more);
  if (name === 'cassandra') {
    const made = await clickAgg(['store', 'init', '--store', url], environment);
    if (made.code !== 0) throw new Error(`store init: ${made.output}`);
  }
  return { follower, stores: ['--store', environment.CLICK_AGG_STORE!, '--store', url] };
}

/** Deals out faults for the time that was asked for. */
async function rage(options: StormOptions, scene: Scene): Promise<Record<string, number>> {
  const { seed, durationMs, signal, say } = options;
  const random = new Random(seed, 0);
  const victims: Victims = {
    ...scene,
    random,
    sleep: (ms) => sleep(ms, undefined, { signal }),
    addPartitions: () => addPartitions(scene.evidence.brokers),
    deleteOldRecords: () => deleteOld(scene, say),
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  };
  await untilActive(victims);
  const startedMs = Date.now();
  const count: Record<string, number> = {};
  const { follower } = scene;
  const names = Object.keys(follower ? { ...FAULTS, ...FOLLOWER_FAULTS } : FAULTS);
  for (const name of deal(random, names)) {
    // Some strike what works, some what still recovers from the one before.
    if (random.unit() < RECOVERED_SHARE) await untilActive(victims);
    await victims.sleep(QUIET_MS_MIN + random.below(QUIET_MS_MAX - QUIET_MS_MIN));
    const atMs = Date.now() - startedMs;
    if (atMs >= durationMs) break;
    say(`${(atMs / 1000).toFixed(0)} s: ${name}`);
    if (follower && FOLLOWER_FAULTS[name]) await FOLLOWER_FAULTS[name](victims, follower);
    else await FAULTS[name]!(victims);
    count[name] = (count[name] ?? 0) + 1;
  }
  return count;
}

async function untilActive({ runs, sleep: wait }: Victims): Promise<void> {
  const untilMs = Date.now() + RECOVERED_MS;
  while (!activeOf(runs) && Date.now() < untilMs) await wait(POLL_MS);
}

async function deleteOld(scene: Scene, say: StormOptions['say']): Promise<void> {
  try {
    scene.deletedRecords += await deleteOldRecords(scene.evidence, scene.census);
  } catch (error) {
    // A server that recovers from the fault before, or a lake whose files are just replaced: another time.
    say(`old records stay: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function addPartitions(brokers: string): Promise<boolean> {
  const admin = quietKafka(brokers).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
    const count = topics[0]!.partitions.length + PARTITIONS_ADDED;
    if (count > PARTITIONS_MAX) return false;
    await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count }] });
    return true;
  } finally {
    await admin.disconnect();
  }
}

/** Ends the load, waits until all is counted and kept, ends the programs. Gives what went wrong. */
async function calm(scene: Scene, { signal, say }: StormOptions): Promise<string[]> {
  const { environment, evidence, load, bursts, runs, lake, stores } = scene;
  const problems: string[] = [];
  await load.stop();
  await bursts.stop();
  const ends = await endsOf(evidence.brokers, TOPIC);
  const behind = await untilCounted(evidence, ends, signal);
  if (behind.length > 0) problems.push(`not counted after ${CALM_MS / 1000} s: ${behind.join(', ')}`);
  for (const program of [...runs.map(({ program }) => program), lake]) await program.stop();
  const dataDir = ['--data-dir', runs[0]!.dataDir];
  const { CLICK_AGG_LAKE: _, ...runEnvironment } = environment;
  // What a clean stop leaves open, one more run to the end closes: letters under way, the lake's last records.
  for (const [args, env] of [
    // What waits on the disk of the other run for the store that follows goes there first.
    ...(stores.length === 0
      ? []
      : [[['run', '--data-dir', runs[1]!.dataDir, '--until-end', ...stores], runEnvironment] as const]),
    [['run', ...dataDir, '--until-end', ...stores], runEnvironment],
    [['lake', ...dataDir, '--until-end'], environment],
    [['lake', 'verify', ...dataDir], environment],
    [['reconcile', ...dataDir], environment],
    ...(stores.length === 0 ? [] : [[['reconcile', ...dataDir, ...stores.slice(2)], environment] as const]),
  ] as const) {
    const { code, output } = await clickAgg(args, env);
    say(output.trim());
    if (code !== 0) problems.push(`${args.join(' ')} ended with ${code}: ${output}`);
  }
  return problems;
}

/** Partitions that the store has not counted to their ends when time is over. */
async function untilCounted(
  { store, schema }: Scene['evidence'],
  ends: ReadonlyMap<number, number>,
  signal: AbortSignal,
): Promise<string[]> {
  const client = new pg.Client(store);
  await client.connect();
  try {
    const untilMs = Date.now() + CALM_MS;
    for (;;) {
      const { rows } = await client.query<{ partition: number; position: number }>(
        `SELECT partition, position::float8 FROM ${schema}.positions`,
      );
      const positions = new Map(rows.map(({ partition, position }) => [partition, position]));
      const behind = [...ends].filter(([partition, end]) => (positions.get(partition) ?? 0) < end);
      if (behind.length === 0 || Date.now() > untilMs) {
        return behind.map(([p, end]) => `partition ${p} at ${positions.get(p) ?? 0} of ${end}`);
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  } finally {
    await client.end();
  }
}

async function clickAgg(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
