// Runs the built program as a person would: a process of its own, with its own environment and directory.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const BIN = resolve(import.meta.dirname, '../../bin/click-agg.js');
export const CLI = resolve(import.meta.dirname, '../../dist/cli.js');

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  input?: string;
}

/** Runs `click-agg ...args` to its end. Nothing of the test's own environment but PATH reaches it. */
export function clickAgg(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return node([BIN, ...args], options);
}

/** Runs node with these arguments to its end. */
export function node(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, ...options.env },
  });
  const outcome: Outcome = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text;
  });
  child.stdin.end(options.input ?? '');
  return new Promise((done, failed) => {
    child.on('error', failed).on('close', (code) => done({ ...outcome, code }));
  });
}

/** An empty directory and the function that removes it. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'click-agg-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
