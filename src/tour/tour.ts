// `npm run tour`: real servers on this machine, and everything that click-agg is between a click and an invoice.
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT, UsageError, UserError } from '../errors.js';
import type { PartName } from '../services/part.js';
import { type Service, startService } from '../services/service.js';
import { createTerminal } from '../ui/create-terminal.js';
import type { Terminal } from '../ui/terminal.js';
import { type Check, type Servers, wholeWay } from './whole-way.js';

const USAGE = `Usage: npm run tour -- [--visitors N] [--stay] [--dir DIR] [--json]

Starts Kafka, PostgreSQL and Redis on this machine, imports ads, starts ingest, run, lake and dashboard, and sends
visitors over HTTP: people, some of whom click twice, bots, crawlers, an app that repeats itself and is late. Then every
verdict, every total and every amount is checked. Exits 1 if anything is not as it must be.

  --visitors N  how many people click (default: 20000)
  --stay        leave everything running until Ctrl-C when all is counted, to look at the dashboard
  --dir DIR     work there and keep it; otherwise a temporary folder
`;
const PARTS: readonly PartName[] = ['kafka', 'postgres', 'redis'];

interface Line {
  visitors: number;
  stay: boolean;
  directory: string | undefined;
  json: boolean;
}

function parse(): Line | undefined {
  const { values } = parseArgs({
    options: {
      visitors: { type: 'string', default: '20000' },
      stay: { type: 'boolean', default: false },
      dir: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const visitors = Number(values.visitors);
  if (!Number.isInteger(visitors) || visitors < 100) {
    throw new UsageError(`--visitors must be a whole number from 100, not ${values.visitors}`);
  }
  return { visitors, stay: values.stay, directory: values.dir, json: values.json };
}

async function tour(): Promise<number> {
  const line = parse();
  const { stdout, stderr, env } = process;
  if (line === undefined) {
    stdout.write(USAGE);
    return EXIT.ok;
  }
  const how = { json: line.json, quiet: false, noColor: false, nowMs: Date.now };
  const terminal = createTerminal({ stdout, stderr, environment: env, ...how });
  const directory =
    line.directory === undefined ? mkdtempSync(join(tmpdir(), 'click-agg-tour-')) : resolve(line.directory);
  mkdirSync(directory, { recursive: true });
  // PostgreSQL runs as another user, who must be able to reach its files.
  chmodSync(directory, 0o755);
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort()).once('SIGTERM', () => stopping.abort());
  const services: Service[] = [];
  try {
    const checks = await wholeWay({
      servers: await started(services, directory, terminal),
      directory: join(directory, 'data'),
      // Each tour of a kept folder is one of its own.
      name: `tour${Date.now() % 1_000_000}`,
      visitors: line.visitors,
      signal: stopping.signal,
      say: (text) => terminal.info(text),
      ...(line.stay ? { look: (where) => stay(where, terminal, stopping.signal) } : {}),
    });
    return await show(checks, terminal);
  } finally {
    for (const service of services) await service.stop();
    if (line.directory === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function started(services: Service[], directory: string, terminal: Terminal): Promise<Servers> {
  const say = (text: string): void => terminal.info(text);
  for (const name of PARTS) {
    const service = await startService(name, { directory: join(directory, name), say });
    services.push(service);
    terminal.info(`${name} on port ${service.port}`);
  }
  const [kafka, postgres, redis] = services.map(({ address }) => address);
  return { brokers: kafka!.brokers!, postgres: postgres!.url!, redis: redis!.url! };
}

async function stay(
  { url, token }: { url: string; token: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  terminal.info(`look at the dashboard, and end with Ctrl-C: ${url}/#token=${token}`);
  if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done));
}

async function show(checks: readonly Check[], terminal: Terminal): Promise<number> {
  const wrong = checks.filter(({ ok }) => !ok).length;
  if (terminal.wantsJson) await terminal.json({ ok: wrong === 0, checks });
  else {
    await terminal.table(
      ['', 'what', 'found'],
      checks.map(({ what, found, ok }) => [
        ok ? terminal.style.green('✓') : terminal.style.red('✗'),
        ...[what, found],
      ]),
    );
    const line = wrong === 0 ? terminal.style.green('All is as it must be.') : `${wrong} checks failed.`;
    await terminal.print(`${line}\n`);
  }
  return wrong === 0 ? EXIT.ok : EXIT.failure;
}

try {
  process.exitCode = await tour();
} catch (error) {
  if (error instanceof Error && error.name === 'AbortError') process.exitCode = EXIT.interrupted;
  else if (error instanceof TypeError && 'code' in error) {
    process.stderr.write(`tour: ${error.message}\n`);
    process.exitCode = EXIT.usage;
  } else if (error instanceof UserError) {
    process.stderr.write(`tour: ${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
