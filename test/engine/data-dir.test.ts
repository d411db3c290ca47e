// The data directory: its version, and who works in it.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkedDataDir, openDataDir } from '../../src/engine/data-dir.js';

let parent: string;
let path: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'click-agg-dir-'));
  path = join(parent, 'a', 'b');
});
afterEach(() => {
  chmodSync(parent, 0o700);
  rmSync(parent, { recursive: true, force: true });
});

test('is made with its version, and opened again', async () => {
  const dir = await openDataDir(path);
  expect(dir).toMatchObject({ path, storePath: join(path, 'store.duckdb'), lakeDir: join(path, 'lake') });
  expect(JSON.parse(readFileSync(join(path, 'version.json'), 'utf8'))).toEqual({ version: 1 });
  await openDataDir(path);
  await checkedDataDir(path);
});

test('of a newer version is refused, for reading too', async () => {
  await openDataDir(path);
  writeFileSync(join(path, 'version.json'), '{"version":2}');
  for (const open of [openDataDir, checkedDataDir])
    await expect(open(path)).rejects.toThrow(`${path} was written by a newer click-agg`);
  writeFileSync(join(path, 'version.json'), 'nonsense');
  await expect(openDataDir(path)).rejects.toThrow(/is damaged/);
});

test('that can not be made is refused in one line', async () => {
  writeFileSync(join(parent, 'a'), 'a file in the way');
  await expect(openDataDir(path)).rejects.toMatchObject({ name: 'UserError', hint: expect.any(String) });
});

test('where no folder can be made is refused in one line, at once', async () => {
  await expect(openDataDir('/proc/no/such/folder')).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/^can't write \/proc\/no\/such\/folder: E[A-Z]+$/),
    hint: expect.any(String),
  });
});

test('is held by one run at a time, and a dead one’s lock is taken over', async () => {
  const dir = await openDataDir(path);
  const lock = await dir.lock('run');
  await expect(dir.lock('run')).rejects.toThrow(`is counted into by another process (pid ${process.pid})`);
  const lake = await dir.lock('lake');
  lake.release();
  lock.release();
  const dead = spawn(process.execPath, ['-e', '']);
  await new Promise((done) => dead.once('exit', done));
  writeFileSync(join(path, 'run.lock'), `{"pid":${dead.pid},"born":"x"}\n`);
  (await dir.lock('run')).release();
});
