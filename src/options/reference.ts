// The reference of all options as Markdown (docs/options.md), made from the same tables as the parser, so that
// it can't be out of date: a test compares the file with what this gives.
import type { Command } from './command.js';
import { flagText, groupsOf } from './help.js';
import { camelCase, environmentName, isSwitch } from './names.js';
import type { OptionSpec, OptionTable } from './option.js';

const INTRODUCTION = `# Options

Made from the option tables of the code by \`npx vitest run test/cli/options-doc.test.ts -u\`; don't edit it.

An option is taken from the first place that has it: the flag, the environment variable, the config file, the
default. A flag that is given twice takes its last value, unless it may be repeated; switches that the environment or
a config file turned on are turned off by \`--no-…\`. In the environment a switch is \`true\` or \`false\`, and values of
an option that may be repeated are separated by commas. Durations are written \`90s\`, \`3m\`, \`1h30m\`, \`250ms\`;
times \`2026-02-22T10:00Z\` or \`2026-02-22\`; shares \`0.05\` or \`5%\`.

## The config file

\`./click-agg.json\`, or the file that \`--config\` or \`CLICK_AGG_CONFIG\` names. A key at the top holds for every command
that has the option; a section with the name of a command (in camelCase, as \`deadLetters\`) holds for that command and
wins. Unknown keys are refused.

\`\`\`json
{
  "dataDir": "/var/lib/click-agg",
  "botThreshold": 50,
  "run": { "quiet": true }
}
\`\`\`
`;

/** The whole document. */
export function optionReference(commands: readonly Command[], globals: OptionTable): string {
  const shown = commands.filter((command) => !command.hidden);
  const parts = [
    INTRODUCTION,
    `## Every command\n\n${optionTable(Object.values(globals))}`,
    ...shown.flatMap((command) => commandReference(command, [])),
  ];
  return `${parts.join('\n')}`;
}

function commandReference(command: Command, groups: readonly string[]): string[] {
  const path = [...groups, command.name];
  const own = groupsOf(command.options).map(([, specs]) => specs);
  const args = command.arguments.map(
    ({ name, about, required }) => `\`${name.toUpperCase()}\`${required ? '' : ' (optional)'}: ${about}\n`,
  );
  const text = [
    `${'#'.repeat(path.length + 1)} click-agg ${path.join(' ')}\n`,
    `${sentence(command.summary)}${command.description ? ` ${command.description}` : ''}\n`,
    ...args,
    ...(own.length > 0 ? [optionTable(own.flat())] : []),
  ].join('\n');
  const inner = command.commands.filter((one) => !one.hidden);
  return [text, ...inner.flatMap((one) => commandReference(one, path))];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function optionTable(specs: readonly OptionSpec[]): string {
  const rows = specs.map((spec) => [
    code(flagText(spec)),
    `${escapeCell(spec.about)}${spec.repeatable ? ' (may be repeated)' : ''}`,
    spec.default === undefined || spec.default === '' || isSwitch(spec) ? '' : code(spec.default),
    spec.flagOnly ? '' : code(environmentName(spec)),
    spec.flagOnly || spec.flag === 'config' ? '' : code(camelCase(spec.flag)),
  ]);
  const head = ['option', 'what it says', 'default', 'environment', 'config file'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function code(text: string): string {
  return `\`${escapeCell(text)}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
