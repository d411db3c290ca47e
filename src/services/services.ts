// `npm run services -- start|stop|status|fetch PART …`: the real parts on this machine, for people and for tests.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT, UsageError, UserError } from '../errors.js';
import { nearest } from '../options/names.js';
import { createTerminal } from '../ui/create-terminal.js';
import type { Terminal } from '../ui/terminal.js';
import { fetchChromium } from './chromium.js';
import { PART_NAMES, type PartName, type Say } from './part.js';
import { PARTS, type ServiceStatus, serviceStatus, startService, stopService } from './service.js';

const USAGE = `Usage: npm run services -- start|stop|status|fetch [PART[:PORT] …] [--dir DIR] [--json]

Starts, stops and shows real servers on 127.0.0.1, each with its files in a folder of its own. What is missing is
fetched by the first start, or by fetch, which starts nothing.

Parts:
  kafka       ${PARTS.kafka.software}, fetched by Maven
  postgres    PostgreSQL as installed, or by apt-get
  redis       Redis as installed, or by apt-get
  s3          ${PARTS.s3.software}, built by go install
  dynamodb    ${PARTS.dynamodb.software}, fetched by Maven
  cassandra   ${PARTS.cassandra.software}, fetched by Maven
  clickhouse  ${PARTS.clickhouse.software}: its engine behind an HTTP interface of ours, fetched by pip
Only for fetch:
  chromium    a browser for tests of the web dashboard, by apt-get if none is installed
Without parts: all of them (start, status, fetch), or all that run (stop).

Options:
  --dir DIR  where they live (default: .services)
  --json     one JSON document to standard output
  --help     this text
`;
const ACTIONS = ['start', 'stop', 'status', 'fetch'] as const;
type Action = (typeof ACTIONS)[number];

interface Asked {
  name: PartName;
  port: number | undefined;
}

interface Line {
  action: Action;
  parts: readonly Asked[];
  /** Fetch the browser too, which is no server. */
  browser: boolean;
  directory: string;
  json: boolean;
}

function parse(argv: readonly string[]): Line | undefined {
  const { values, positionals } = flagsOf(argv);
  if (values.help) return undefined;
  const [word, ...words] = positionals;
  if (word === undefined)
    throw new UsageError('say what to do: start, stop, status or fetch', { hint: HINT });
  const action = ACTIONS.find((each) => each === word);
  if (!action) throw unknown('action', word, ACTIONS);
  const everything = words.length === 0;
  const browser = action === 'fetch' && (everything || words.includes(BROWSER));
  const servers = browser ? words.filter((each) => each !== BROWSER) : words;
  const parts = everything ? PART_NAMES.map((name) => ({ name, port: undefined })) : servers.map(partOf);
  return { action, parts, browser, directory: resolve(values.dir), json: values.json };
}
const BROWSER = 'chromium';
const HINT = 'See npm run services -- --help';

function flagsOf(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        dir: { type: 'string', default: '.services' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message.split('. ')[0]!, { hint: HINT });
    throw error;
  }
}

function partOf(word: string): Asked {
  const [typed, portText] = word.split(':');
  const name = PART_NAMES.find((each) => each === typed);
  if (!name) throw unknown('part', typed!, PART_NAMES);
  if (portText === undefined) return { name, port: undefined };
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) throw new UsageError(`${word}: a port is a number from 1 to 65535`);
  return { name, port };
}

function unknown(kind: string, typed: string, known: readonly string[]): UsageError {
  const meant = nearest(typed, known);
  return new UsageError(`there is no ${kind} ${typed}${meant ? `; did you mean ${meant}?` : ''}`, {
    hint: `There are ${known.join(', ')}.`,
  });
}

async function perform(line: Line, terminal: Terminal): Promise<number> {
  const { action, parts, directory } = line;
  const say: Say = (text) => terminal.info(text);
  const acts = (action === 'status' ? [] : parts).map(
    (asked) => () => ACTS[action as keyof typeof ACTS](asked, directory, say),
  );
  if (line.browser) acts.push(async () => `${BROWSER} is here: ${await fetchChromium(say)}`);
  let exitCode: number = EXIT.ok;
  for (const act of acts) {
    try {
      terminal.info(await act());
    } catch (error) {
      // The others needn't wait for the one that can't.
      if (!(error instanceof UserError)) throw error;
      terminal.error(error.hint ? `${error.message}\n  ${error.hint}` : error.message);
      exitCode = error.exitCode;
    }
  }
  const statuses = await Promise.all(parts.map(({ name }) => serviceStatus(join(directory, name))));
  if (parts.length === 0) return exitCode;
  await show(
    parts.map(({ name }, index) => statuses[index] ?? name),
    terminal,
  );
  return exitCode;
}

/** Does what is asked with one part, and says what was done. */
const ACTS = {
  async start({ name, port }: Asked, directory: string, say: Say): Promise<string> {
    const { ranBefore } = await startService(name, { directory: join(directory, name), port, say });
    return ranBefore ? `${name} runs already` : `${name} started`;
  },
  async stop({ name }: Asked, directory: string): Promise<string> {
    return (await stopService(join(directory, name))) ? `${name} stopped` : `${name} did not run`;
  },
  async fetch({ name }: Asked, _directory: string, say: Say): Promise<string> {
    await PARTS[name].fetch(say);
    return `${name} is here`;
  },
};

/** A name alone is a part that was never started here. */
async function show(statuses: readonly (ServiceStatus | PartName)[], terminal: Terminal): Promise<void> {
  if (terminal.wantsJson) {
    const documents = statuses.map((status) =>
      typeof status === 'string'
        ? { name: status, software: PARTS[status].software, pid: null, answers: false }
        : { ...status, pid: status.pid ?? null },
    );
    return terminal.json(documents);
  }
  const rows = statuses.map((status) => {
    if (typeof status === 'string') return [status, PARTS[status].software, 'never started', '', ''];
    const { name, software, pid, answers, address } = status;
    const state = pid === undefined ? 'stopped' : answers ? 'answers' : 'does not answer';
    return [name, software, state, pid === undefined ? '' : String(pid), Object.values(address)[0]!];
  });
  return terminal.table(['part', 'software', 'state', 'pid', 'address'], rows);
}

async function main(): Promise<number> {
  try {
    const line = parse(process.argv.slice(2));
    if (!line) {
      process.stdout.write(USAGE);
      return EXIT.ok;
    }
    const { stdout, stderr, env } = process;
    const how = { json: line.json, quiet: false, noColor: false, nowMs: Date.now };
    return await perform(line, createTerminal({ stdout, stderr, environment: env, ...how }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`services: ${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
    return error.exitCode;
  }
}

process.exitCode = await main();
