// A process of click-agg as a service manager would keep it: whenever it ends it is started again, until it is told
// to stop. Its output goes to a file, and each end is remembered with its reason.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readRunFile } from '../live/run-file.js';

const BIN = fileURLToPath(new URL('../../bin/click-agg.js', import.meta.url));
/** A service manager's pause before it starts something again. */
const RESTART_MS = 500;
const STOP_MS = 120_000;
/** Words in a log that only a bug of ours can have put there. */
const BUG = /this is a bug|invariant violated|\n {4}at .*\.js:\d+/;

export interface ProgramOptions {
  name: string;
  /** Asked for at each start. */
  args: () => readonly string[];
  /** For its log. */
  directory: string;
  environment: Readonly<Record<string, string>>;
  /** Whether it is started again when it ends with success. */
  endless: boolean;
}

export class Program {
  readonly name: string;
  readonly logFile: string;
  /** Starts so far. */
  starts = 0;
  /** Ends that nobody here had asked for: a clear line and exit code 1, say, when a server was away for long. */
  ownEnds = 0;
  private child: ChildProcess | undefined;
  private wanted = true;
  private asked = false;
  private readonly kept: Promise<void>;

  constructor(private readonly options: ProgramOptions) {
    this.name = options.name;
    this.logFile = join(options.directory, `${options.name}.log`);
    this.kept = this.keep();
  }

  /** Resolves when it has ended and is not started again; rejects if it could not even be started. */
  get ended(): Promise<void> {
    return this.kept;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** As in a power cut. */
  kill(): void {
    this.send('SIGKILL');
  }

  /** A clean stop; then it is started again. */
  interrupt(): void {
    this.send('SIGTERM');
  }

  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** A clean stop for good. Fails if it won't end. */
  async stop(): Promise<void> {
    this.wanted = false;
    this.resume();
    this.send('SIGTERM');
    const late = Symbol('late');
    const outcome = await Promise.race([this.kept, sleep(STOP_MS, late, { ref: false })]);
    if (outcome === late) {
      this.kill();
      throw new Error(`${this.name} did not stop within ${STOP_MS / 1000} s of a signal`);
    }
  }

  /** Ends it at once, for good. */
  async discard(): Promise<void> {
    this.wanted = false;
    this.kill();
    await this.kept;
  }

  /** What it wrote that only a bug can have written, with the lines around. */
  bug(): string | undefined {
    const log = readFileSync(this.logFile, 'utf8');
    const at = BUG.exec(log)?.index;
    return at === undefined ? undefined : log.slice(Math.max(0, at - 1000), at + 1000);
  }

  private send(signal: NodeJS.Signals): void {
    this.asked = true;
    this.child?.kill(signal);
  }

  private async keep(): Promise<void> {
    const { args, environment, endless } = this.options;
    while (this.wanted) {
      const log = openSync(this.logFile, 'a');
      this.asked = false;
      this.starts++;
      this.child = spawn(process.execPath, [BIN, ...args()], {
        env: { ...process.env, ...environment },
        stdio: ['ignore', log, log],
      });
      closeSync(log);
      const [code] = (await once(this.child, 'exit')) as [number | null];
      this.child = undefined;
      if (!this.asked) this.ownEnds++;
      if (code === 0 && !endless) return;
      if (this.wanted) await sleep(RESTART_MS);
    }
  }
}

/** Of these processes the one that counts now, by the file that it keeps in its data directory. */
export function activeOf<P extends { program: Program; dataDir: string }>(runs: readonly P[]): P | undefined {
  return runs.find(({ program, dataDir }) => {
    const pid = readRunFile(dataDir)?.pid;
    return pid !== undefined && pid === program.pid;
  });
}

/** Runs a command to its end; `output` is what it wrote to standard output and standard error. */
export async function clickAgg(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
