// A lake whose manifest is of another version: refused by readers and writers, and left as it was.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MANIFEST_VERSION } from '../../src/lake/manifest.js';
import { lakePositions } from '../../src/lake/read-lake.js';
import { clickValue, removeFolder, temporaryFolder, write } from './lakes.js';

let lakeDir: string;
beforeEach(() => {
  lakeDir = join(temporaryFolder(), 'lake');
  mkdirSync(lakeDir);
});
afterEach(() => removeFolder(dirname(lakeDir)));

const record = (offset: number) => ({ partition: 0, offset, value: clickValue({ click_id: `c-${offset}` }) });

test.each([
  ['newer', MANIFEST_VERSION + 1, `from a newer version of click-agg \\(${MANIFEST_VERSION + 1}\\)`],
  ['no', 0, 'is not what click-agg writes'],
])('a manifest of %s version is refused in a line', async (_, version, message) => {
  await write(lakeDir, [record(0)]);
  const folder = join(lakeDir, '_commits');
  const [name] = readdirSync(folder);
  const path = join(folder, name!);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"version":\d+/, `"version":${version}`));
  const before = readdirSync(lakeDir, { recursive: true });
  await expect(lakePositions(lakeDir)).rejects.toThrow(new RegExp(message));
  await expect(write(lakeDir, [record(0), record(1)])).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(new RegExp(message)),
  });
  expect(readdirSync(lakeDir, { recursive: true })).toEqual(before);
});
