// What goes wrong, and in which order: a deck of all faults, shuffled by the seed and dealt again and again, so that
// even a short run sees each of them.
import type { Random } from '../core/loadgen/random.js';
import type { Service } from '../services/service.js';
import type { Load } from './load.js';
import { activeOf, type Program } from './program.js';

export interface Victims {
  runs: readonly { program: Program; dataDir: string }[];
  lake: Program;
  kafka: Service;
  postgres: Service;
  /** Of the store that follows, where there is one. */
  follower: Service | undefined;
  load: Load;
  random: Random;
  sleep: (ms: number) => Promise<void>;
  /** Adds partitions to the topic of clicks; false: it has as many as it shall get. */
  addPartitions: () => Promise<boolean>;
  /** Deletes what is old in the topic of clicks, as retention does. */
  deleteOldRecords: () => Promise<void>;
  /** After this time the group takes a silent process for dead. */
  sessionTimeoutMs: number;
}

export type Fault = (victims: Victims) => Promise<void>;

/** A server is away for so long at most. */
const AWAY_MS_MAX = 6000;

/** By the name under which each is logged. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'kill the active run': async (victims) => active(victims).kill(),
  'kill the active run, and the next one as it takes over': async (victims) => {
    active(victims).kill();
    await victims.sleep(between(victims, 500, 3000));
    standby(victims).kill();
  },
  'kill the standby': async (victims) => standby(victims).kill(),
  'kill both runs': async ({ runs }) => {
    for (const { program } of runs) program.kill();
  },
  'stop the active run in good order': async (victims) => active(victims).interrupt(),
  'kill the lake': async ({ lake }) => lake.kill(),
  'kill the broker': (victims) => outage(victims, victims.kafka),
  'kill the broker, then the active run': (victims) =>
    outage(victims, victims.kafka, () => active(victims).kill()),
  'kill PostgreSQL': (victims) => outage(victims, victims.postgres),
  'kill PostgreSQL, then the active run': (victims) =>
    outage(victims, victims.postgres, () => active(victims).kill()),
  'pause the active run past its session, then wake it': (victims) => nap(victims, active(victims)),
  'pause the lake past its session, then wake it': (victims) => nap(victims, victims.lake),
  'pause the broker': (victims) => silence(victims, victims.kafka),
  'pause PostgreSQL': (victims) => silence(victims, victims.postgres),
  'add partitions': async (victims) => {
    if (await victims.addPartitions()) await victims.load.restart();
  },
  'delete old records': (victims) => victims.deleteOldRecords(),
};

/** What strikes a store that follows. */
export const FOLLOWER_FAULTS: Readonly<
  Record<string, (victims: Victims, follower: Service) => Promise<void>>
> = {
  'kill the store that follows': (victims, follower) => outage(victims, follower),
  'kill the store that follows, then the active run': (victims, follower) =>
    outage(victims, follower, () => active(victims).kill()),
  'pause the store that follows': (victims, follower) => silence(victims, follower),
};

/** Deals the faults' names: each once in random order, and so on. */
export function* deal(random: Random, names: readonly string[]): Generator<string> {
  for (;;) {
    const deck = [...names];
    for (let left = deck.length; left > 0; left--) {
      const [name] = deck.splice(random.below(left), 1);
      yield name!;
    }
  }
}

function active({ runs, random }: Victims): Program {
  return (activeOf(runs) ?? runs[random.below(runs.length)]!).program;
}

function standby({ runs }: Victims): Program {
  const counting = activeOf(runs);
  return runs.find((run) => run !== counting)!.program;
}

async function outage(victims: Victims, server: Service, meanwhile?: () => void): Promise<void> {
  await server.kill();
  const awayMs = between(victims, 0, AWAY_MS_MAX);
  await victims.sleep(awayMs / 2);
  meanwhile?.();
  await victims.sleep(awayMs / 2);
  await server.start();
}

async function nap(victims: Victims, program: Program): Promise<void> {
  program.pause();
  await victims.sleep(victims.sessionTimeoutMs + between(victims, 1000, 5000));
  program.resume();
}

async function silence(victims: Victims, server: Service): Promise<void> {
  await server.pause();
  await victims.sleep(between(victims, 500, AWAY_MS_MAX));
  await server.resume();
}

function between({ random }: Victims, fromMs: number, toMs: number): number {
  return fromMs + random.below(toMs - fromMs);
}
