// `npm run bench -- stores`: changed totals a second and answers to questions, on every kind of store, each on a real
// server, one after the other in one run.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError, UserError } from '../errors.js';
import { startService } from '../services/service.js';
import { STORE_NAMES, STORE_SERVERS, type StoreName } from '../services/store-servers.js';
import type { Terminal } from '../ui/terminal.js';

const COMMITS = fileURLToPath(new URL('./store-commits.js', import.meta.url));

const KINDS = ['duckdb', ...STORE_NAMES] as const;

interface Figures {
  /** Totals a second that were not there before, and that were. */
  written: number;
  rewritten: number;
  answers: Record<string, 'refused' | { p50: number; p99: number; rows: number }>;
}

interface Measured {
  name: string;
  cpuS: number;
  rssBytes: number;
  result: unknown;
}

export interface StoresBenchOptions {
  folder: string;
  terminal: Terminal;
  /** How many totals each store gets. */
  totals: number;
  /** Names of stores; empty: all. */
  only: readonly string[];
  /** Runs a script of ours in a process of its own. */
  measure(args: readonly string[]): Promise<Omit<Measured, 'name'>>;
}

/** Measures and prints. UsageError: there is no such store. UserError: some could not be measured, and why. */
export async function benchStores(options: StoresBenchOptions): Promise<void> {
  const { folder, terminal, only, totals } = options;
  const unknown = only.find((name) => !KINDS.some((kind) => kind === name));
  if (unknown !== undefined) throw new UsageError(`--only knows ${KINDS.join(', ')}, not ${unknown}`);
  // A server may run as another user, who must be able to reach its files.
  chmodSync(folder, 0o711);
  const stores: Measured[] = [];
  const failures: string[] = [];
  for (const kind of KINDS.filter((name) => only.length === 0 || only.includes(name))) {
    process.stderr.write(`${kind}, ${totals} totals …\n`);
    const measured = kind === 'duckdb' ? measureFile(options) : measureServer(kind, options);
    const [outcome] = await Promise.allSettled([measured]);
    if (outcome.status === 'fulfilled') stores.push(outcome.value);
    // The others have been measured, or will be.
    else failures.push(`${kind}: ${outcome.reason}`);
  }
  if (terminal.wantsJson) await terminal.json({ totals, stores });
  else if (stores.length > 0) await print(terminal, stores);
  if (failures.length > 0) throw new UserError(failures.join('\n'));
}

async function measureFile({ folder, totals, measure }: StoresBenchOptions): Promise<Measured> {
  return { name: 'DuckDB', ...(await measure([COMMITS, 'duckdb', join(folder, 'store'), String(totals)])) };
}

async function measureServer(
  kind: StoreName,
  { folder, totals, measure }: StoresBenchOptions,
): Promise<Measured> {
  const { part, label, place } = STORE_SERVERS[kind];
  const server = await startService(part, { directory: join(folder, kind) });
  try {
    const { url, environment } = place(server.address);
    Object.assign(process.env, environment);
    return { name: label, ...(await measure([COMMITS, url, join(folder, 'work'), String(totals)])) };
  } finally {
    await server.remove();
  }
}

async function print(terminal: Terminal, stores: readonly Measured[]): Promise<void> {
  await terminal.table(
    ['changed totals/s', 'new', 'rewritten', 'CPU s (ours)', 'peak MB (ours)'],
    stores.map(({ name, cpuS, rssBytes, result }) => {
      const { written, rewritten } = result as Figures;
      return [name, written, rewritten, cpuS.toFixed(1), Math.round(rssBytes / 1e6)];
    }),
  );
  const [first] = stores;
  const questions = Object.keys((first!.result as Figures).answers);
  await terminal.table(
    ['p50 / p99 in ms', ...stores.map(({ name }) => name)],
    questions.map((question) => [
      question,
      ...stores.map(({ result }) => {
        const answer = (result as Figures).answers[question]!;
        return answer === 'refused' ? answer : `${answer.p50.toFixed(1)} / ${answer.p99.toFixed(1)}`;
      }),
    ]),
  );
}
