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
  await started.says(name === 'dashboard' ? 'dashboard on http://' : 'taking clicks on http://');
  const [url] = /http:\/\/[\d.:]+/.exec(started.said()) ?? [];
  return { ...started, url: url!, port: Number(new URL(url!).port) };
}

/** Ends processes in good order, the newest first. */
export async function endAll(processes: readonly Process[]): Promise<void> {
  for (const one of [...processes].reverse()) {
    one.signal('SIGTERM');
    await one.ended;
  }
}
