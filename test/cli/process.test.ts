// What a driver has forgotten to close doesn't keep a finished process alive.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const FOREVER = 'data:text/javascript,setInterval(() => undefined, 1000)';

test('a process whose work is done ends although a timer runs, and says so', async () => {
  const args = ['--import', FOREVER, 'bin/click-agg.js', '--version'];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
  expect(stderr).toMatch(/^warning: a connection was still open at the end/);
});
