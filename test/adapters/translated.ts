// Runs adapters in processes of their own, as users do, so that they can be killed, measured and piped into. The
// sources are translated into a temporary folder first: the tests need no build, and never run an old one.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname ?? '.', '../..');

/** Script, below the translated folder, of the process that writes to a log. */
export const WRITER_SCRIPT = 'test/adapters/embedded-writer.js';

/** Translates the adapters and what they need into `directory`, in the same layout. */
export async function translate(directory: string): Promise<void> {
  const sources = ['src/errors.ts', 'test/adapters/embedded-writer.ts', 'test/adapters/embedded-logs.ts'];
  for (const room of ['src/core', 'src/adapters/embedded', 'src/adapters/file']) {
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
