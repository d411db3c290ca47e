// Runs the embedded log's writer in a process of its own, as users do, so that it can be killed. The sources are
// translated into a temporary folder first: the test needs no build, and never runs an old one.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname ?? '.', '../..');

/** Translates what the writer process needs into `directory` and returns the script to start. */
export async function translateWriter(directory: string): Promise<string> {
  const sources = ['src/errors.ts', 'test/adapters/embedded-writer.ts', 'test/adapters/embedded-logs.ts'];
  for (const room of ['src/core', 'src/adapters/embedded']) {
    for (const name of await readdir(join(ROOT, room))) {
      if (name.endsWith('.ts')) sources.push(join(room, name));
    }
  }
  for (const source of sources) {
    const text = await readFile(join(ROOT, source), 'utf8');
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    await mkdir(join(directory, source, '..'), { recursive: true });
    await writeFile(join(directory, source.replace(/\.ts$/, '.js')), outputText);
  }
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, 'test/adapters/embedded-writer.js');
}

export interface WriterProcess {
  /** Records that it has reported as flushed, by partition: their count since the process began. */
  readonly acknowledged: Map<number, number>;
  readonly process: ChildProcess;
  /** Resolves at its first report. */
  readonly started: Promise<void>;
  readonly ended: Promise<void>;
}

export function startWriter(script: string, logDir: string, batches: number): WriterProcess {
  const child = spawn(process.execPath, [script, logDir, String(batches)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged = new Map<number, number>();
  let onStart: () => void = () => undefined;
  const started = new Promise<void>((done) => {
    onStart = done;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    for (const [partition, next] of JSON.parse(line) as [number, number][]) acknowledged.set(partition, next);
    onStart();
  });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  return { acknowledged, process: child, started, ended };
}
