// The config file: a JSON object whose keys are options in camelCase. A key at the top holds for every
// command that has the option; a section named after a command (`"run": { … }`) holds for that command
// alone and wins. Unknown keys are refused, so that a typing error never silently counts by the default.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError, unreadable } from '../errors.js';
import type { Command } from './command.js';
import { camelCase, isSwitch, nearest } from './names.js';
import type { OptionSpec, OptionTable } from './option.js';

/** Read when no `--config` is given and the working directory has it. */
export const CONFIG_FILE_NAME = 'click-agg.json';

/** A config file is written by hand; one that is larger is some other file. */
const CONFIG_BYTES_MAX = 1_048_576;

export type ConfigSection = Readonly<Record<string, unknown>>;

export interface ConfigFile {
  /** As errors name it. */
  readonly path: string;
  readonly content: ConfigSection;
}

function isSection(value: unknown): value is ConfigSection {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The file that was asked for, or ./click-agg.json if there is one; undefined if there is none. */
export function readConfigFile(asked: string | undefined, directory: string): ConfigFile | undefined {
  const path = asked ?? CONFIG_FILE_NAME;
  let text: string;
  try {
    text = readFileSync(resolve(directory, path), 'utf8');
  } catch (error) {
    if (asked === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(`the config file ${path}`, error);
  }
  if (text.length > CONFIG_BYTES_MAX) throw new UsageError(`the config file ${path} is larger than 1 MiB`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!isSection(content))
    throw new UsageError(`${path} must hold a JSON object, such as {"dataDir": "clicks"}`);
  return { path, content };
}

/** Refuses keys that no command knows, in the whole file: a mistake shows at once, not when its command runs. */
export function checkConfigKeys(file: ConfigFile, commands: readonly Command[], globals: OptionTable): void {
  // A config file that names another one would be a chain nobody can follow.
  const everywhere = Object.values(globals).filter((spec) => spec.flag !== 'config');
  checkSection(file.content, { file, place: '', commands, own: [], everywhere });
}

interface SectionRules {
  file: ConfigFile;
  /** Path of the section with a point at its end: `deadLetters.`. */
  place: string;
  commands: readonly Command[];
  /** Options of the section's own command. */
  own: readonly OptionSpec[];
  /** Options that every command has. */
  everywhere: readonly OptionSpec[];
}

function checkSection(section: ConfigSection, rules: SectionRules): void {
  const { file, commands, own, everywhere } = rules;
  const sections = new Map(commands.map((command) => [camelCase(command.name), command]));
  const specs = [...own, ...optionsOf(commands), ...everywhere];
  const options = new Map(specs.map((spec) => [camelCase(spec.flag), spec]));
  for (const [key, value] of Object.entries(section)) {
    const place = `${rules.place}${key}`;
    const command = sections.get(key);
    if (command && isSection(value)) {
      const inner = { commands: command.commands, own: Object.values(command.options) };
      checkSection(value, { file, place: `${place}.`, ...inner, everywhere });
      continue;
    }
    const spec = options.get(key);
    if (!spec) throw unknownKey(file, place, nearest(key, [...options.keys(), ...sections.keys()]));
    if (isSection(value)) throw notScalar(`${file.path}: ${place}`);
    if (spec.flagOnly) throw new UsageError(`${file.path}: ${place}: can only be given as --${spec.flag}`);
  }
}

function optionsOf(commands: readonly Command[]): OptionSpec[] {
  return commands.flatMap((command) => [...Object.values(command.options), ...optionsOf(command.commands)]);
}

function unknownKey(file: ConfigFile, key: string, suggestion: string | undefined): UsageError {
  const hint = suggestion ? `did you mean "${suggestion}"?` : 'see docs/options.md for the keys';
  return new UsageError(`${file.path}: unknown key "${key}"`, { hint });
}

/**
 * The config file's value of one option for the command at `path` (`['dead-letters', 'list']`), as the text or
 * texts a person would have typed. Undefined where the file says nothing (or null).
 */
export function configValue(
  file: ConfigFile,
  path: readonly string[],
  spec: OptionSpec,
): { text: string | string[]; place: string } | undefined {
  const key = camelCase(spec.flag);
  let found: { value: unknown; place: string } | undefined;
  let section: ConfigSection | undefined = file.content;
  let place = '';
  for (const step of [...path, undefined]) {
    const value: unknown = section[key];
    // `"lake": { … }` is the section of the command, `"lake": "DIR"` the option of `run`.
    if (value !== undefined && value !== null && !isSection(value))
      found = { value, place: `${place}${key}` };
    if (step === undefined) break;
    const inner: unknown = section[camelCase(step)];
    if (!isSection(inner)) break;
    place += `${camelCase(step)}.`;
    section = inner;
  }
  if (!found) return undefined;
  const where = `${file.path}: ${found.place}`;
  const text = textOf(found.value, spec, where);
  return text === undefined ? undefined : { text, place: where };
}

function textOf(value: unknown, spec: OptionSpec, place: string): string | string[] | undefined {
  if (Array.isArray(value)) {
    if (!spec.repeatable) throw new UsageError(`${place}: takes one value, not a list`);
    return value.map((item) => scalarText(item, place));
  }
  if (typeof value === 'boolean' && spec.valueOptional) return value ? '' : undefined;
  if (isSwitch(spec) && typeof value !== 'boolean') throw new UsageError(`${place}: must be true or false`);
  const text = scalarText(value, place);
  return spec.repeatable ? [text] : text;
}

function scalarText(value: unknown, place: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw notScalar(place);
}

function notScalar(place: string): UsageError {
  return new UsageError(`${place}: must be a text, a number, true or false`);
}
