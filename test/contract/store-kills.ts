// Kills writers of a store with SIGKILL at random moments, again and again on the same store, and looks whether
// what is left is a whole number of commits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { StoreBooks } from '../../src/core/ports/books.js';
import { EVERYTHING, type Store } from '../../src/core/ports/store.js';
import { commitOfLife, randomBy } from './commits.js';

export interface KillOptions {
  /** Compiled module with a function `exported(path)` that opens the store. */
  module: string;
  exported: string;
  path: string;
  kills: number;
  seed: number;
  open(path: string): Promise<Store & StoreBooks>;
}

/** Commits on their way to the writer, so that it never waits for one. */
const QUEUED = 8;

/** What a writer's process runs: it carries out the commits that are sent to it. */
const WRITER = `
  const [module, exported, path] = process.argv.slice(1);
  const store = await (await import(module))[exported](path);
  await store.takeOver();
  process.on('message', async (commit) => {
    await store.commit(commit);
    process.send('committed');
  });
  process.send((await store.state()).positions);
`;

/** Runs the kills; fails where a store isn't whole. */
export async function killWriters(options: KillOptions): Promise<void> {
  const random = randomBy(options.seed);
  let known = 0;
  for (let kill = 0; kill < options.kills; kill++) {
    // Every fourth as soon as it may write; the others commit, twice at least, so that the sum is certain.
    const afterCommits = kill % 4 === 0 ? 0 : 2 + Math.floor(random() * 6);
    const moment = { afterCommits, afterMs: random() * 50 };
    const sent = await writeUntilKilled(options, known, moment);
    const found = await committedIn(options);
    expect(found, 'commits that were told to be made are there').toBeGreaterThanOrEqual(sent.told);
    expect(found).toBeLessThanOrEqual(sent.begun);
    known = found;
  }
  expect(known, 'commits that were made between the kills').toBeGreaterThanOrEqual(options.kills);
}

/** Starts a writer, keeps it busy and kills it at that moment. Gives steps begun, and steps it told to be done. */
async function writeUntilKilled(
  { module, exported, path }: KillOptions,
  known: number,
  { afterCommits, afterMs }: { afterCommits: number; afterMs: number },
): Promise<{ begun: number; told: number }> {
  const args = ['--input-type=module', '-e', WRITER, module, exported, path];
  const stdio: ['ignore', 'inherit', 'inherit', 'ipc'] = ['ignore', 'inherit', 'inherit', 'ipc'];
  const writer = spawn(process.execPath, args, { stdio, serialization: 'advanced' });
  const ended = once(writer, 'exit');
  await once(writer, 'message');
  let begun = known;
  let told = known;
  const send = (): void => {
    if (writer.connected) writer.send(commitOfLife(begun++), () => undefined);
  };
  await new Promise<void>((enough) => {
    writer.on('message', () => {
      told++;
      send();
      if (told >= known + afterCommits) enough();
    });
    for (let i = 0; i < QUEUED; i++) send();
    if (afterCommits === 0) enough();
  });
  await sleep(afterMs);
  writer.kill('SIGKILL');
  await ended;
  return { begun, told };
}

/** Opens what is left and gives how many commits it holds; they must be whole. */
async function committedIn({ open, path }: KillOptions): Promise<number> {
  const store = await open(path);
  try {
    const [position] = (await store.state()).positions;
    const commits = (position?.position ?? 0) / 10;
    const rows = await store.query(EVERYTHING);
    const expected = totalsOfLife(commits);
    expect(rows.length).toBe(expected.cells);
    expect(rows.reduce((sum, row) => sum + Number(row.clicks), 0)).toBe(expected.clicks);
    expect((await store.ledger()).billable).toBe(expected.clicks);
    return commits;
  } finally {
    await store.close();
  }
}

/** What the first commits of the life make, worked out in the plainest way. */
export function totalsOfLife(commits: number): { cells: number; clicks: number } {
  const totals = new Map<string, number>();
  for (let step = 0; step < commits; step++) {
    const { cells } = commitOfLife(step);
    for (let i = 0; i < cells.count; i++) {
      const key = JSON.stringify([cells.minuteMs[i], cells.dimensions[cells.dimension[i]!]]);
      if (cells.clicks[i] === 0) totals.delete(key);
      else totals.set(key, cells.clicks[i]!);
    }
  }
  return { cells: totals.size, clicks: [...totals.values()].reduce((sum, clicks) => sum + clicks, 0) };
}
