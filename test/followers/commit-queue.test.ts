// Commits on the disk: in order, whole or not at all after a crash, and not more of them than shall wait.
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { CommitQueue } from '../../src/followers/commit-queue.js';
import { cell, commitOf, commitOfLife, deadLetter, START_MS } from '../contract/commits.js';

const LEADING = { origin: 'first', identity: { method: DEFAULT_METHOD, sourceIdentity: '{}' } };

let folder: string;
let queue: CommitQueue;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'click-agg-queue-'));
  queue = await reopened();
});
afterEach(async () => {
  await queue.close();
  rmSync(folder, { recursive: true, force: true });
});

const reopened = (bytesMax = 1e9, fileBytesMax = 1e6) => CommitQueue.open({ folder, bytesMax, fileBytesMax });

async function add(...numbers: number[]): Promise<void> {
  for (const number of numbers) {
    await queue.append({ number, epoch: 3, ...LEADING, commit: commitOfLife(number) });
    queue.made();
  }
}

test('a commit is read as it was written, and none that was not told to be made', async () => {
  const value = Buffer.from('within a larger buffer').subarray(7, 15);
  const letter = { ...deadLetter({ partition: 1, offset: 2 }), value, key: undefined };
  const commit = commitOf({
    cells: [cell({ adId: 'ä', clicks: 0, rewrite: true })],
    deadLetters: [letter],
    checkpoint: { floorMs: -Infinity, openPeriods: [{ hash: [1, 2, 3, 4_294_967_295], openedMs: START_MS }] },
    number: 1,
  });
  await queue.append({ number: 1, epoch: 3, ...LEADING, commit });
  expect(queue.has(1)).toBe(false);
  expect(await queue.read(1)).toBeUndefined();
  queue.made();
  expect(await queue.read(1)).toEqual({ number: 1, epoch: 3, ...LEADING, commit });
  expect(await queue.read(2)).toBeUndefined();
});

test('after a crash the newest commit is in doubt, and what was half written is gone', async () => {
  await add(1, 2, 3);
  await queue.close();
  const [file] = readdirSync(folder);
  const whole = statSync(join(folder, file!)).size;
  for (const [cut, newest] of [
    [0, 3],
    [1, 2],
    [40, 2],
  ] as const) {
    truncateSync(join(folder, file!), whole - cut);
    queue = await reopened();
    expect(queue.doubtful).toMatchObject({ number: newest, epoch: 3 });
    expect(queue.has(newest)).toBe(false);
    expect((await queue.read(newest - 1))?.commit).toEqual(commitOfLife(newest - 1));
    await queue.close();
  }
  appendFileSync(join(folder, file!), 'rubbish that is longer than the header of a frame');
  queue = await reopened();
  queue.made();
  await add(3);
  expect((await queue.read(3))?.commit).toEqual(commitOfLife(3));
});

test('a commit that was not made is dropped, and another one takes its number', async () => {
  await add(1);
  for (const commit of [commitOfLife(7), commitOfLife(8)]) {
    await queue.append({ number: 2, epoch: 3, ...LEADING, commit });
    await queue.dropDoubtful();
  }
  await add(2);
  expect((await queue.read(2))?.commit).toEqual(commitOfLife(2));
  await queue.append({ number: 9, epoch: 4, ...LEADING, commit: commitOfLife(9) });
  await queue.dropDoubtful();
  expect(readdirSync(folder)).toHaveLength(1);
});

test('numbers may jump; what lies between is not there', async () => {
  await add(1, 2, 7, 8);
  await queue.close();
  queue = await reopened();
  queue.made();
  expect([1, 2, 3, 6, 7, 8, 9].map((number) => queue.has(number))).toEqual([
    true,
    true,
    false,
    false,
    true,
    true,
    false,
  ]);
});

test('files go when nobody needs them, and the oldest ones when too much waits', async () => {
  await queue.close();
  queue = await reopened(1e9, 10_000);
  await add(...Array.from({ length: 60 }, (_, at) => at + 1));
  const files = readdirSync(folder).length;
  expect(files).toBeGreaterThan(3);
  expect(await queue.trim(30)).toBeUndefined();
  expect(readdirSync(folder).length).toBeLessThan(files);
  expect(queue.has(31)).toBe(true);
  await queue.close();
  queue = await reopened(25_000, 10_000);
  queue.made();
  const lost = await queue.trim(30);
  expect(lost).toBeGreaterThan(30);
  expect(queue.bytes).toBeLessThanOrEqual(25_000);
  expect(queue.has(lost!)).toBe(false);
  expect(queue.has(lost! + 1)).toBe(true);
  expect(await queue.trim(60)).toBeUndefined();
  expect(readdirSync(folder).length).toBeLessThanOrEqual(1);
});

test('a folder that can’t be made is told in one line', async () => {
  const opened = CommitQueue.open({ folder: '/proc/none/queue', bytesMax: 1 });
  await expect(opened).rejects.toMatchObject({ name: 'UserError' });
});
