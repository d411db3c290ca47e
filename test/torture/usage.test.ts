// What `npm run torture` is told wrongly it says in one line, before anything is started.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const TORTURE = fileURLToPath(new URL('../../dist/torture/torture.js', import.meta.url));

test.each([
  [['--store', 'mysql'], /^torture: --store must be one of postgres, duckdb, .*, not mysql\n$/],
  [['--follower', 'duckdb'], /^torture: --follower must be one of .*, not duckdb\n$/],
  [['--minutes', '0'], /^torture: --minutes must be a number above 0, not 0\n$/],
  [['--stores', 'postgres'], /^torture: Unknown option '--stores'.*\n$/],
])('%j is refused in one line', (args, line) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [TORTURE, ...args], { encoding: 'utf8' });
  expect(stderr).toMatch(line);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});
