// What can happen to a writer of a lake on S3 and to its server: `kill -9` at random moments, the server gone and back,
// and the way from the log through the lake to a recomputation. KILLS and KILL_SEED as in kills.test.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { lakePositions } from '../../src/lake/read-lake.js';
import { BIN, clickAgg } from '../cli/click-agg.js';
import { ownService, SERVICE_START_MS, service } from '../services.js';
import { checkEnd, type KilledLake, killOften, lakeArguments, makeInput } from './killing.js';
import { randomOf, removeFolder, rowsByGlob, temporaryFolder } from './lakes.js';
import { makeBucket, type TestBucket } from './s3-lakes.js';

const KILLS = Number(process.env.KILLS ?? 6);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

const folder = temporaryFolder();
afterAll(() => removeFolder(folder));

function lakeIn(s3: TestBucket, name: string, flushRecords: number): KilledLake {
  const place = s3.place(name, join(folder, `${name}-cache`));
  return {
    place,
    options: s3.options(place),
    env: s3.env,
    flushRecords,
    async rowsByFolders(columns) {
      const copy = join(folder, `${name}-copy`);
      rmSync(copy, { recursive: true, force: true });
      await s3.mirror(place, copy);
      return rowsByGlob(copy, columns);
    },
  };
}

const killed = `killed at ${KILLS} random moments, each record is there once (seed ${SEED})`;
test(killed, { timeout: SERVICE_START_MS }, async () => {
  const s3 = await makeBucket(await service('s3'));
  const random = randomOf(SEED);
  const input = makeInput(folder, 'kcat', random, 4_000);
  await killOften(input, { kills: KILLS, random, newLake: (round) => lakeIn(s3, `killed-${round}`, 200) });
});

test('a server that is killed and comes back is waited for', { timeout: SERVICE_START_MS }, async () => {
  const server = await ownService('s3');
  try {
    const s3 = await makeBucket(server.address);
    const input = makeInput(folder, 'clicks', randomOf(SEED), 4_000);
    const lake = lakeIn(s3, 'patient', 100);
    const child = spawn(process.execPath, [BIN, ...lakeArguments(input, lake)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...s3.env },
    });
    const exit = once(child, 'exit');
    const said = text(child.stderr);
    const some = async (): Promise<boolean> => ((await lakePositions(lake.place)).get(0) ?? 0) > 300;
    while (!(await some())) await sleep(20);
    await server.kill();
    await sleep(1_500);
    await server.start();
    expect([...(await exit), await said]).toEqual([0, null, '']);
    await checkEnd(input, lake);
  } finally {
    await server.remove();
  }
});

test('run, its lake on S3, reconcile and backfill', { timeout: SERVICE_START_MS }, async () => {
  const s3 = await makeBucket(await service('s3'));
  const dataDir = join(folder, 'counted');
  const place = s3.place('', join(folder, 'counted-cache'));
  const on = ['--data-dir', dataDir, '--quiet', '--json'];
  const at = [...s3.options({ ...place, prefix: 'a/b' }), ...on];
  const call = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await clickAgg(args, { env: s3.env });
    expect(`${code} ${stderr}`, args.join(' ')).toBe('0 ');
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  await call('loadgen', '--count', '30000', '--event-rate', '5', '--too-late', '0.02', ...on);
  await call('run', '--until-end', ...at);
  expect(await call('reconcile', ...at)).toMatchObject({ agree: true });
  const hour = ['--from', '2026-02-22T00:00Z', '--to', '2026-02-22T01:00Z'];
  expect(await call('backfill', ...hour, ...at)).toMatchObject({ changed: true });
  expect(await call('reconcile', ...at)).toMatchObject({ agree: true });
});
