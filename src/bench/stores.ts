// `npm run bench -- stores`: changed totals a second on DuckDB and on a real PostgreSQL, in one run.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startService } from '../services/service.js';
import type { Terminal } from '../ui/terminal.js';

const COMMITS = fileURLToPath(new URL('./store-commits.js', import.meta.url));

interface Rates {
  /** Totals a second that were not there before, and that were. */
  written: number;
  rewritten: number;
}

export interface StoresBenchOptions {
  folder: string;
  terminal: Terminal;
  /** Runs a script of ours in a process of its own. */
  measure(args: readonly string[]): Promise<{ cpuS: number; rssBytes: number; result: unknown }>;
}

/** Measures and prints. */
export async function benchStores({ folder, terminal, measure }: StoresBenchOptions): Promise<void> {
  // The server may run as another user, who must be able to reach its files.
  chmodSync(folder, 0o711);
  const server = await startService('postgres', { directory: join(folder, 'postgres') });
  try {
    const stores = [];
    for (const [name, place] of [
      ['DuckDB', join(folder, 'store')],
      ['PostgreSQL', server.address.url!],
    ] as const) {
      process.stderr.write(`${name} …\n`);
      stores.push({ name, ...(await measure([COMMITS, place])) });
    }
    if (terminal.wantsJson) {
      await terminal.json(stores);
      return;
    }
    await terminal.table(
      ['changed totals/s', 'new', 'rewritten', 'CPU s (ours)', 'peak MB (ours)'],
      stores.map(({ name, cpuS, rssBytes, result }) => {
        const { written, rewritten } = result as Rates;
        return [name, written, rewritten, cpuS.toFixed(1), Math.round(rssBytes / 1e6)];
      }),
    );
  } finally {
    await server.remove();
  }
}
