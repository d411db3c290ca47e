// A storm: real Kafka, a real store, real processes of click-agg under load, while they are killed, paused and
// started again at random moments; then calm, and the proof that nothing was lost and nothing counted twice.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../core/loadgen/random.js';
import { UserError } from '../errors.js';
import { killService, type Service, startService } from '../services/service.js';
import type { StoreName } from '../services/store-servers.js';
import { openReader } from '../stores/open-store.js';
import { type Bursts, startBursts } from './bursts.js';
import { deal, faultsOf, type Victims } from './faults.js';
import { type Load, startLoad } from './load.js';
import { deleteOldRecords } from './old-records.js';
import { activeOf, clickAgg, Program } from './program.js';
import { type Proof, prove } from './proof.js';
import { type FirstStore, type StormStores, startStores } from './stores.js';
import { type Census, endsOf, newCensus, quietKafka } from './topic-census.js';

const TOPIC = 'clicks';
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
  /** Faults that strike before the others, in this order. */
  first?: readonly string[];
  /** Here live the lake, the programs' own files and their logs. */
  directory: string;
  /** The folder of a server. */
  serverFolder: (name: 'kafka' | 'store' | 'follower') => string;
  /** The store that holds the positions. */
  store: FirstStore;
  /** Another store, which follows the first. */
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
    for (const name of ['kafka', 'store', 'follower'] as const) await killService(options.serverFolder(name));
  }
}

interface Scene extends StormStores {
  kafka: Service;
  /** Of all processes. */
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
  const stores = await startStores(options);
  const brokers = kafka.address.brokers!;
  const lakePlace = join(directory, 'lake');
  const environment = {
    ...stores.environment,
    // For a partition that was quiet while what its next click needs was deleted.
    CLICK_AGG_ARCHIVE: lakePlace,
    CLICK_AGG_BROKERS: brokers,
    CLICK_AGG_TOPIC: TOPIC,
    CLICK_AGG_KAFKA_SESSION_TIMEOUT: `${SESSION_TIMEOUT_MS}ms`,
    NO_COLOR: '1',
  };
  const made = await clickAgg(['topics', 'create', '--partitions', String(PARTITIONS_FIRST)], environment);
  if (made.code !== 0) throw new Error(`topics create: ${made.output}`);
  const start = (name: string, args: readonly string[]) =>
    new Program({ name, directory, environment, endless: true, args: () => args });
  const runs = dataDirsOf(options).map((dataDir, number) => {
    mkdirSync(dataDir, { recursive: true });
    const args = ['run', '--data-dir', dataDir, '--quiet', ...storeArgs(stores)];
    return { program: start(`run-${'ab'[number]}`, args), dataDir };
  });
  // The lake of its own process, so that killing one leaves the other.
  const lakeFiles = ['--lake', lakePlace, '--data-dir', join(directory, 'lake-state')];
  const lakeTimes = ['--flush-interval', '3s', '--compact-every', '20s', '--older-than', '5s'];
  const lake = start('lake', ['lake', ...lakeFiles, ...lakeTimes, '--quiet']);
  const load = startLoad({ directory, environment, topic: TOPIC, seed, rate, pace: 60 });
  const bursts = startBursts(brokers, TOPIC, load.eventTimeMs);
  const programs = [...runs.map(({ program }) => program), lake, load.program];
  return {
    ...{ ...stores, kafka, environment, runs, lake, load, bursts, programs },
    ...{ census: newCensus(), deletedRecords: 0 },
    evidence: {
      ...{ brokers, topic: TOPIC, letterTopic: `${TOPIC}.dead-letters`, lake: lakePlace },
      store: { dataDir: runs[0]!.dataDir, store: stores.places[0] },
    },
  };
}

/**
 * The data directory of each run. A file can only be counted into by those who share its directory; there a queue for a
 * store that follows belongs to one process.
 */
function dataDirsOf({ directory, store, follower }: StormOptions): string[] {
  if (store !== 'duckdb') return ['run-a', 'run-b'].map((name) => join(directory, name));
  const shared = join(directory, 'run');
  return follower ? [shared] : [shared, shared];
}

const storeArgs = ({ places }: StormStores): string[] => places.flatMap((place) => ['--store', place]);

/** Deals out faults for the time that was asked for. */
async function rage(options: StormOptions, scene: Scene): Promise<Record<string, number>> {
  const { seed, durationMs, first = [], signal, say } = options;
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
  const faults = faultsOf(scene);
  for (const name of deal(random, Object.keys(faults), first)) {
    // Some strike what works, some what still recovers from the one before.
    if (random.unit() < RECOVERED_SHARE) await untilActive(victims);
    await victims.sleep(QUIET_MS_MIN + random.below(QUIET_MS_MAX - QUIET_MS_MIN));
    const atMs = Date.now() - startedMs;
    if (atMs >= durationMs) break;
    say(`${(atMs / 1000).toFixed(0)} s: ${name}`);
    await faults[name]!(victims);
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
  const { environment, evidence, load, bursts, runs, lake, places } = scene;
  const problems: string[] = [];
  await load.stop();
  await bursts.stop();
  const ends = await endsOf(evidence.brokers, TOPIC);
  const behind = await untilCounted(evidence.store, ends, signal);
  if (behind.length > 0) problems.push(`not counted after ${CALM_MS / 1000} s: ${behind.join(', ')}`);
  for (const program of [...runs.map(({ program }) => program), lake]) await program.stop();
  const stores = storeArgs(scene);
  const lakeArgs = ['--lake', evidence.lake];
  const [dataDir, ...others] = [...new Set(runs.map((run) => run.dataDir))];
  for (const args of [
    // What waits on the disk of the other run for the store that follows goes there first.
    ...(places.length === 1
      ? []
      : others.map((other) => ['run', '--data-dir', other, '--until-end', ...stores])),
    // What a clean stop leaves open, one more run to the end closes: letters under way, the lake's last records.
    ['run', '--data-dir', dataDir!, '--until-end', ...stores],
    ['lake', '--data-dir', dataDir!, '--until-end', ...lakeArgs],
    ['lake', 'verify', '--data-dir', dataDir!, ...lakeArgs],
    ...places.map((place) => ['reconcile', '--data-dir', dataDir!, '--store', place, ...lakeArgs]),
  ]) {
    const { code, output } = await clickAgg(args, environment);
    say(output.trim());
    if (code !== 0) problems.push(`${args.join(' ')} ended with ${code}: ${output}`);
  }
  return problems;
}

/** Partitions that the store has not counted to their ends when time is over. */
async function untilCounted(
  place: Scene['evidence']['store'],
  ends: ReadonlyMap<number, number>,
  signal: AbortSignal,
): Promise<string[]> {
  let positions = new Map<number, number>();
  for (const untilMs = Date.now() + CALM_MS; ; await sleep(POLL_MS, undefined, { signal })) {
    positions = (await positionsOf(place)) ?? positions;
    const behind = [...ends].filter(([partition, end]) => (positions.get(partition) ?? 0) < end);
    if (behind.length === 0 || Date.now() > untilMs) {
      return behind.map(
        ([partition, end]) => `partition ${partition} at ${positions.get(partition) ?? 0} of ${end}`,
      );
    }
  }
}

/** Next offsets to count; undefined: the store can't be asked just now, by a run that begins or a server that recovers. */
async function positionsOf(place: Scene['evidence']['store']): Promise<Map<number, number> | undefined> {
  try {
    const reader = await openReader(place);
    try {
      const { positions } = await reader.standing();
      return new Map(positions.map(({ partition, position }) => [partition, position]));
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return undefined;
  }
}
