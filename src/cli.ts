// From argv to an exit code: parses the line, resolves the options, runs the command, and says what went
// wrong. The only place that sets exit codes, listens to signals and prints errors.
import './kept-tick.js';
import { commandEntries } from './commands/index.js';
import { checkedDataDir } from './engine/data-dir.js';
import { EXIT, UserError } from './errors.js';
import type { Command, CommandContext, CommandEntry } from './options/command.js';
import { checkConfigKeys, readConfigFile } from './options/config-file.js';
import { programHelp } from './options/help.js';
import type { OptionTable } from './options/option.js';
import { type ParsedLine, parseLine } from './options/program.js';
import { resolveOptions } from './options/resolve.js';
import { globalOptions } from './options/shared.js';
import { BrokenPipe, createTerminal, isBrokenPipe } from './ui/create-terminal.js';
import { visible } from './ui/escape.js';
import type { StructuredLog } from './ui/structured-log.js';
import type { Terminal } from './ui/terminal.js';
import { VERSION } from './version.js';

/** Help wider than this is hard to read. */
const HELP_COLUMNS_MAX = 110;

/** How to log what happens outside a command: as text until the options have said otherwise. */
interface Log {
  structured: StructuredLog | undefined;
}

type RunLine = Extract<ParsedLine, { kind: 'run' }>;

/** Runs what was typed (`argv` without node and script) and gives the exit code. Never throws. */
export async function main(
  argv: readonly string[],
  entries: readonly CommandEntry[] = commandEntries,
): Promise<number> {
  const stopping = new AbortController();
  const log: Log = { structured: undefined };
  const release = listen(stopping, log);
  try {
    const columns = Math.min(process.stdout.columns ?? 100, HELP_COLUMNS_MAX);
    const names = entries.map(({ name }) => name);
    const commands = await load(entries.filter(({ name }) => argv.includes(name)));
    const line = parseLine({ version: VERSION, commands, names, globals: globalOptions, columns }, argv);
    if (line.kind === 'run') return await runCommand(line, entries, stopping.signal, log);
    const text = line.kind === 'help' ? programHelp(await load(entries), globalOptions, columns) : line.text;
    (line.misuse ? process.stderr : process.stdout).write(text);
    return line.misuse ? EXIT.usage : EXIT.ok;
  } catch (error) {
    return report(error, stopping.signal, log);
  } finally {
    release();
  }
}

function load(entries: readonly CommandEntry[]): Promise<Command[]> {
  return Promise.all(entries.map((entry) => entry.load()));
}

async function runCommand(
  line: RunLine,
  entries: readonly CommandEntry[],
  signal: AbortSignal,
  log: Log,
): Promise<number> {
  const { command, path, args, flags } = line;
  const sources = { flags, environment: process.env, path, config: undefined };
  const { config: asked } = resolveOptions({ config: globalOptions.config }, sources);
  const config = readConfigFile(asked as string | undefined, process.cwd());
  if (config) checkConfigKeys(config, await load(entries), globalOptions);
  const table: OptionTable = { ...command.options, ...globalOptions };
  const options = resolveOptions(table, { ...sources, config }) as CommandContext<OptionTable>['options'];
  if (options.logFormat === 'json') {
    const { structuredLog } = await import('./ui/structured-log.js');
    log.structured = structuredLog(process.stderr);
  }
  // A newer version's directory is refused before any command touches it.
  if (typeof options.dataDir === 'string') await checkedDataDir(options.dataDir);
  const context = { options, args, terminal: terminalOf(options, log), signal };
  return (await command.run?.(context)) ?? EXIT.ok;
}

function terminalOf(options: CommandContext<OptionTable>['options'], { structured }: Log): Terminal {
  const { json, quiet, noColor } = options;
  const { stdout, stderr, env } = process;
  return createTerminal({
    ...{ stdout, stderr, environment: env, json, quiet, noColor, structured },
    nowMs: Date.now,
  });
}

/** Says on standard error what went wrong, and gives the exit code. */
function report(error: unknown, signal: AbortSignal, { structured }: Log): number {
  if (error instanceof BrokenPipe || signal.reason instanceof BrokenPipe) return EXIT.ok;
  if (error instanceof UserError) {
    if (structured) {
      structured.error(error.message, { hint: error.hint, exit_code: error.exitCode });
      return error.exitCode;
    }
    process.stderr.write(`click-agg: ${visible(error.message)}\n`);
    if (error.hint) process.stderr.write(`  ${visible(error.hint)}\n`);
    return error.exitCode;
  }
  if (signal.aborted && error instanceof Error && error.name === 'AbortError') return EXIT.interrupted;
  const stack = error instanceof Error ? (error.stack ?? String(error)) : String(error);
  if (structured) structured.fatal('this is a bug: please report it', { version: VERSION, stack });
  else
    process.stderr.write(
      `${stack}\n\nclick-agg: this is a bug (version ${VERSION}). Please report it with the lines above.\n`,
    );
  return EXIT.failure;
}

/** The first signal asks the command to stop, the second one ends the process. Gives a function that undoes it. */
function listen(stopping: AbortController, log: Log): () => void {
  const onSignal = () => {
    if (stopping.signal.aborted) process.exit(EXIT.interrupted);
    const line = 'stopping; once more to stop at once';
    if (log.structured) log.structured.info(line);
    else process.stderr.write(`click-agg: ${line}\n`);
    stopping.abort();
  };
  const onOutputError = (error: Error) => {
    if (!isBrokenPipe(error)) throw error;
    stopping.abort(new BrokenPipe());
  };
  // Nobody reads the log: no reason to fail.
  const onLogError = (error: Error) => {
    if (!isBrokenPipe(error)) throw error;
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.stdout.on('error', onOutputError);
  process.stderr.on('error', onLogError);
  return () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  };
}
