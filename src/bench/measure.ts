// Runs a script of ours in a process of its own and tells what it took.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { $ } from 'zx';

const HOOK = fileURLToPath(new URL('./usage-hook.js', import.meta.url));

/** The program as a user starts it. */
export const BIN = fileURLToPath(new URL('../../bin/click-agg.js', import.meta.url));

export interface Measure {
  seconds: number;
  cpuS: number;
  rssBytes: number;
  /** What the process printed: a JSON document. */
  result: unknown;
}

/** Runs a script of ours to its end. `folder`: for what it tells of itself. */
export async function measure(folder: string, args: readonly string[]): Promise<Measure> {
  const usageFile = join(folder, 'usage.json');
  const startedMs = performance.now();
  const running = $({
    quiet: true,
    nothrow: true,
    env: { ...process.env, BENCH_USAGE_FILE: usageFile },
  })`${process.execPath} --import ${HOOK} ${args}`;
  // How far it is, where that takes long.
  running.stderr.pipe(process.stderr);
  const { exitCode, stdout, stderr } = await running;
  const seconds = (performance.now() - startedMs) / 1000;
  if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  const usage = JSON.parse(readFileSync(usageFile, 'utf8')) as Pick<Measure, 'cpuS' | 'rssBytes'>;
  return { seconds, ...usage, result: JSON.parse(stdout) };
}
