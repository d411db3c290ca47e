// The disk is full, read-only, used by another process or by a newer version: one clear line each, exit code 1, and
// nothing is lost. Once there is space again, everything goes on and agrees.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BIN, clickAgg, type Outcome, temporaryDirectory } from './click-agg.js';
import { CAN_MOUNT, onDisk } from './disks.js';

const RECORDS = 20_000;
const LOAD = `--count ${RECORDS} --event-rate 20 --seed 7 --bots 0.1 --too-late 0.02 --malformed 0.02`.split(
  ' ',
);

const folder = temporaryDirectory();
const clicks = join(folder.path, 'clicks.ndjson');
beforeAll(async () => {
  expect(await clickAgg(['loadgen', ...LOAD, '--output', clicks, '-q'])).toMatchObject({ code: 0 });
});
afterAll(() => folder.remove());

/** One line of what is wrong and one of what to do. */
function expectOneLine({ code, stdout, stderr }: Outcome, what: RegExp): void {
  expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^click-agg: [^\n]+\n {2}[^\n]+\n$/);
  expect(stderr).toMatch(what);
}

const COUNT = [
  'run',
  '--input',
  clicks,
  '--data-dir',
  'DISK/clicks',
  '--lake',
  '--commit-every',
  '10ms',
  '-q',
];
const PROVE = ['reconcile', '--data-dir', 'DISK/clicks', '--json', '-q'];

function expectAllCounted(counted: Outcome, proved: Outcome): void {
  expect(counted, counted.stderr).toMatchObject({ code: 0, stderr: '' });
  expect(proved.code, proved.stderr).toBe(0);
  expect(JSON.parse(proved.stdout)).toMatchObject({ agree: true, ledger: { records: RECORDS } });
}

describe('a full disk', () => {
  // Where it becomes full depends on its size: at the first file, amid commits, amid the lake.
  test.each([1, 2, 4])(
    'of %i MB stops a run in one line, and with more space it goes on',
    async (megabytes) => {
      const [full, again, counted, proved] = await onDisk(join(folder.path, `full-${megabytes}`), [
        { megabytes },
        { run: COUNT },
        { run: COUNT },
        { megabytes: 400 },
        { run: COUNT },
        { run: PROVE },
      ]);
      const what = CAN_MOUNT ? /can't write .*(the disk is full|ENOSPC)/ : /can't (write|use) /;
      expectOneLine(full!, what);
      expectOneLine(again!, what);
      expectAllCounted(counted!, proved!);
    },
  );

  test('stops who appends to the log, and what was appended is whole', async () => {
    const load = ['loadgen', ...LOAD, '--data-dir', 'DISK/clicks', '-q'];
    const [full, counted, proved] = await onDisk(join(folder.path, 'full-log'), [
      { megabytes: 1 },
      { run: load },
      { megabytes: 400 },
      { run: ['run', '--until-end', '--lake', '--data-dir', 'DISK/clicks', '-q'] },
      { run: PROVE },
    ]);
    expectOneLine(full!, CAN_MOUNT ? /can't write .*ENOSPC/ : /can't write /);
    expect(counted, counted!.stderr).toMatchObject({ code: 0, stderr: '' });
    const { agree, ledger } = JSON.parse(proved!.stdout) as { agree: boolean; ledger: { records: number } };
    expect(agree).toBe(true);
    expect(ledger.records).toBeLessThan(RECORDS);
  });
});

describe('a read-only disk', () => {
  test('is refused by who would write, in one line, and changes nothing', async () => {
    const [counted, refused, lake, again, proved] = await onDisk(join(folder.path, 'read-only'), [
      { run: COUNT },
      { readOnly: true },
      { run: COUNT },
      { run: ['lake', '--input', clicks, '--data-dir', 'DISK/clicks', '-q'] },
      { readOnly: false },
      { run: COUNT },
      { run: PROVE },
    ]);
    expect(counted, counted!.stderr).toMatchObject({ code: 0, stderr: '' });
    expectOneLine(refused!, /read-only|EROFS|EACCES|permission denied/);
    expectOneLine(lake!, /read-only|EROFS|EACCES|permission denied/);
    expectAllCounted(again!, proved!);
  });

  test('takes no new data directory', async () => {
    const [refused] = await onDisk(join(folder.path, 'read-only-new'), [{ readOnly: true }, { run: COUNT }]);
    expectOneLine(refused!, /read-only|EROFS|EACCES/);
  });
});

test('a data directory that another run counts into is refused with its pid, and that run goes on', async () => {
  const dataDir = join(folder.path, 'held');
  const load = await clickAgg(['loadgen', '--count', '1000', '--data-dir', dataDir, '-q']);
  expect(load, load.stderr).toMatchObject({ code: 0 });
  const holder = spawn(process.execPath, [BIN, 'run', '--data-dir', dataDir, '-q'], { stdio: 'ignore' });
  try {
    // It has taken its lock and answers.
    while (!existsSync(join(dataDir, 'run.json'))) {
      expect(holder.exitCode, 'it runs').toBeNull();
      await sleep(20);
    }
    const second = await clickAgg(['run', '--until-end', '--data-dir', dataDir, '-q']);
    expectOneLine(second, new RegExp(`is counted into by another process \\(pid ${holder.pid}\\)`));
    expect((await clickAgg(['query', '--ledger', '--data-dir', dataDir, '--json'])).code).toBe(0);
  } finally {
    const ended = once(holder, 'exit');
    holder.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }
  expect(await clickAgg(['run', '--until-end', '--data-dir', dataDir, '-q'])).toMatchObject({ code: 0 });
});

const READERS = 'query,reconcile,top --once,dead-letters list,explain x,lake status,lake verify'.split(',');
const WRITERS = ['run', 'lake', 'loadgen', 'backfill --from 2026-02-22T10:00 --to 2026-02-22T11:00'];

test('a data directory of a newer version is refused by every command, and left as it is', async () => {
  const dataDir = join(folder.path, 'newer');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'version.json'), '{"version":99}\n');
  for (const typed of [...READERS, ...WRITERS]) {
    const refused = await clickAgg([...typed.split(' '), '--data-dir', dataDir, '-q']);
    expectOneLine(refused, /was written by a newer click-agg \(data directory version 99\)/);
  }
  expect(readdirSync(dataDir)).toEqual(['version.json']);
});

test('a place where there can be no data directory is refused at once', async () => {
  const refused = await clickAgg(['run', '--until-end', '--data-dir', '/proc/no/such', '-q']);
  expectOneLine(refused, /can't write \/proc\/no\/such: E[A-Z]+/);
});
