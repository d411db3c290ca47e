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

const DYNAMODB_ALONE = fileURLToPath(new URL('./dynamodb-alone.js', import.meta.url));
const ALONE_ROWS = 20_000;

const KINDS = ['duckdb', ...STORE_NAMES] as const;

/**
 * Our servers forget rights at once, since tests give and take them, and are small; in use they remember them, as Cassandra
 * does unless it is told, and have a quarter of the machine's memory, as it takes unless it is told.
 */
const SETTINGS: Readonly<Partial<Record<StoreName, Readonly<Record<string, string>>>>> = {
  cassandra: { permissions_validity: '2000ms', roles_validity: '2000ms', heap: '4g' },
};

interface Figures {
  /** How many totals there were when the questions were asked, and how many days they filled. */
  totals: number;
  days: number;
  /** Totals a second that were not there before, and that were. */
  written: number;
  rewritten: number;
  /** How long the server went on putting away what was written, ms. */
  restedMs: number;
  answers: Record<string, 'refused' | { p50: number; p99: number; rows: number }>;
}

interface Measured {
  name: string;
  cpuS: number;
  rssBytes: number;
  result: unknown;
  /** Rows a second that the server takes in its own bulk writes, where that was measured. */
  aloneRows?: number;
}

export interface StoresBenchOptions {
  folder: string;
  terminal: Terminal;
  /** How many totals each store gets, and for how long at most it is filled, ms. */
  totals: number;
  fillMs: number;
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

async function measureFile({ folder, totals, fillMs, measure }: StoresBenchOptions): Promise<Measured> {
  const filling = [String(totals), String(fillMs)];
  return { name: 'DuckDB', ...(await measure([COMMITS, 'duckdb', join(folder, 'store'), ...filling])) };
}

async function measureServer(
  kind: StoreName,
  { folder, totals, fillMs, measure }: StoresBenchOptions,
): Promise<Measured> {
  const { part, label, place } = STORE_SERVERS[kind];
  const server = await startService(part, { directory: join(folder, kind), settings: SETTINGS[kind] ?? {} });
  try {
    const { url, environment } = place(server.address);
    Object.assign(process.env, environment);
    const filling = [String(totals), String(fillMs)];
    const measured = await measure([COMMITS, url, join(folder, 'work'), ...filling]);
    if (kind !== 'dynamodb') return { name: label, ...measured };
    const { endpoint, region } = server.address;
    const alone = await measure([DYNAMODB_ALONE, endpoint!, region!, String(ALONE_ROWS)]);
    return { name: label, ...measured, aloneRows: (alone.result as { perSecond: number }).perSecond };
  } finally {
    await server.remove();
  }
}

async function print(terminal: Terminal, stores: readonly Measured[]): Promise<void> {
  await terminal.table(
    [
      'changed totals/s',
      'totals there',
      'days',
      'new',
      'rewritten',
      'CPU s (ours)',
      'peak MB (ours)',
      'at rest after s',
    ],
    stores.map(({ name, cpuS, rssBytes, result }) => {
      const { totals, days, written, rewritten, restedMs } = result as Figures;
      const ours = [cpuS.toFixed(1), Math.round(rssBytes / 1e6)];
      return [name, totals, days, written, rewritten, ...ours, Math.round(restedMs / 1000)];
    }),
  );
  for (const { name, aloneRows } of stores) {
    if (aloneRows === undefined) continue;
    await terminal.print(`${name} alone, bulk writes without versions: ${aloneRows} rows a second\n`);
  }
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
