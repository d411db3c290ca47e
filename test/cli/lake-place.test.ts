// A lake where none can be: the mistake is told in a line by every command that looks for it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clickAgg, temporaryDirectory } from './click-agg.js';

let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(async () => {
  directory = temporaryDirectory();
  writeFileSync(join(directory.path, 'file'), '');
  await clickAgg(['loadgen', '--count', '10'], { cwd: directory.path });
  await clickAgg(['run', '--until-end'], { cwd: directory.path });
});

afterAll(() => directory.remove());

test.each(['lake --until-end', 'lake status', 'lake verify', 'lake compact', 'run --until-end', 'reconcile'])(
  '%s names the file that is in the way of the lake',
  async (typed) => {
    const { code, stderr } = await clickAgg([...typed.split(' '), '--lake', 'file'], { cwd: directory.path });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^click-agg: can't (read|write) file\/_\w+: ENOTDIR$/m);
    expect(stderr).toMatch(/choose another folder/);
    expect(stderr).not.toMatch(/^ +at /m);
  },
);

test.skipIf(process.platform !== 'linux')('a folder that takes no lake is told, not waited for', async () => {
  const { code, stderr } = await clickAgg(['lake', '--until-end', '--lake', '/proc/lake'], {
    cwd: directory.path,
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(/can't write \/proc\/lake: ENOENT/);
});
