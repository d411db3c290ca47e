// A command: its name, options, examples, and what it does. The command line, help and completion are
// built from these values; a command's file holds no parsing.
import type { Terminal } from '../ui/terminal.js';
import type { OptionSpec, OptionTable, OptionValues } from './option.js';
import type { globalOptions } from './shared.js';

export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
}

export interface CommandContext<O extends OptionTable> {
  readonly options: OptionValues<O & typeof globalOptions>;
  /** Positional arguments in the order of `arguments`; an optional one that was not given is ''. */
  readonly args: readonly string[];
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C or SIGTERM: stop cleanly. The second one ends the process at once. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: OptionTable;
  /** `[what is typed, what it does]` */
  readonly examples: readonly (readonly [string, string])[];
  readonly commands: readonly Command[];
  readonly hidden: boolean;
  /** Returns the exit code; nothing means 0. Absent for a command that only groups others. */
  readonly run?: (context: CommandContext<OptionTable>) => Promise<number | undefined>;
}

/** A command by its name alone. Its file, and what that imports, costs time: it is loaded when the command is typed. */
export interface CommandEntry {
  readonly name: string;
  load(): Promise<Command>;
}

export interface CommandDefinition<O extends OptionTable> {
  name: string;
  summary: string;
  description?: string;
  arguments?: readonly ArgumentSpec[];
  options: O;
  examples: readonly (readonly [string, string])[];
  commands?: readonly Command[];
  hidden?: boolean;
  run?: (context: CommandContext<O>) => Promise<number | undefined>;
}

/** Gives `run` its options typed by the table, then forgets the types, so that commands fit in one list. */
export function command<const O extends Record<string, OptionSpec<unknown>>>(
  definition: CommandDefinition<O>,
): Command {
  const { arguments: args = [], commands = [], hidden = false } = definition;
  return { ...definition, arguments: args, commands, hidden } as unknown as Command;
}
