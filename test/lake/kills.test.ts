// `kill -9` at any moment, with real processes: the lake writer is killed at random moments again and again,
// while it flushes small portions and compacts all the time, and started again until it is done. Afterwards, and
// after every single kill, each record that the lake claims to hold is there exactly once. KILLS=200 kills more
// often, KILL_SEED=… repeats a seed (moments are real time: they vary a little).
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { killOften, makeInput } from './killing.js';
import { randomOf, removeFolder, rowsByGlob, temporaryFolder } from './lakes.js';

const KILLS = Number(process.env.KILLS ?? 15);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const RECORDS = 15_000;

const folder = temporaryFolder();
afterAll(() => removeFolder(folder));

describe.each(['kcat', 'clicks'])('input of %s', (format) => {
  const title = `killed at ${KILLS} random moments, each record is there once (seed ${SEED})`;
  test(title, { timeout: 600_000 }, async () => {
    const random = randomOf(SEED);
    const input = makeInput(folder, format, random, RECORDS);
    await killOften(input, {
      kills: KILLS,
      random,
      newLake(round) {
        const place = join(folder, `${format}-${round}`);
        const rowsByFolders = (columns: string) => rowsByGlob(place, columns);
        return { place, options: ['--lake', place], rowsByFolders, flushRecords: 250 };
      },
    });
  });
});
