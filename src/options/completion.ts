// Completion scripts for bash, zsh and fish. They are made from the commands and their option tables when
// `click-agg completion` runs, so that a new option is completed without anybody remembering to add it.
import type { Command } from './command.js';
import { isSwitch } from './names.js';
import type { OptionSpec, OptionTable } from './option.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Place {
  /** Names of the command and its groups; empty: the program itself. */
  readonly path: readonly string[];
  readonly about: string;
  readonly options: readonly OptionSpec[];
  readonly commands: readonly Command[];
  /** What its first argument can be, where that is a closed list. */
  readonly choices: readonly string[];
}

/** The script for one shell, for these commands and the options that every command has. */
export function completionScript(shell: Shell, commands: readonly Command[], globals: OptionTable): string {
  const visible = commands.filter((command) => !command.hidden);
  const root: Place = {
    path: [],
    about: '',
    options: Object.values(globals),
    commands: visible,
    choices: [],
  };
  const places = [root, ...visible.flatMap((command) => placesOf(command, [], root.options))];
  const script = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  return script(places);
}

function placesOf(command: Command, groups: readonly string[], globals: readonly OptionSpec[]): Place[] {
  const path = [...groups, command.name];
  const commands = command.commands.filter((inner) => !inner.hidden);
  const own: Place = {
    path,
    about: command.summary,
    options: [...Object.values(command.options).filter((spec) => !spec.neverTyped), ...globals],
    commands,
    choices: command.arguments[0]?.choices ?? [],
  };
  return [own, ...commands.flatMap((inner) => placesOf(inner, path, globals))];
}

type ValueKind = 'file' | 'directory' | 'choices' | 'other';

function valueKind(spec: OptionSpec): ValueKind {
  if (spec.choices) return 'choices';
  if (/FILE/.test(spec.value ?? '')) return 'file';
  return /DIR/.test(spec.value ?? '') ? 'directory' : 'other';
}

function flagsOf(spec: OptionSpec): string[] {
  return [`--${spec.flag}`, ...(spec.short ? [`-${spec.short}`] : [])];
}

// ------------------------------------------------------------------------------------------------ bash

function bashScript(places: readonly Place[]): string {
  const taking = new Set(
    places.flatMap(({ options }) =>
      options.filter((spec) => !isSwitch(spec) && !spec.valueOptional).flatMap(flagsOf),
    ),
  );
  const steps = places.filter(({ path }) => path.length > 0).map(({ path }) => bashStep(path));
  // Options that complete alike share a case.
  const patterns = new Map<string, string[]>();
  for (const { path, options } of places) {
    for (const spec of options.filter((one) => !isSwitch(one))) {
      const action = bashAction(spec);
      const flags = flagsOf(spec).map((flag) => `'${path.join(' ')}:${flag}'`);
      patterns.set(action, [...(patterns.get(action) ?? []), ...flags]);
    }
  }
  const values = [...patterns].map(([action, flags]) => `    ${flags.join('|')}) ${action} ;;`);
  const words = places.map(
    (place) => `    '${place.path.join(' ')}') words='${wordsOf(place).join(' ')}' ;;`,
  );
  return `# click-agg completion for bash: eval "$(click-agg completion bash)"
_click_agg() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at='' words='' i
  # '=' breaks words: --input=FILE arrives as three.
  if [[ $cur == '=' ]]; then cur=''
  elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
${steps.join('\n')}
      */${[...taking].join('|*/')}) ((i++)) ;;
    esac
  done
  COMPREPLY=()
  case "$at:$prev" in
${values.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _click_agg click-agg
`;
}

function bashStep(path: readonly string[]): string {
  return `      '${path.slice(0, -1).join(' ')}/${path.at(-1)}') at='${path.join(' ')}' ;;`;
}

function bashAction(spec: OptionSpec): string {
  // A value that may be left out may be followed by another option.
  const done = spec.valueOptional ? '[[ $cur != -* ]] && return' : 'return';
  switch (valueKind(spec)) {
    case 'choices':
      return `COMPREPLY=($(compgen -W '${spec.choices!.join(' ')}' -- "$cur")); ${done}`;
    case 'file':
      return `compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); ${done}`;
    case 'directory':
      return `compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); ${done}`;
    case 'other':
      return done;
  }
}

