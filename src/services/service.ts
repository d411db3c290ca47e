// One instance of a part: a folder with its settings, its log and its files, and the process that serves them. All
// that must be known to find it again stands in its service.json, so that any process can stop or restart it.
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { cassandra } from './cassandra.js';
import { clickhouse } from './clickhouse.js';
import { dynamodb } from './dynamodb.js';
import { debianPackage } from './fetching.js';
import { kafka } from './kafka.js';
import type { Address, Part, PartName, Place, Say } from './part.js';
import { postgres } from './postgres.js';
import { freePort, isFree, lives, signalFamily, signalOne } from './processes.js';
import { redis } from './redis.js';
import { s3 } from './s3.js';
import { waitForLock } from './waiting-lock.js';

export const PARTS: Readonly<Record<PartName, Part>> = {
  kafka,
  postgres,
  redis,
  s3,
  dynamodb,
  cassandra,
  clickhouse,
};

const READY_MS = 120_000;
const STOP_MS = 30_000;
const POLL_MS = 100;
const LOG_LINES = 200;
const TROUBLE = /^(?!\s+at ).*(exception|error|fatal|in use)/i;

export interface ServiceOptions {
  /** The instance's folder; made if it isn't there. */
  directory: string;
  /** Port of 127.0.0.1; undefined: the one it had, or a free one. */
  port?: number | undefined;
  /**
   * Settings of the server, in its own words (Kafka: properties, PostgreSQL: -c, MinIO: environment, DynamoDB Local:
   * options, ClickHouse: environment, Cassandra: cassandra.yaml, properties of the Java machine that begin with
   * `cassandra.`, and its `heap`, such as 4g).
   */
  settings?: Readonly<Record<string, string>>;
  say?: Say;
}

/** A part that was started, and what can be done to it. */
export interface Service {
  readonly name: PartName;
  readonly directory: string;
  readonly port: number;
  readonly address: Address;
  /** It ran already when it was asked to start. */
  readonly ranBefore: boolean;
  /** SIGKILL for all of its processes, as in a power cut; returns when they are gone. */
  kill(): Promise<void>;
  /** Starts it on the same ports with the same files, and waits until it answers. */
  start(): Promise<void>;
  /** SIGSTOP: it keeps its connections and says nothing. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

/** What is known of an instance, whether it runs or not. */
export interface ServiceStatus {
  readonly name: PartName;
  readonly software: string;
  readonly directory: string;
  readonly port: number;
  /** Undefined: no process. */
  readonly pid: number | undefined;
  readonly answers: boolean;
  readonly address: Address;
}

interface Recorded {
  part: PartName;
  place: Place;
  pid: number | undefined;
}

/**
 * Starts a part, or finds it running; waits until it answers. Two processes that ask for the same folder get the
 * same instance. UserError: what is missing, a port that is taken, a server that would not start.
 */
export async function startService(name: PartName, options: ServiceOptions): Promise<Service> {
  const part = PARTS[name];
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true });
  const lock = await waitForLock(join(directory, 'lock'), `${name} in ${directory} is being started`);
  try {
    const recorded = read(directory);
    if (recorded && (await isRunning(recorded))) return await running(recorded, options);
    const say = options.say ?? (() => undefined);
    const program = await part.fetch(say);
    // By it processes are found; the smallest Debian images are without.
    await debianPackage('ps', 'procps', say);
    const place: Place = {
      directory,
      program,
      settings: options.settings ?? recorded?.place.settings ?? {},
      ports: await portsFor(part, options.port, recorded?.place.ports),
    };
    await launch({ part: name, place, pid: undefined });
    return serviceOf(name, place, false);
  } finally {
    lock.release();
  }
}

/** One that runs already: only waited for, and only if it is what was asked for. */
async function running(recorded: Recorded, { port }: ServiceOptions): Promise<Service> {
  const { part, place } = recorded;
  if (port !== undefined && port !== place.ports.main) {
    throw new UserError(`${part} runs already, on port ${place.ports.main}`, {
      hint: `Stop it first to move it to port ${port}.`,
    });
  }
  await untilReady(recorded, () => isRunning(recorded));
  return serviceOf(part, place, true);
}

/** What is known of the instance in a folder; undefined: there never was one. */
export async function serviceStatus(directory: string): Promise<ServiceStatus | undefined> {
  const recorded = read(resolve(directory));
  if (!recorded) return undefined;
  const { part, place } = recorded;
  const alive = await isRunning(recorded);
  return {
    name: part,
    software: PARTS[part].software,
    directory: place.directory,
    port: place.ports.main!,
    pid: alive ? recorded.pid : undefined,
    answers: alive && (await PARTS[part].answers(place)),
    address: PARTS[part].address(place),
  };
}

