// A journaled store whose processes die or sleep at any step, whose writes arrive twice and late: it holds whole commits,
// each exactly once, and has one owner.
import { afterEach, describe, expect, test } from 'vitest';
import { openJournaledStore } from '../../src/adapters/journaled/store.js';
import { FencedError } from '../../src/errors.js';
import { randomBy } from '../contract/commits.js';
import { type Life, lifeOf } from './life.js';
import { type Fate, MemoryServer } from './memory-database.js';
import { expectStore } from './proof.js';

const SEED = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
const LIFE = 8;

type Random = () => number;

/** What a process that died says from then on. */
class Died extends Error {}

/** Writes that arrive a second time, later than everything that has been written since. */
class LateWrites {
  private waiting: (() => void)[] = [];

  constructor(private readonly random: Random) {}

  /** Keeps some of the writes, to arrive again. */
  keep(again: () => void): void {
    if (this.random() < 0.2) this.waiting.push(again);
  }

  /** Some of them arrive now. */
  arrive(share: number): void {
    const now = shuffled(
      this.waiting.filter(() => this.random() < share),
      this.random,
    );
    this.waiting = this.waiting.filter((again) => !now.includes(again));
    for (const again of now) again();
  }
}

function shuffled<T>(things: readonly T[], random: Random): T[] {
  return things
    .map((thing) => ({ thing, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ thing }) => thing);
}

/** A process that dies at its `diesAt`-th step. */
function mortal(random: Random, late: LateWrites, diesAt: number): Fate & { steps(): number } {
  let steps = 0;
  return {
    steps: () => steps,
    step() {
      if (++steps >= diesAt) throw new Died();
    },
    ordered: (rows) => shuffled(rows, random),
    written: (again) => late.keep(again),
  };
}

/** Opens the store, takes it over and looks whether it is whole; gives the commits that it has. */
async function expectWhole(server: MemoryServer, { expected }: Life): Promise<number> {
  const database = server.connect();
  const store = await openJournaledStore(database);
  await store.takeOver();
  const { commits, positions } = await store.standing();
  expect(positions[0]?.position ?? 0).toBe(commits);
  await expectStore(store, database, expected[commits]!);
  await store.close();
  return commits;
}

describe(`a process that dies (seed ${SEED})`, () => {
  test('at any step of a commit leaves a whole number of them, and the next one goes on', async () => {
    const random = randomBy(SEED);
    const life = lifeOf(SEED, LIFE);
    const before = 3;
    const begun = new MemoryServer();
    const first = await openJournaledStore(begun.connect());
    for (const commit of life.commits.slice(0, before)) await first.commit(commit);
    for (let diesAt = 1, isLast = false; !isLast; diesAt++) {
      const server = begun.copy();
      const late = new LateWrites(random);
      const fate = mortal(random, late, diesAt);
      const second = openJournaledStore(server.connect(fate)).then(async (store) => {
        await store.takeOver();
        await store.commit(life.commits[before]!);
      });
      const [outcome] = await Promise.allSettled([second]);
      isLast = outcome.status === 'fulfilled';
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Died);
      late.arrive(0.5);
      const commits = await expectWhole(server, life);
      expect(commits === before || commits === before + 1, `${commits} after ${before}`).toBe(true);
      if (isLast) expect(commits).toBe(before + 1);
      expect(server.entryPartitions('journal'), 'journals that nobody needs').toEqual([]);
      const next = await openJournaledStore(server.connect());
      await next.commit(life.commits[commits]!);
      late.arrive(1);
      expect(await expectWhole(server, life)).toBe(commits + 1);
    }
  });

  test('again and again, while it makes good what others left', async () => {
    const random = randomBy(SEED + 1);
    for (let round = 0; round < 15; round++) {
      const life = lifeOf(SEED + round, 20);
      const server = new MemoryServer();
      const late = new LateWrites(random);
      let told = 0;
      for (let deaths = 0; deaths < 12; deaths++) {
        const fate = mortal(random, late, 1 + Math.floor(random() * 150));
        const living = openJournaledStore(server.connect(fate)).then(async (store) => {
          await store.takeOver();
          const { commits } = await store.standing();
          expect(commits).toBeGreaterThanOrEqual(told);
          for (let step = commits; step < 20; step++) {
            await store.commit(life.commits[step]!);
            told = step + 1;
          }
        });
        const [outcome] = await Promise.allSettled([living]);
        if (outcome.status === 'rejected' && !(outcome.reason instanceof Died)) throw outcome.reason;
        late.arrive(random());
      }
      late.arrive(1);
      expect(await expectWhole(server, life)).toBeGreaterThanOrEqual(told);
    }
  });
});

/** A process that sleeps at its `sleepsAt`-th step since it began, until it is woken. */
function sleeper(random: Random, late: LateWrites, sleepsAt: number) {
  let steps = Number.NEGATIVE_INFINITY;
  let wake: () => void = () => undefined;
  let fallAsleep: () => void = () => undefined;
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const asleep = new Promise<void>((resolve) => {
    fallAsleep = resolve;
  });
  const fate: Fate = {
    async step() {
      if (++steps !== sleepsAt) return;
      fallAsleep();
      await woken;
    },
    ordered: (rows) => shuffled(rows, random),
    written: (again) => late.keep(again),
  };
  const begin = (): void => {
    steps = 0;
  };
  return { fate, begin, asleep, wake };
}

describe(`an owner that sleeps (seed ${SEED})`, () => {
  const sleepers: (() => void)[] = [];
  afterEach(() => {
    for (const wake of sleepers.splice(0)) wake();
  });

  test('at any step is taken over, and changes nothing when it wakes up', async () => {
    const random = randomBy(SEED + 2);
    let [fenced, made] = [0, 0];
    for (let round = 0; round < 60; round++) {
      const life = lifeOf(SEED + round, LIFE);
      const server = new MemoryServer();
      const late = new LateWrites(random);
      const { fate, begin, asleep, wake } = sleeper(random, late, 1 + Math.floor(random() * 1200));
      sleepers.push(wake);
      const old = openJournaledStore(server.connect(fate)).then(async (store) => {
        await store.takeOver();
        begin();
        for (const commit of life.commits) await store.commit(commit);
      });
      const oldEnds = Promise.allSettled([old]);
      await Promise.race([asleep, oldEnds]);
      const store = await openJournaledStore(server.connect());
      await store.takeOver();
      const { commits } = await store.standing();
      const wakesAt = commits + Math.floor(random() * (LIFE - commits + 1));
      for (let step = commits; step < LIFE; step++) {
        if (step === wakesAt) wake();
        late.arrive(0.2);
        await store.commit(life.commits[step]!);
      }
      wake();
      const [outcome] = await oldEnds;
      if (outcome.status === 'fulfilled') made++;
      else {
        fenced++;
        expect(outcome.reason).toBeInstanceOf(FencedError);
      }
      late.arrive(1);
      expect(await expectWhole(server, life)).toBe(LIFE);
    }
    expect(fenced, 'owners that were refused').toBeGreaterThan(10);
    expect(made, 'owners that were done before').toBeGreaterThan(0);
  });
});
