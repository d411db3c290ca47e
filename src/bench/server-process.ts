// A server in a process of its own, with what it takes of the machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Of the kernel's accounts: a tick of CPU time, and a page of memory. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    /** Where it tells its metrics, if it does. */
    readonly metricsUrl: string | undefined,
  ) {}

  /** Starts a script; resolves when it has said on standard error where it listens. */
  static async start(args: readonly string[]): Promise<ServerProcess> {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    const urls = new Promise<[string, string | undefined]>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const url = /\bon (http:\/\/[\d.]+:\d+)(?!\S*\/metrics)\b/.exec(said)?.[1];
        if (url) resolve([url, /\bon (http:\S+\/metrics)/.exec(said)?.[1]]);
      });
      child.on('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}: ${said}`)));
    });
    const [url, metricsUrl] = await urls;
    return new ServerProcess(child, url, metricsUrl);
  }

  /** CPU time until now, of all its threads; undefined where the system doesn't tell. */
  cpuMs(): number | undefined {
    const fields = this.#proc('stat')?.split(') ')[1]?.split(' ');
    return fields && (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /** Memory that it holds now. */
  rssBytes(): number | undefined {
    const pages = this.#proc('statm')?.split(' ')[1];
    return pages === undefined ? undefined : Number(pages) * PAGE_BYTES;
  }

  /** A value of its metrics. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(this.metricsUrl!)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGINT');
    await ended;
  }

  #proc(name: string): string | undefined {
    return process.platform === 'linux' ? readFileSync(`/proc/${this.child.pid}/${name}`, 'utf8') : undefined;
  }
}
