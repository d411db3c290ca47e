// Processes of `run` on a Kafka topic, to be paused and killed, and what they leave in a store on a server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { expect } from 'vitest';
import { openStoreReader } from '../../src/adapters/postgres/store.js';
import type { DeadLetter } from '../../src/core/ports/commit.js';
import { EVERYTHING } from '../../src/core/ports/store.js';
import { BIN, clickAgg } from './click-agg.js';

/** No condition takes that long to come true, even on a slow machine. */
const PATIENCE_MS = 90_000;
const LETTERS_MAX = 1_000_000;

export interface Process {
  readonly name: string;
  /** What it has said to people so far. */
  said(): string;
  /** Resolves once it has said this `times` times. */
  says(words: string, times?: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Kills it and waits until it is gone. */
  kill(): Promise<void>;
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
}

/** Starts the program; nothing of the test's own environment but PATH reaches it, and what is given. */
export function startClickAgg(
  name: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Process {
  const child: ChildProcess = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, ...environment },
  });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  // Closed, not only gone: what it said last may still be on its way.
  let isOver = false;
  const ended = once(child, 'close').then(([code]) => {
    isOver = true;
    return code as number | null;
  });
  return {
    name,
    said: () => said,
    ended,
    async says(words, times = 1) {
      await until(`${name} says “${words}”`, () => {
        if (said.split(words).length > times) return true;
        if (isOver) throw new Error(`${name} ended without saying “${words}”: ${said}`);
        return false;
      });
    },
    signal: (signal) => child.kill(signal),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Waits for a condition, looking often. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`waited too long until ${what}`);
    await sleep(50);
  }
}

/** Runs the program to its end, which must be a good one. */
export async function succeed(args: readonly string[]): Promise<void> {
  const { code, stderr } = await clickAgg([...args, '--quiet']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

export interface Load {
  brokers: string;
  topic: string;
  seed: number;
  count: number;
  /** Event time of the first click, in ISO 8601. */
  start: string;
  /** Clicks to a second of event time. */
  eventRate: number;
  /** Clicks to a second of real time; undefined: as fast as it goes. */
  rate?: number | undefined;
}

/** The command that writes clicks of every kind into a topic. */
export function loadOf({ brokers, topic, seed, count, start, eventRate, rate }: Load): string[] {
  const shares =
    '--bots 0.1 --double-clicks 0.1 --duplicates 0.05 --late 0.05 --too-late 0.02 --malformed 0.02';
  const people = '--ads 500 --zipf 0.5 --users 300 --disorder 0.3 --day-night 0';
  const amount = `--count ${count} --event-rate ${eventRate} --seed ${seed} --start ${start}`;
  return [
    ...['loadgen', '--brokers', brokers, '--topic', topic],
    ...`${amount} ${people} ${shares}`.split(' '),
    ...(rate === undefined ? [] : ['--rate', `${rate}`]),
  ];
}

/** How many records the store has counted; 0 while there is none, or its server is gone. */
export async function countedIn(url: string): Promise<number> {
  const store = await openStoreReader(url);
  if (!store) return 0;
  try {
    return (await store.ledger()).records;
  } finally {
    await store.close();
  }
}

/** Everything that an advertiser is billed by, and what it rests on, as text. */
export async function outcomeOf(url: string): Promise<string> {
  const store = (await openStoreReader(url))!;
  try {
    const letters = await store.deadLetters({
      ...{ verdict: undefined, reason: undefined, at: [], limit: LETTERS_MAX },
    });
    const { positions } = await store.state();
    return JSON.stringify(
      {
        totals: await store.query(EVERYTHING),
        ledger: [...(await store.ledgerByPartition())],
        letters: letters.sort(byPlace),
        positions: positions.map(({ partition, position }) => [partition, position]).sort(byFirst),
      },
      (_, field: unknown) => (field instanceof Uint8Array ? Buffer.from(field).toString('latin1') : field),
      1,
    );
  } finally {
    await store.close();
  }
}

function byPlace(a: DeadLetter, b: DeadLetter): number {
  return a.partition - b.partition || a.offset - b.offset;
}

function byFirst([a]: (number | undefined)[], [b]: (number | undefined)[]): number {
  return a! - b!;
}

/** Uses a connected admin client of the cluster. */
export async function asAdmin<T>(brokers: string, use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const { Kafka, logLevel } = kafkajs;
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, retry: { retries: 20 } }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Records in a topic. */
export async function recordsIn(brokers: string, topic: string): Promise<number> {
  const partitions = await asAdmin(brokers, (admin) => admin.fetchTopicOffsets(topic));
  return partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}
