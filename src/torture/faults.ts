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
  /** The server of the first store; undefined: it is a file. */
  store: Service | undefined;
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

/** What can strike here, by the name under which each is logged. */
export function faultsOf({
  runs,
  store,
  follower,
}: Pick<Victims, 'runs' | 'store' | 'follower'>): Readonly<Record<string, Fault>> {
  return {
    ...FAULTS,
    ...(runs.length > 1 ? STANDBY_FAULTS : {}),
    ...(store ? outagesOf('the store', () => store) : {}),
    ...(follower ? outagesOf('the store that follows', () => follower) : {}),
  };
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'kill the active run': async (victims) => active(victims).kill(),
  'stop the active run in good order': async (victims) => active(victims).interrupt(),
  'kill the lake': async ({ lake }) => lake.kill(),
  ...outagesOf('the broker', (victims) => victims.kafka),
  'pause the active run past its session, then wake it': (victims) => nap(victims, active(victims)),
  'pause the lake past its session, then wake it': (victims) => nap(victims, victims.lake),
  'add partitions': async (victims) => {
    if (await victims.addPartitions()) await victims.load.restart();
  },
  'delete old records': (victims) => victims.deleteOldRecords(),
};

const STANDBY_FAULTS: Readonly<Record<string, Fault>> = {
  'kill the active run, and the next one as it takes over': async (victims) => {
    active(victims).kill();
    await victims.sleep(between(victims, 500, 3000));
    standby(victims).kill();
  },
  'kill the standby': async (victims) => standby(victims).kill(),
  'kill both runs': async ({ runs }) => {
    for (const { program } of runs) program.kill();
  },
};

/** What strikes a server. */
function outagesOf(name: string, server: (victims: Victims) => Service): Readonly<Record<string, Fault>> {
  return {
    [`kill ${name}`]: (victims) => outage(victims, server(victims)),
    [`kill ${name}, then the active run`]: (victims) =>
      outage(victims, server(victims), () => active(victims).kill()),
    [`pause ${name}`]: (victims) => silence(victims, server(victims)),
  };
}

/** Deals the faults' names: those that shall strike first, then each once in random order, and so on. */
export function* deal(random: Random, names: readonly string[], first: readonly string[]): Generator<string> {
  yield* first;
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
