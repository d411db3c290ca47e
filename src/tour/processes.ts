// The tour's programs: processes of the command line, as a person would start them, each until it is told to stop.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UserError } from '../errors.js';

const BIN = fileURLToPath(new URL('../../bin/click-agg.js', import.meta.url));
const LOG_LINES_KEPT = 20;

export type Environment = Readonly<Record<string, string>>;

/** Runs a command to its end and gives what it printed. UserError: it failed; with `mayDiffer`, and said nothing. */
export async function clickAgg(
  args: readonly string[],
  environment: Environment,
  { input = '', mayDiffer = false }: { input?: string; mayDiffer?: boolean } = {},
): Promise<string> {
  const child = start(args, environment);
  const output: string[] = [];
  const log: string[] = [];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => output.push(text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => log.push(text));
  child.stdin!.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 && !(mayDiffer && output.length > 0)) throw failed(args, code, log);
  return output.join('');
}

/** A program that runs until it is stopped. */
export class Running {
  private readonly log: string[] = [];
  private readonly ended: Promise<number | null>;
  private stopping = false;
  /** The address that it listens on, as its log tells. */
  readonly url: Promise<string>;

  constructor(
    private readonly args: readonly string[],
    environment: Environment,
  ) {
    this.child = start([...args, '--log-format', 'json'], environment);
    this.child.stdin!.end();
    this.child.stdout!.resume();
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
    const lines = createInterface({ input: this.child.stderr! });
    lines.on('line', (line) => {
      this.log.push(line);
      if (this.log.length > LOG_LINES_KEPT) this.log.shift();
    });
    this.url = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const url = /"url":"([^"]+)"/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
      void this.ended.then((code) => reject(failed(args, code, this.log)));
    });
    // Not everybody asks for it.
    void Promise.allSettled([this.url]);
  }

  private readonly child: ChildProcess;

  /** Rejects if it ends before it is told to. */
  async endsTooEarly(): Promise<never> {
    const code = await this.ended;
    if (!this.stopping) throw failed(this.args, code, this.log);
    return await new Promise<never>(() => undefined);
  }

  /** A clean stop. UserError: it did not end well. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.child.kill('SIGTERM');
    const code = await this.ended;
    if (code !== 0) throw failed(this.args, code, this.log);
  }

  /** Ends it at once. */
  async discard(): Promise<void> {
    this.stopping = true;
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

function start(args: readonly string[], environment: Environment): ChildProcess {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1', ...environment };
  return spawn(process.execPath, [BIN, ...args], { env, stdio: 'pipe' });
}

function failed(args: readonly string[], code: number | null, log: readonly string[]): UserError {
  const last = log.join('').trim().split('\n').slice(-5).join(' / ');
  return new UserError(`click-agg ${args[0]} ended with ${code ?? 'a signal'}: ${last}`);
}
