// Help as text, made from the commands and their option tables: summary, options by group with defaults and
// environment names, examples.
import type { Command } from './command.js';
import { environmentName, isSwitch } from './names.js';
import type { OptionSpec, OptionTable } from './option.js';

const DEFAULT_GROUP = 'Options';

/** Help of the whole program, at most `columns` wide. */
export function programHelp(commands: readonly Command[], globals: OptionTable, columns: number): string {
  const shown = commands.filter((command) => !command.hidden);
  const extra = ['-h, --help', '-V, --version'] as const;
  return sections([
    'click-agg: exact ad click aggregation; stream, lake and batch agree to the click',
    'Usage: click-agg COMMAND [options]',
    section(
      'Commands',
      shown.map((command) => [command.name, command.summary]),
      columns,
    ),
    section(
      'Options of every command',
      [
        ...Object.values(globals).map((spec) => optionRow(spec)),
        [`    ${extra[0]}`.slice(4), 'help of the program or of a command'],
        [extra[1], 'the version'],
      ],
      columns,
    ),
    section(
      'Examples',
      [
        ['click-agg demo', 'the whole way in a minute, with a crash in the middle'],
        ['click-agg run --help', 'options and examples of one command'],
      ],
      columns,
    ),
    'Options may also come from the environment (CLICK_AGG_…) or from ./click-agg.json.',
    'Exit codes: 0 done, and all agrees; 1 failed, or something differs; 2 misused; 130 interrupted.',
  ]);
}

/** Help of one command; `path` names it with its groups. */
export function commandHelp(
  command: Command,
  path: readonly string[],
  globals: OptionTable,
  columns: number,
): string {
  const name = `click-agg ${path.join(' ')}`;
  const args = command.arguments.map(({ name: argument, required }) =>
    required ? argument.toUpperCase() : `[${argument.toUpperCase()}]`,
  );
  const inner = command.commands.filter((one) => !one.hidden);
  const usage = [
    name,
    ...(inner.length > 0 ? [command.run ? '[COMMAND]' : 'COMMAND'] : []),
    ...args,
    '[options]',
  ];
  return sections([
    `${name}: ${command.summary}`,
    `Usage: ${usage.join(' ')}`,
    command.description === undefined ? '' : wrap(command.description, columns).join('\n'),
    section(
      'Commands',
      inner.map((one) => [one.name, one.summary]),
      columns,
    ),
    section(
      'Arguments',
      command.arguments.map((argument) => [argument.name.toUpperCase(), aboutArgument(argument)]),
      columns,
    ),
    ...groupsOf(command.options).map(([group, specs]) => section(group, specs.map(optionRow), columns)),
    section('Options of every command', Object.values(globals).map(optionRow), columns),
    examples(command),
  ]);
}

function aboutArgument({ about, choices }: Command['arguments'][number]): string {
  return choices ? `${about}: ${choices.join(', ')}` : about;
}

/** Options by group in the order of the table, those without a group first. */
export function groupsOf(table: OptionTable): [string, OptionSpec[]][] {
  const groups = new Map<string, OptionSpec[]>([[DEFAULT_GROUP, []]]);
  for (const spec of Object.values(table)) {
    const group = spec.group ?? DEFAULT_GROUP;
    groups.set(group, [...(groups.get(group) ?? []), spec]);
  }
  return [...groups].filter(([, specs]) => specs.length > 0);
}

/** `-i, --input FILE`, `--lake [DIR]`; of an option that is never typed, its variable. */
export function flagText(spec: OptionSpec): string {
  if (spec.neverTyped) return environmentName(spec);
  const value = isSwitch(spec) ? '' : spec.valueOptional ? ` [${spec.value}]` : ` ${spec.value}`;
  return `${spec.short ? `-${spec.short}, ` : ''}--${spec.flag}${value}`;
}

function optionRow(spec: OptionSpec): [string, string] {
  const notes = [
    isSwitch(spec) || spec.default === undefined || spec.default === '' ? '' : `[default ${spec.default}]`,
    spec.repeatable ? '[may be repeated]' : '',
    spec.flagOnly || spec.neverTyped ? '' : `[env ${environmentName(spec)}]`,
  ];
  return [flagText(spec), [spec.about, ...notes.filter(Boolean)].join(' ')];
}

function examples(command: Command): string {
  if (command.examples.length === 0) return '';
  const lines = command.examples.map(([typed, about]) => `  # ${about}\n  ${typed}`);
  return `Examples:\n${lines.join('\n')}`;
}

function sections(parts: readonly string[]): string {
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

/** A heading and rows of two columns; a row's left part that is too long gets a line of its own. */
function section(heading: string, rows: readonly (readonly [string, string])[], columns: number): string {
  if (rows.length === 0) return '';
  const left = Math.min(30, Math.max(...rows.map(([name]) => name.length))) + 4;
  const lines = rows.flatMap(([name, about]) => {
    const [first = '', ...more] = wrap(about, Math.max(30, columns - left));
    const indent = ' '.repeat(left);
    const head = `  ${name}`;
    const start = head.length + 2 > left ? [head, `${indent}${first}`] : [`${head.padEnd(left)}${first}`];
    return [...start, ...more.map((line) => `${indent}${line}`)];
  });
  return `${heading}:\n${lines.join('\n')}`;
}

function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    // A note in brackets stays together.
    for (const word of paragraph.match(/\[[^\]]*\]|\S+/g) ?? []) {
      if (line && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line ? `${line} ${word}` : word;
    }
    return [...lines, line];
  });
}
