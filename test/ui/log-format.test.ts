// `--log-format json`: every line on standard error is one JSON object, whatever becomes of the command.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clickAgg, temporaryDirectory } from '../cli/click-agg.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** The log's lines, each of which must be JSON. */
function linesOf(stderr: string): Record<string, unknown>[] {
  return stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('logs as JSON', () => {
  test('have level, time, message and fields, and leave the result alone', async () => {
    const run = await clickAgg(['run', '--input', '-', '--json', '--log-format', 'json'], {
      cwd: directory.path,
      input: '{"no":"click"}\n',
    });
    expect(run.code, run.stderr).toBe(0);
    const [first] = linesOf(run.stderr);
    expect(first).toMatchObject({
      level: 'info',
      msg: 'counting standard input',
      source: 'standard input',
      pid: expect.any(Number),
    });
    expect(new Date(String(first!.time)).toISOString()).toBe(first!.time);
    expect(JSON.parse(run.stdout)).toMatchObject({ ledger: { records: 1, invalid: 1 } });
  });

  test('tell what went wrong with its hint, and what came from outside can’t act on a terminal', async () => {
    const env = { CLICK_AGG_LOG_FORMAT: 'json' };
    const failed = await clickAgg(['run', '--input', 'none\u001b[2J\u009b\n'], { cwd: directory.path, env });
    expect(failed.code).toBe(1);
    for (const control of ['\u001b', '\u009b']) expect(failed.stderr).not.toContain(control);
    const lines = linesOf(failed.stderr);
    expect(lines.at(-1)).toMatchObject({ level: 'error', exit_code: 1, hint: expect.any(String) });
    const quiet = await clickAgg(['query', '--quiet', '--data-dir', 'none'], { cwd: directory.path, env });
    expect(linesOf(quiet.stderr)).toMatchObject([
      { level: 'error', msg: expect.stringContaining('no totals') },
    ]);
  });

  test('stay as they are unless asked', async () => {
    const { stderr } = await clickAgg(['query'], { cwd: directory.path });
    expect(stderr).toMatch(/^click-agg: no totals/);
    const wrong = await clickAgg(['query', '--log-format', 'xml'], { cwd: directory.path });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('must be one of text, json')]);
  });
});
