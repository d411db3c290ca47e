// The program's own servers as the browser tests need them, each on a free port of this machine.
import { type Process, startClickAgg } from '../cli/topic-runs.js';

/** A process that serves, and where. */
export interface Server extends Process {
  readonly url: string;
  readonly port: number;
}

/** Starts `click-agg NAME`, which says where it listens, and waits until it does. */
export async function startServer(
  name: 'dashboard' | 'ingest',
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const started = startClickAgg(name, [name, ...args], environment);
  const words = SAYS[name];
  await started.says(`${words} http://`);
  const url = urlAfter(words, started);
  return { ...started, url, port: Number(new URL(url).port) };
}

const SAYS = { dashboard: 'dashboard on', ingest: 'taking clicks on' } as const;

/** Where a process said that it listens, behind these words. */
export function urlAfter(words: string, { said }: Process): string {
  return new RegExp(`${words} (http://[\\d.:]+)`).exec(said())![1]!;
}

/** Ends processes in good order, the newest first. */
export async function endAll(processes: readonly Process[]): Promise<void> {
  for (const one of [...processes].reverse()) {
    one.signal('SIGTERM');
    await one.ended;
  }
}
