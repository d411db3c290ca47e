// `kill -9` at any moment, with real processes: `run` is killed at random moments again and again and started
// again until it is done. Totals, ledger and dead letters must be those of a run that nobody disturbed, and the
// oracle's. KILLS=1000 kills more often, KILL_SEED=… repeats a seed (moments are real time: they vary a little).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import { DEFAULT_METHOD, VERDICTS } from '../../src/core/method.js';
import type { DeadLetter } from '../../src/core/ports/commit.js';
import { EVERYTHING, type LedgerCounts, type TotalsRow } from '../../src/core/ports/store.js';
import { recordsOfBareLines } from '../oracle/bare-lines.js';
import { recordsOfEnvelopes } from '../oracle/fixtures.js';
import { type Decisions, decide } from '../oracle.js';
import { BIN, clickAgg, temporaryDirectory } from './click-agg.js';

/** Kills of each of the two inputs; where a slow machine has no time for them, at least so many. */
const KILLS = Number(process.env.KILLS ?? 200);
const KILLS_LEAST = process.env.KILLS === undefined ? 100 : KILLS;
const KILLING_MS = 150_000;
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
/** Enough for many commits in a life. */
const RECORDS = 40_000;
/** What the oracle can decide in a second or two. */
const ORACLE_RECORDS = 20_000;
const PARTITIONS = 24;
/** No run takes that long. */
const ENDS_ITSELF_MS = 120_000;
/** Not every time, since looking into a store tidies up what the kill left. */
const LOOK_SHARE = 0.5;

const directory = temporaryDirectory();
afterAll(() => directory.remove());

interface Outcome {
  totals: TotalsRow[];
  ledger: Map<number, LedgerCounts>;
  deadLetters: DeadLetter[];
  positions: [partition: number, position: number][];
}

const FORMATS = ['kcat', 'clicks'] as const;
type Format = (typeof FORMATS)[number];

test.each(FORMATS)('an undisturbed run over %s counts as the oracle', async (format) => {
  const { file, undisturbed } = await countedInput(format, ORACLE_RECORDS);
  const log = readFileSync(file);
  const records = format === 'kcat' ? recordsOfEnvelopes(log) : recordsOfBareLines(log, PARTITIONS);
  const decided = decide(records, DEFAULT_METHOD);
  expect(Object.values(decided.ledger), 'every verdict is in the load').not.toContain(0);
  expect(undisturbed.totals).toEqual(decided.totals);
  expect(undisturbed.ledger).toEqual(ledgerByPartition(decided));
  expect(undisturbed.deadLetters.map(placeOf)).toEqual(deadLettersOf(decided));
});

test(`killed ${KILLS} times on each input, it counts the same (KILL_SEED=${SEED})`, async () => {
  const lanes = FORMATS.map((format, lane) => killAgainAndAgain(format, randomBy(SEED + lane)));
  const [kcat, clicks] = await Promise.all(lanes);
  const kills = kcat!.kills + clicks!.kills;
  const seenInside = kcat!.seenInside + clicks!.seenInside;
  console.info(`${kills} kills, ${seenInside} stores seen half-way (KILL_SEED=${SEED})`);
  // So many kills can't all have missed the time between the first commit and the last.
  if (kills >= KILLS) expect(seenInside).toBeGreaterThan(0);
}, 900_000);

/** Any moment of a life as a share of it; more often its later half, since before that it only starts. */
function momentOf(random: () => number): number {
  return random() < 0.5 ? 0.15 + 0.9 * random() : 0.5 + 0.55 * random();
}

interface Counted {
  file: string;
  /** How long the undisturbed run took. */
  lifeMs: number;
  undisturbed: Outcome;
}

/** A load with everything in it as a file, and what an undisturbed run makes of it. */
async function countedInput(format: Format, records: number): Promise<Counted> {
  const file = join(directory.path, `${format}-${records}.ndjson`);
  const shares =
    '--bots 0.1 --double-clicks 0.1 --duplicates 0.05 --late 0.05 --too-late 0.02 --malformed 0.02';
  const people = '--ads 2000 --zipf 0.5 --users 300 --disorder 0.3';
  const load = `loadgen --count ${records} --event-rate ${records / 2000} --seed ${SEED} ${people} ${shares}`;
  const to = ['--partitions', `${PARTITIONS}`, '--format', format, '--output', file];
  await succeed([...load.split(' '), ...to]);
  const dataDir = `${file}-undisturbed`;
  const startedAt = performance.now();
  await succeed(['run', ...inputOptions(file), '--data-dir', dataDir]);
  const lifeMs = performance.now() - startedAt;
  return { file, lifeMs, undisturbed: await outcomeOf(dataDir) };
}

