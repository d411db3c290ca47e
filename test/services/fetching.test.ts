// What is fetched is fetched once a machine, whoever asks at the same time, and whole or not at all.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cacheFolder, madeOnce } from '../../src/services/fetching.js';
import { temporaryDirectory } from '../cli/click-agg.js';

const folder = temporaryDirectory();
beforeAll(() => vi.stubEnv('XDG_CACHE_HOME', folder.path));
afterAll(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

test('two who ask for the same thing at once get one that was made once', async () => {
  let fills = 0;
  const make = () =>
    madeOnce('part', async (work) => {
      fills++;
      await sleep(50);
      writeFileSync(join(work, 'program'), 'whole');
    });
  const [one, other] = await Promise.all([make(), make()]);
  expect(one).toBe(other);
  expect(readFileSync(join(one, 'program'), 'utf8')).toBe('whole');
  expect(fills).toBe(1);
});

test('what failed halfway is not taken for the whole, and the next one makes it anew', async () => {
  const failing = madeOnce('broken', async (work) => {
    writeFileSync(join(work, 'half'), '');
    throw new Error('the network is gone');
  });
  await expect(failing).rejects.toThrow('the network is gone');
  expect(readdirSync(cacheFolder())).not.toContain('broken');
  const path = await madeOnce('broken', async (work) => writeFileSync(join(work, 'program'), ''));
  expect(readdirSync(path)).toEqual(['program']);
  expect(existsSync(`${path}.lock`)).toBe(false);
});
