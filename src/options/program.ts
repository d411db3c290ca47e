// Parsing: from the list of commands and the arguments that were typed to one parsed line. Commander does
// the parsing; nothing runs here, and nothing is validated but the shape of the line.
import { Argument, CommanderError, Option, Command as Parser } from 'commander';
import { UsageError } from '../errors.js';
import type { Command } from './command.js';
import { commandHelp } from './help.js';
import { isSwitch, nearest } from './names.js';
import type { OptionSpec, OptionTable } from './option.js';
import type { GivenFlags } from './resolve.js';

export type ParsedLine =
  /** Help of the program, which the parser can't give: it need not know all commands. */
  | { readonly kind: 'help'; readonly misuse: boolean }
  | { readonly kind: 'print'; readonly text: string; readonly misuse: boolean }
  | {
      readonly kind: 'run';
      readonly command: Command;
      /** Names of the command and its groups, outermost first. */
      readonly path: readonly string[];
      readonly args: readonly string[];
      readonly flags: GivenFlags;
    };

export interface ProgramDefinition {
  readonly version: string;
  /** The commands that the line may be of: all whose name is a word of it. */
  readonly commands: readonly Command[];
  /** Names of all commands, for suggestions. */
  readonly names: readonly string[];
  /** Options that may stand before the command as well as behind it. */
  readonly globals: OptionTable;
  /** Width of help, in columns. */
  readonly columns: number;
}

/** Parses what was typed (without node and script); throws a UsageError for what doesn't exist. */
export function parseLine(program: ProgramDefinition, argv: readonly string[]): ParsedLine {
  const run: { line: ParsedLine | undefined } = { line: undefined };
  const printed: string[] = [];
  const root = new Parser('click-agg');
  let helpAsked = false;
  setUp(root, printed, () => {
    helpAsked = true;
    return '';
  });
  root.version(program.version, '-V, --version').helpCommand(false);
  addOptions(root, program.globals);
  for (const command of program.commands) addCommand(root, command, [], program, printed, run);
  const known = new Set(program.commands.map(({ name }) => name));
  for (const name of program.names.filter((one) => !known.has(one))) root.command(name);
  try {
    root.parse(withoutHelpCommand(argv, program), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const outcome = outcomeOf(error, { printed, program, argv });
    return helpAsked ? { kind: 'help', misuse: outcome.misuse } : outcome;
  }
  return run.line ?? { kind: 'help', misuse: true };
}

function setUp(parser: Parser, printed: string[], help: () => string): void {
  parser
    .exitOverride()
    .allowExcessArguments(false)
    .helpOption('-h, --help')
    .configureHelp({ formatHelp: help })
    .configureOutput({
      writeOut: (text) => printed.push(text),
      writeErr: (text) => printed.push(text),
      outputError: () => {},
    });
}

function addCommand(
  parent: Parser,
  command: Command,
  groups: readonly string[],
  program: ProgramDefinition,
  printed: string[],
  run: { line: ParsedLine | undefined },
): void {
  const path = [...groups, command.name];
  const parser = parent.command(command.name, { hidden: command.hidden });
  setUp(parser, printed, () => commandHelp(command, path, program.globals, program.columns));
  addOptions(parser, command.options);
  for (const { name, about, required, choices } of command.arguments) {
    const argument = new Argument(required ? `<${name}>` : `[${name}]`, about);
    if (choices) argument.choices(choices);
    parser.addArgument(argument);
  }
  for (const inner of command.commands) addCommand(parser, inner, path, program, printed, run);
  if (!command.run) return;
  parser.action(() => {
    const flags = new Map<string, string | readonly string[]>();
    for (let at: Parser | null = parser; at; at = at.parent) collectFlags(at, flags);
    const args = command.arguments.map((_, index) => String(parser.processedArgs[index] ?? ''));
    run.line = { kind: 'run', command, path, args, flags };
  });
}

function addOptions(parser: Parser, table: OptionTable): void {
  for (const spec of Object.values(table)) {
    if (spec.neverTyped) continue;
    parser.addOption(optionOf(spec));
    // What the environment or a config file switched on can be switched off again.
    if (isSwitch(spec) && !spec.flag.startsWith('no-'))
      parser.addOption(new Option(`--no-${spec.flag}`).hideHelp());
  }
}

function optionOf(spec: OptionSpec): Option {
  const short = spec.short ? `-${spec.short}, ` : '';
  const value = isSwitch(spec) ? '' : spec.valueOptional ? ` [${spec.value}]` : ` <${spec.value}>`;
  const option = new Option(`${short}--${spec.flag}${value}`, spec.about);
  if (spec.repeatable)
    option.argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]);
  return option;
}

/** Only what was typed: commander's own defaults have another source. */
function collectFlags(parser: Parser, flags: Map<string, string | readonly string[]>): void {
  for (const option of parser.options) {
    const attribute = option.attributeName();
    if (parser.getOptionValueSource(attribute) !== 'cli') continue;
    const value: unknown = parser.getOptionValue(attribute);
    const flag = option.long!.slice(2);
    if (option.negate) {
      // `--no-color` is a switch of its own; `--no-quiet` turns `--quiet` off.
      if (option.hidden || value !== false) continue;
      flags.set(flag, 'true');
    } else if (typeof value === 'boolean') {
      flags.set(flag, option.optional ? '' : String(value));
    } else {
      flags.set(flag, value as string | string[]);
    }
  }
}

interface Attempt {
  printed: readonly string[];
  program: ProgramDefinition;
  argv: readonly string[];
}

function outcomeOf(
  error: CommanderError,
  { printed, program, argv }: Attempt,
): Extract<ParsedLine, { kind: 'print' }> {
  if (error.exitCode === 0) return { kind: 'print', text: printed.join(''), misuse: false };
  if (error.code === 'commander.help') return { kind: 'print', text: printed.join(''), misuse: true };
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const asked = suggestion ? suggestion.replace(/^\((.*)\)$/, '$1').replace(/^D/, 'd') : undefined;
  throw new UsageError(message.replace(/\.$/, ''), { hint: asked ?? hintFor(message, program, argv) });
}

/** `help run` is another way to say `run --help`. */
function withoutHelpCommand(argv: readonly string[], program: ProgramDefinition): string[] {
  const [first, name] = argv;
  if (first !== 'help') return [...argv];
  if (name !== undefined && !program.names.includes(name)) {
    const message = `unknown command '${name}'`;
    throw new UsageError(message, { hint: hintFor(message, program, argv) });
  }
  return [...argv.slice(1), '--help'];
}

function hintFor(message: string, program: ProgramDefinition, argv: readonly string[]): string {
  const unknown = /^unknown command '(.*)'$/.exec(message)?.[1];
  const { names } = program;
  const near = unknown && nearest(unknown, names);
  if (near) return `did you mean ${near}?`;
  const typed = argv.find((word) => names.includes(word));
  return `see click-agg ${typed === undefined ? '' : `${typed} `}--help`;
}