/** Kills runs over an input again and again, and compares whenever one came to its end. */
async function killAgainAndAgain(
  format: Format,
  random: () => number,
): Promise<{ kills: number; seenInside: number }> {
  const { file, undisturbed, ...measured } = await countedInput(format, RECORDS);
  const expected = textOf(undisturbed);
  const isEnough = (kills: number): boolean =>
    kills >= KILLS || (kills >= KILLS_LEAST && performance.now() > endsAt);
  const endsAt = performance.now() + KILLING_MS;
  let kills = 0;
  let seenInside = 0;
  let { lifeMs } = measured;
  for (let round = 0; !isEnough(kills); round++) {
    const dataDir = `${file}-${round}`;
    let before = 0;
    while (true) {
      const startedAt = performance.now();
      const afterMs = isEnough(kills) ? ENDS_ITSELF_MS : lifeMs * momentOf(random);
      if (await runUntilKilled(file, dataDir, afterMs)) {
        // How long a life takes depends on the machine's load.
        lifeMs = (lifeMs + performance.now() - startedAt) / 2;
        break;
      }
      kills++;
      lifeMs *= 1.01;
      if (random() >= LOOK_SHARE) continue;
      const after = await checkLeftovers(dataDir, format);
      expect(after, 'what was committed stays committed').toBeGreaterThanOrEqual(before);
      if (after > 0 && after < RECORDS) seenInside++;
      before = after;
    }
    // As text: comparing a hundred thousand objects would keep the other lane's killer waiting.
    const outcome = await outcomeOf(dataDir);
    if (textOf(outcome) !== expected) expect(outcome).toEqual(undisturbed);
    rmSync(dataDir, { recursive: true });
  }
  return { kills, seenInside };
}

function inputOptions(input: string): string[] {
  return ['--input', input, '--partitions', `${PARTITIONS}`];
}

async function succeed(args: string[]): Promise<void> {
  expect(await clickAgg([...args, '--quiet'])).toMatchObject({ code: 0, stderr: '' });
}

/** True if the run came to its end before it was killed. */
async function runUntilKilled(input: string, dataDir: string, afterMs: number): Promise<boolean> {
  const args = ['run', ...inputOptions(input), '--data-dir', dataDir, '--commit-every', '10ms', '--quiet'];
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const ender = new AbortController();
  await Promise.race([ended, sleep(afterMs, undefined, ender).catch(() => undefined)]);
  ender.abort();
  child.kill('SIGKILL');
  const [code, signal] = await ended;
  if (signal === 'SIGKILL') return false;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return true;
}

/** Whatever a kill leaves: the ledger has exactly the records below the positions. Returns how many. */
async function checkLeftovers(dataDir: string, format: Format): Promise<number> {
  const path = join(dataDir, 'store.duckdb');
  if (!existsSync(path)) return 0;
  const store = await openStore(path);
  try {
    const { positions } = await store.state();
    const ledger = await store.ledgerByPartition();
    let counted = 0;
    for (const { partition, position } of positions) {
      const { records, ...verdicts } = ledger.get(partition) ?? { records: 0 };
      expect(Object.values(verdicts).reduce((sum, count) => sum + count, 0)).toBe(records);
      // Offsets of envelopes have no gaps here; those of bare lines are numbers of lines.
      if (format === 'kcat') expect(records).toBe(position);
      counted += records;
    }
    return counted;
  } finally {
    await store.close();
  }
}

async function outcomeOf(dataDir: string): Promise<Outcome> {
  const store = await openStore(join(dataDir, 'store.duckdb'));
  try {
    const letters = { verdict: undefined, reason: undefined, at: [], limit: RECORDS };
    const { positions } = await store.state();
    return {
      totals: await store.query(EVERYTHING),
      ledger: await store.ledgerByPartition(),
      deadLetters: (await store.deadLetters(letters)).sort(byPlace),
      positions: positions.map(({ partition, position }) => [partition, position]),
    };
  } finally {
    await store.close();
  }
}

function textOf({ ledger, ...outcome }: Outcome): string {
  return JSON.stringify({ ...outcome, ledger: [...ledger] }, (_, field: unknown) =>
    field instanceof Uint8Array ? Buffer.from(field).toString('latin1') : field,
  );
}

function byPlace(a: DeadLetter, b: DeadLetter): number {
  return a.partition - b.partition || a.offset - b.offset;
}

function placeOf({ partition, offset, verdict }: DeadLetter | Decisions['verdicts'][number]): unknown {
  return { partition, offset, verdict };
}

function deadLettersOf({ verdicts }: Decisions): unknown[] {
  const kept = ['invalid', 'too_late', 'invalid_traffic', 'bot'];
  return verdicts.filter(({ verdict }) => kept.includes(verdict)).map(placeOf);
}

function ledgerByPartition({ ledgerRows }: Decisions): Map<number, LedgerCounts> {
  const ledger = new Map<number, LedgerCounts>();
  for (const { partition, counts } of ledgerRows) {
    const sum = ledger.get(partition) ?? { records: 0, ...emptyCounts() };
    for (const verdict of Object.keys(counts) as (keyof typeof counts)[]) {
      sum[verdict] += counts[verdict];
      sum.records += counts[verdict];
    }
    ledger.set(partition, sum);
  }
  return ledger;
}

function emptyCounts(): Omit<LedgerCounts, 'records'> {
  return Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Omit<LedgerCounts, 'records'>;
}

/** Random numbers in [0, 1) by a seed (mulberry32). */
function randomBy(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
