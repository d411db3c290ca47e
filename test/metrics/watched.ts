// A command that is watched over HTTP, as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { BIN } from '../cli/click-agg.js';
import { type Family, parseExposition } from './exposition.js';

/** No answer takes that long, even on a busy machine. */
const WAIT_MS = 90_000;

export interface Watched {
  process: ChildProcess;
  url: string;
  log: Record<string, unknown>[];
  get(path: string): Promise<{ status: number; text: string; contentType: string | null }>;
  metrics(): Promise<Map<string, Family>>;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `click-agg ...args --metrics-port 0` and waits until it tells where its metrics are. */
export async function startWatched(args: readonly string[]): Promise<Watched> {
  const all = [BIN, ...args, '--metrics-port', '0', '--log-format', 'json'];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  const log: Record<string, unknown>[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      log.push(entry);
      if (typeof entry.metrics_url === 'string') resolve(entry.metrics_url);
    });
    child.on('exit', () => reject(new Error(`it ended: ${JSON.stringify(log)}`)));
  });
  const get: Watched['get'] = async (path) => {
    const response = await fetch(url + path);
    const contentType = response.headers.get('content-type');
    return { status: response.status, text: await response.text(), contentType };
  };
  return {
    ...{ process: child, url, log, get },
    metrics: async () => parseExposition((await get('/metrics')).text),
    async stop() {
      child.kill('SIGTERM');
      await ended;
      return child.exitCode;
    },
  };
}

/** Asks until the answer is there. */
export async function until<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(50);
  }
}