function wordsOf(place: Place): string[] {
  return [
    ...place.commands.map((command) => command.name),
    ...place.choices,
    ...place.options.map((spec) => `--${spec.flag}`),
    '--help',
  ];
}

// ------------------------------------------------------------------------------------------------- zsh

function zshScript(places: readonly Place[]): string {
  return `#compdef click-agg
# click-agg completion for zsh: eval "$(click-agg completion zsh)", or a file _click-agg in $fpath
${places.map(zshFunction).join('\n')}
if [[ $funcstack[1] == _click-agg ]]; then _click_agg "$@"; else compdef _click_agg click-agg; fi
`;
}

function zshName(path: readonly string[]): string {
  return ['_click_agg', ...path].join('_').replaceAll('-', '_');
}

function zshFunction(place: Place): string {
  const specs = [...place.options.flatMap(zshOption), "'(- *)--help[help]'"];
  const inner = place.commands;
  if (inner.length === 0) {
    const argument = place.choices.length > 0 ? [`'1:argument:(${place.choices.join(' ')})'`] : [];
    return `${zshName(place.path)}() {\n  _arguments \\\n    ${[...specs, ...argument].join(' \\\n    ')}\n}`;
  }
  const described = inner.map((command) => `    ${single(`${command.name}:${command.summary}`)}`);
  const calls = inner.map(
    (command) => `        ${command.name}) ${zshName([...place.path, command.name])} ;;`,
  );
  return `${zshName(place.path)}() {
  local curcontext="$curcontext" state line
  local -a commands=(
${described.join('\n')}
  )
  _arguments -C \\
    ${[...specs, "'1: :->command'", "'*:: :->rest'"].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${calls.join('\n')}
      esac ;;
  esac
}`;
}

function zshOption(spec: OptionSpec): string[] {
  const about = spec.about.replace(/[[\]:\\]/g, '\\$&');
  const action = {
    choices: `(${(spec.choices ?? []).join(' ')})`,
    file: '_files',
    directory: '_files -/',
    other: ' ',
  }[valueKind(spec)];
  const value = (spec.value ?? '').replaceAll(':', '');
  const argument = isSwitch(spec) ? '' : `${spec.valueOptional ? '::' : ':'}${value}:${action}`;
  return flagsOf(spec).map((flag) => {
    const equals = flag.startsWith('--') && !isSwitch(spec) ? '=' : '';
    return single(`${spec.repeatable ? '*' : ''}${flag}${equals}[${about}]${argument}`);
  });
}

// ------------------------------------------------------------------------------------------------ fish

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const condition = single(fishCondition(place));
    const names = place.commands.map(
      (command) =>
        `complete -c click-agg -n ${condition} -f -a ${command.name} -d ${single(command.summary)}`,
    );
    const choices = place.choices.map((choice) => `complete -c click-agg -n ${condition} -f -a ${choice}`);
    return [...names, ...choices, ...place.options.map((spec) => fishOption(spec, condition))];
  });
  return `# click-agg completion for fish: click-agg completion fish | source
complete -c click-agg -f
${lines.join('\n')}
complete -c click-agg -l help -s h -d help
`;
}

function fishCondition({ path, commands }: Place): string {
  if (path.length === 0) return '__fish_use_subcommand';
  const inside = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const names = commands.map((command) => command.name);
  if (names.length > 0) inside.push(`not __fish_seen_subcommand_from ${names.join(' ')}`);
  return inside.join('; and ');
}

function fishOption(spec: OptionSpec, condition: string): string {
  const short = spec.short ? ` -s ${spec.short}` : '';
  const value = {
    choices: ` -x -a ${single((spec.choices ?? []).join(' '))}`,
    file: ' -r -F',
    directory: ` -x -a '(__fish_complete_directories)'`,
    other: ' -x',
  }[valueKind(spec)];
  const taken = isSwitch(spec) || spec.valueOptional ? '' : value;
  return `complete -c click-agg -n ${condition} -l ${spec.flag}${short}${taken} -d ${single(spec.about)}`;
}

/** In single quotes, as all three shells read it. */
function single(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