/** Ends the instance in a folder in good order; false: none ran. */
export async function stopService(directory: string): Promise<boolean> {
  const recorded = read(resolve(directory));
  if (!recorded || !(await isRunning(recorded))) return false;
  const { pid, part } = recorded;
  // One that is paused hears nothing else.
  await signalFamily(pid!, 'SIGCONT');
  signalOne(pid!, PARTS[part].stopSignal);
  if (!(await ended(recorded, STOP_MS))) await killed(recorded);
  return true;
}

/** Ends the instance in a folder at once. */
export async function killService(directory: string): Promise<void> {
  const recorded = read(resolve(directory));
  if (recorded) await killed(recorded);
}

function serviceOf(name: PartName, place: Place, ranBefore: boolean): Service {
  const { directory } = place;
  const now = (): Recorded => read(directory)!;
  const signal = async (which: NodeJS.Signals) => {
    const recorded = now();
    if (await isRunning(recorded)) await signalFamily(recorded.pid!, which);
  };
  return {
    name,
    directory,
    port: place.ports.main!,
    address: PARTS[name].address(place),
    ranBefore,
    kill: () => killed(now()),
    async start() {
      const recorded = now();
      if (!(await isRunning(recorded))) await launch(recorded);
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async stop() {
      await stopService(directory);
    },
    async remove() {
      await killService(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The ports it had stay its own, if nobody else has them by now. */
async function portsFor(
  part: Part,
  asked: number | undefined,
  before: Place['ports'] | undefined,
): Promise<Place['ports']> {
  if (asked !== undefined && !(await isFree(asked))) {
    throw new UserError(`port ${asked} of 127.0.0.1 is taken`, {
      hint: `End what listens there, or give ${part.name} another port (${part.name}:PORT), or none for a free one.`,
    });
  }
  const ports: Record<string, number> = {};
  for (const name of part.portNames) {
    const wanted = name === 'main' && asked !== undefined ? asked : before?.[name];
    ports[name] = wanted !== undefined && (await isFree(wanted)) ? wanted : await freePort();
  }
  return ports;
}

async function launch(recorded: Recorded): Promise<void> {
  const { part, place } = recorded;
  await PARTS[part].prepare(place);
  const { file, args, environment, user } = await PARTS[part].launch(place);
  const log = openSync(join(place.directory, 'log.txt'), 'a');
  try {
    const child = spawn(file, args, {
      cwd: place.directory,
      env: { ...process.env, ...environment },
      detached: true,
      stdio: ['ignore', log, log],
      ...(user ?? {}),
    });
    const failure = new Promise<never>((_, failed) => child.once('error', failed));
    const { pid } = child;
    child.unref();
    if (pid === undefined) return await failure;
    write({ part, place, pid });
    // Of one that is just beginning, the system does not tell the command line at every moment.
    const isAlive = async (): Promise<boolean> => child.exitCode === null && child.signalCode === null;
    await untilReady({ part, place, pid }, isAlive);
  } finally {
    closeSync(log);
  }
}

async function untilReady({ part, place }: Recorded, isAlive: () => Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + READY_MS;
  while (!(await PARTS[part].answers(place))) {
    const alive = await isAlive();
    if (alive && Date.now() < untilMs) {
      await sleep(POLL_MS);
      continue;
    }
    const log = join(place.directory, 'log.txt');
    const what = alive ? `does not answer after ${READY_MS / 1000} s` : 'ended as it started';
    throw new UserError(`${part} ${what}: ${lastWords(readFileSync(log, 'utf8'))}`, {
      hint: `Its log is ${log}.`,
    });
  }
}

/** The last line of a log that tells of trouble; the last one if none does. Java's stack traces say nothing at their end. */
function lastWords(log: string): string {
  const lines = log.trim().split('\n').slice(-LOG_LINES);
  return (lines.findLast((line) => TROUBLE.test(line)) ?? lines.at(-1)!).trim();
}

async function isRunning({ pid, place }: Recorded): Promise<boolean> {
  return pid !== undefined && (await lives(pid, place.directory));
}

async function killed(recorded: Recorded): Promise<void> {
  if (!(await isRunning(recorded))) return;
  await signalFamily(recorded.pid!, 'SIGKILL');
  if (!(await ended(recorded, STOP_MS))) throw new Error(`${recorded.part} outlives SIGKILL`);
}

async function ended(recorded: Recorded, withinMs: number): Promise<boolean> {
  const untilMs = Date.now() + withinMs;
  while (await isRunning(recorded)) {
    if (Date.now() > untilMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function read(directory: string): Recorded | undefined {
  const path = join(directory, 'service.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Recorded) : undefined;
}

/** In one step: a process that is killed here leaves the old file or the new one. */
function write(recorded: Recorded): void {
  const path = join(recorded.place.directory, 'service.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(recorded, null, 2)}\n`);
  renameSync(`${path}.new`, path);
  rmSync(`${path}.new`, { force: true });
}
