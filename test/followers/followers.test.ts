// Two processes count into one store by turns, die amid commits, and bring a second store the same commits from what
// each has on its disk. Whatever happens, the second store makes exactly the commits of the first, in their order.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openJournaledStore } from '../../src/adapters/journaled/store.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import type { Commit, StoredState } from '../../src/core/ports/commit.js';
import type { Store } from '../../src/core/ports/store.js';
import { FencedError, UserError } from '../../src/errors.js';
import { Followers } from '../../src/followers/followers.js';
import { turnsWith } from '../../src/followers/turns.js';
import { cell, commitOf, randomBy } from '../contract/commits.js';
import { type Fate, MemoryServer } from '../journaled/memory-database.js';

const PATIENCE = { retry: 2, retryMax: 10, look: 5, gap: 20_000, ask: 2 };

/** The commits of a store by their marks, and who may write it; everything else is left out. */
class Notebook {
  marks: number[] = [];
  commits = 0;
  epoch = 0;
  identity: string | undefined;
  /** Thrown instead of an answer. */
  trouble: (() => Error | undefined) | undefined;

  open(): Store {
    let mine = -1;
    const guarded = () => {
      const error = this.trouble?.();
      if (error) throw error;
      if (mine !== this.epoch) throw new FencedError();
    };
    const state = async () =>
      ({ sourceIdentity: this.identity, commits: this.commits, methodHash: this.identity }) as StoredState;
    return {
      state,
      standing: state,
      takeOver: async () => {
        mine = ++this.epoch;
        return mine;
      },
      begin: async ({ sourceIdentity }: { sourceIdentity: string }) => {
        guarded();
        this.identity = sourceIdentity;
      },
      commit: async (commit: Commit) => {
        guarded();
        const number = commit.number ?? this.commits + 1;
        if (number <= this.commits) return;
        this.marks.push(commit.positions[0]!.position);
        this.commits = number;
      },
      close: async () => {},
    } as Partial<Store> as Store;
  }
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'click-agg-followers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lines: string[] = [];

function openProcess(
  name: string,
  second: Pick<Notebook, 'trouble'> & { open(): Store | Promise<Store> },
  more: { bytesMax?: number } = {},
): Promise<Followers> {
  return Followers.open({
    folder: join(folder, name),
    bytesMax: more.bytesMax ?? 1e9,
    places: [
      {
        name: 'second',
        open: async () => {
          const error = second.trouble?.();
          if (error) throw error;
          return await second.open();
        },
      },
    ],
    warn: (line) => lines.push(line),
    info: (line) => lines.push(line),
    patience: PATIENCE,
  });
}

/** A turn of a process: gives how it commits. */
async function leadBy(process: Followers, first: Notebook): Promise<(mark: number) => Promise<void>> {
  const store = first.open();
  const epoch = await store.takeOver();
  const state = await store.state();
  const led = await process.lead(store, { epoch, state, origin: 'first' });
  const identity = { kind: 'embedded', turns: turnsWith(state, epoch) };
  await led.begin({ method: DEFAULT_METHOD, sourceIdentity: JSON.stringify(identity) });
  return (mark) => led.commit(markedWith(mark));
}

function markedWith(mark: number): Commit {
  const place = { maxEventTimeMs: 0, rewindOffset: 0, rewindMaxEventTimeMs: 0 };
  return commitOf({
    cells: [cell({ clicks: mark })],
    positions: [{ partition: 0, position: mark, ...place }],
  });
}

const asked = (first: Notebook) => () => first.open().state();

async function until(what: () => boolean): Promise<void> {
  await expect.poll(what, { interval: 5 }).toBe(true);
}

test('turns, crashes amid commits and outages: the second store makes the commits of the first', async () => {
  const seed = Number(process.env.FOLLOWERS_SEED ?? Date.now() % 1_000_000);
  const random = randomBy(seed);
  const [first, second] = [new Notebook(), new Notebook()];
  second.trouble = () => (random() < 0.2 ? new UserError('away') : undefined);
  let mark = 0;
  const processes = [await openProcess('a', second), await openProcess('b', second)];
  const restart = async (at: number): Promise<void> => {
    await processes[at]!.close();
    processes[at] = await openProcess(['a', 'b'][at]!, second);
    processes[at]!.standsBy(asked(first));
  };
  for (let turn = 0; turn < 60; turn++) {
    const at = random() < 0.5 ? 0 : 1;
    const counting = processes[at]!;
    const commit = await leadBy(counting, first);
    for (let left = Math.floor(random() * 5); left > 0; left--) await commit(++mark);
    const end = random();
    if (end < 0.3) {
      // It dies: before the store made the commit, or after, with nobody there to hear of it.
      const wasMade = random() < 0.5;
      first.trouble = () => {
        if (wasMade) {
          first.marks.push(mark);
          first.commits++;
        }
        return new UserError('connection lost');
      };
      mark++;
      await expect(commit(mark)).rejects.toThrow('connection lost');
      first.trouble = undefined;
      if (random() < 0.7) await restart(at);
      else processes[at]!.rest();
    } else {
      counting.rest();
      counting.standsBy(asked(first));
      if (end < 0.6) await restart(random() < 0.5 ? 0 : 1);
    }
    if (random() < 0.3) await sleep(random() * 20);
  }
  second.trouble = undefined;
  for (const at of [0, 1]) await restart(at);
  const commit = await leadBy(processes[0]!, first);
  await commit(++mark);
  await until(() => second.commits === first.commits).catch(() => undefined);
  expect({ seed, marks: second.marks }).toEqual({ seed, marks: first.marks });
  expect(first.marks.length).toBeGreaterThan(60);
  expect(second.identity).toBe(JSON.stringify({ kind: 'embedded', follows: 'first' }));
  for (const process of processes) await process.close();
});

test('a store that is away is told of, its commits wait, and it catches up', async () => {
  const [first, second] = [new Notebook(), new Notebook()];
  second.trouble = () => new UserError('connection refused');
  const process = await openProcess('a', second);
  const commit = await leadBy(process, first);
  for (const mark of [1, 2, 3]) await commit(mark);
  await until(() => process.status()[0]?.trouble !== undefined);
  expect(process.status()).toEqual([
    { store: 'second', commits: undefined, behind: undefined, trouble: 'connection refused' },
  ]);
  second.trouble = undefined;
  await process.finish(false);
  expect(second.marks).toEqual([1, 2, 3]);
  expect(process.status()).toEqual([{ store: 'second', commits: 3, behind: 0, trouble: undefined }]);
  await process.close();
});

test('an empty store behind one that has counted is told to need a copy, and follows once it has it', async () => {
  const [first, second] = [new Notebook(), new Notebook()];
  first.commits = 5;
  const process = await openProcess('a', second);
  const commit = await leadBy(process, first);
  await commit(6);
  await until(() => lines.some((line) => /made 0 commits of [56].*copy-totals/.test(line)));
  await process.finish(false);
  expect(second.marks).toEqual([]);
  second.commits = 5;
  second.identity = JSON.stringify({ copying: 'first' });
  await sleep(30);
  expect(second.marks).toEqual([]);
  second.identity = JSON.stringify({ follows: 'first' });
  await until(() => second.commits === 6);
  expect(second.marks).toEqual([6]);
  await process.close();
});

test('a store with totals of its own gets none of another', async () => {
  const [first, second] = [new Notebook(), new Notebook()];
  second.identity = JSON.stringify({ kind: 'embedded' });
  const process = await openProcess('a', second);
  const commit = await leadBy(process, first);
  await commit(1);
  await until(() => /totals of its own/.test(process.status()[0]?.trouble ?? ''));
  expect(second.marks).toEqual([]);
  await process.close();
});

test('a store whose writer died amid a commit follows with the next process', async () => {
  const seed = Number(process.env.FOLLOWERS_SEED ?? Date.now() % 1_000_000);
  const random = randomBy(seed);
  for (let diesAt = 1, wasKilled = true; wasKilled; diesAt += 1 + Math.floor(random() * 8)) {
    const [first, server] = [new Notebook(), new MemoryServer()];
    wasKilled = false;
    let left = diesAt;
    const mortal: Fate = {
      step() {
        if (--left > 0) return;
        wasKilled = true;
        throw new Error('died');
      },
      ordered: (rows) => rows,
      written: () => undefined,
    };
    const dying = { trouble: undefined, open: () => openJournaledStore(server.connect(mortal)) };
    const before = await openProcess(`before-${diesAt}`, dying);
    const commit = await leadBy(before, first);
    for (const mark of [1, 2]) await commit(mark);
    await Promise.race([until(() => before.status()[0]?.commits === 2), before.failed]).catch(
      () => undefined,
    );
    await before.close();
    const living = { trouble: undefined, open: () => openJournaledStore(server.connect()) };
    const after = await openProcess(`before-${diesAt}`, living);
    await leadBy(after, first);
    await until(() => after.status()[0]?.commits === 2).catch(() => undefined);
    expect({ seed, diesAt, ...after.status()[0] }).toEqual({
      seed,
      diesAt,
      store: 'second',
      commits: 2,
      behind: 0,
    });
    const store = await living.open();
    expect((await store.state()).positions[0]?.position).toBe(2);
    await store.close();
    await after.close();
  }
}, 60_000);
