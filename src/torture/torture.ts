// `npm run torture`: a storm of faults, a quarter of an hour long unless told, and its verdict.
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT, UsageError, UserError } from '../errors.js';
import { STORE_NAMES } from '../services/store-servers.js';
import { createTerminal } from '../ui/create-terminal.js';
import type { Terminal } from '../ui/terminal.js';
import { FIRST_STORES } from './stores.js';
import { type StormOutcome, storm } from './storm.js';

const USAGE = `Usage: npm run torture -- [--store NAME] [--follower NAME] [--minutes N] [--seed N] [--rate N]
                          [--dir DIR] [--json]

Counts a load of clicks from a real Kafka into a real store and keeps a lake of it, with a standby beside, and kills,
pauses and starts again the processes and the servers at random moments. In the end not one click may be lost, counted
twice or judged otherwise than the recomputation judges it. Exits 1 if anything differs.

  --store NAME     the store that holds the positions: postgres, duckdb, cassandra, dynamodb, clickhouse (default:
                   postgres). DuckDB has no server to kill, and no standby if another store follows it
  --follower NAME  another store that follows it, is killed and paused, too, and must hold the same in the end:
                   postgres, cassandra, dynamodb, clickhouse (default: none)
  --minutes N      how long faults strike (default: 15)
  --seed N         makes order and places of faults, and the clicks, the same (default: by the clock)
  --rate N         clicks a second (default: 300)
  --dir DIR        work there and keep it; otherwise a temporary folder, kept only if something is wrong
`;

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new UsageError(`--${name} must be a number above 0, not ${text}`);
}

function nameOf<N extends string>(option: string, text: string, names: readonly N[]): N {
  const name = names.find((each) => each === text);
  if (name !== undefined) return name;
  throw new UsageError(`--${option} must be one of ${names.join(', ')}, not ${text}`);
}

async function torture(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '15' },
      seed: { type: 'string', default: String(1 + (Date.now() % 1_000_000)) },
      rate: { type: 'string', default: '300' },
      dir: { type: 'string' },
      store: { type: 'string', default: 'postgres' },
      follower: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT.ok;
  }
  const [minutes, seed, rate] = (['minutes', 'seed', 'rate'] as const).map((name) =>
    numberOf(name, values[name]),
  );
  const store = nameOf('store', values.store, FIRST_STORES);
  const follower =
    values.follower === undefined ? undefined : nameOf('follower', values.follower, STORE_NAMES);
  const { stdout, stderr, env } = process;
  const how = { json: values.json, quiet: false, noColor: false, nowMs: Date.now };
  const terminal = createTerminal({ stdout, stderr, environment: env, ...how });
  const directory =
    values.dir === undefined ? mkdtempSync(join(tmpdir(), 'click-agg-torture-')) : resolve(values.dir);
  mkdirSync(directory, { recursive: true });
  // PostgreSQL runs as another user, who must be able to reach its files.
  chmodSync(directory, 0o755);
  terminal.info(
    `torture of ${[store, follower].filter(Boolean).join(' and ')} for ${minutes} minutes, seed ${seed}, in ${directory}`,
  );
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort()).once('SIGTERM', () => stopping.abort());
  const outcome = await storm({
    ...{ directory, seed: seed!, rate: rate!, durationMs: minutes! * 60_000 },
    serverFolder: (name) => join(directory, name),
    ...{ store, follower },
    signal: stopping.signal,
    say: (line) => terminal.info(line),
  });
  await show(terminal, outcome, seed!);
  if (outcome.problems.length > 0) {
    terminal.info(`everything is kept in ${directory}`);
    return EXIT.failure;
  }
  if (values.dir === undefined) await rm(directory, { recursive: true, force: true });
  return EXIT.ok;
}

async function show(terminal: Terminal, outcome: StormOutcome, seed: number): Promise<void> {
  for (const problem of outcome.problems) terminal.error(problem);
  if (terminal.wantsJson) return terminal.json({ seed, ...outcome });
  const { faults, starts, ownEnds, verdicts, records, partitions, problems } = outcome;
  const { deadLetters, withdrawn, deletedRecords } = outcome;
  await terminal.table(['fault', 'times'], Object.entries(faults));
  await terminal.table(
    ['process', 'starts', 'ended by itself'],
    Object.entries(starts).map(([name, count]) => [name, count, ownEnds[name]!]),
  );
  await terminal.table(['verdict', 'records'], Object.entries(verdicts));
  const letters = `${deadLetters} dead letters and ${withdrawn} that were taken back`;
  const end =
    problems.length === 0 ? 'none lost, none twice, difference zero' : `${problems.length} problems`;
  const kept = `${records} records in ${partitions} partitions, ${deletedRecords} of them deleted by retention`;
  await terminal.print(`${kept}; ${letters}: ${end}. Seed ${seed}\n`);
}

try {
  process.exitCode = await torture();
} catch (error) {
  if (error instanceof Error && error.name === 'AbortError') process.exitCode = EXIT.interrupted;
  else if (error instanceof TypeError && 'code' in error) {
    process.stderr.write(`torture: ${error.message}\n`);
    process.exitCode = EXIT.usage;
  } else if (error instanceof UserError) {
    process.stderr.write(`torture: ${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
