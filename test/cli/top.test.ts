// `click-agg top` where there is no person to watch: in pipes, at rest, beside a living run.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { methodHash } from '../../src/core/method-hash.js';
import { BIN, clickAgg, temporaryDirectory } from './click-agg.js';

const FIXTURE = resolve(import.meta.dirname, '../../fixtures/bot-burst-over-all-partitions');

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

async function countFixture(dataDir: string): Promise<void> {
  const counted = await clickAgg([
    'run',
    '-q',
    '--input',
    join(FIXTURE, 'log.ndjson'),
    '--data-dir',
    dataDir,
  ]);
  expect(counted.code, counted.stderr).toBe(0);
}

test('without totals it says what to do, and exits 1', async () => {
  const dataDir = join(directory.path, 'none');
  const { code, stdout, stderr } = await clickAgg(['top', '--data-dir', dataDir]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^click-agg: no totals in .*: run `click-agg run` first\n/);
  expect(existsSync(dataDir)).toBe(false);
});

test('at rest it shows the store and says that nothing runs', async () => {
  await countFixture(directory.path);
  const { ledger } = JSON.parse(readFileSync(join(FIXTURE, 'expected.json'), 'utf8'));
  const plain = await clickAgg(['top', '--data-dir', directory.path]);
  expect(plain.code).toBe(0);
  expect(plain.stderr).toMatch(/^nothing is running in .*: showing the store, as of 20\d\d-.*Z\n$/);
  expect(plain.stdout).toMatch(new RegExp(`^billable +${ledger.billable} `, 'm'));
  expect(plain.stdout).toMatch(/^partition +position +lag +watermark +behind$/m);
  const { stdout } = await clickAgg(['top', '--json', '--data-dir', directory.path]);
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({ live: false, method_hash: methodHash(DEFAULT_METHOD), ledger });
  expect(document.top.ads.reduce((sum: number, { clicks }: { clicks: number }) => sum + clicks, 0)).toBe(
    ledger.billable,
  );
  for (const { clicks, minutes } of document.top.ads)
    expect(minutes.reduce((sum: number, value: number) => sum + value, 0)).toBe(clicks);
});

test('beside a living run it shows what the run says, while that goes on', async () => {
  const dataDir = directory.path;
  const loaded = await clickAgg(['loadgen', '-q', '--count', '20000', '--data-dir', dataDir]);
  expect(loaded.code, loaded.stderr).toBe(0);
  const run = spawn(process.execPath, [BIN, 'run', '-q', '--data-dir', dataDir], { stdio: 'ignore' });
  const ended = new Promise((done) => run.on('close', done));
  try {
    const live = async () => {
      const { stdout } = await clickAgg(['top', '--json', '--limit', '3', '--data-dir', dataDir]);
      return stdout === '' ? {} : JSON.parse(stdout);
    };
    await expect.poll(live, { interval: 200 }).toMatchObject({
      live: true,
      ledger: { records: 20_000 },
      source: expect.stringContaining('embedded log'),
      partitions: Array(6).fill({ lag: 0 }),
    });
    const { top } = await live();
    expect(top.ads.length).toBeLessThanOrEqual(3);
    const plain = await clickAgg(['top', '--once', '--data-dir', dataDir]);
    expect(plain.stdout).toMatch(/^\d+ clicks\/s from embedded log /);
  } finally {
    run.kill('SIGTERM');
    expect(await ended).toBe(0);
  }
});
