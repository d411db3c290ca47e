// From what was typed, exported and configured to the values a command gets: a flag wins over the
// environment, that over the config file, that over the default. Each value passes the option's schema.
import { UsageError } from '../errors.js';
import { type ConfigFile, configValue } from './config-file.js';
import { environmentName, isSwitch } from './names.js';
import type { OptionSpec, OptionTable } from './option.js';

/** What the command line gave, by flag name; a switch is 'true' or 'false', a left-out value ''. */
export type GivenFlags = ReadonlyMap<string, string | readonly string[]>;

export interface Sources {
  readonly flags: GivenFlags;
  readonly environment: NodeJS.ProcessEnv;
  readonly config: ConfigFile | undefined;
  /** Names of the command and its groups, outermost first. */
  readonly path: readonly string[];
}

interface Given {
  text: string | readonly string[] | undefined;
  /** How an error names the place where the value came from. */
  place: string;
}

/** The typed values of all options in the table; throws a UsageError that names the first wrong one. */
export function resolveOptions(table: OptionTable, sources: Sources): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) values[name] = validated(spec, given(spec, sources));
  return values;
}

function given(spec: OptionSpec, sources: Sources): Given {
  const flag = sources.flags.get(spec.flag);
  if (flag !== undefined) return { text: flag, place: `--${spec.flag}` };
  if (!spec.flagOnly) {
    const name = environmentName(spec);
    const exported = sources.environment[name];
    // As usual in a shell, a variable that is set to nothing is not set.
    if (exported !== undefined && exported !== '')
      return { text: fromEnvironment(spec, exported, name), place: name };
    const configured = sources.config && configValue(sources.config, sources.path, spec);
    if (configured) return configured;
  }
  return { text: spec.repeatable ? undefined : spec.default, place: `--${spec.flag}` };
}

const SWITCH_WORDS: Readonly<Record<string, string>> = {
  '1': 'true',
  true: 'true',
  yes: 'true',
  on: 'true',
  '0': 'false',
  false: 'false',
  no: 'false',
  off: 'false',
};

function fromEnvironment(spec: OptionSpec, exported: string, name: string): string | string[] | undefined {
  if (spec.repeatable) return exported.split(',').map((item) => item.trim());
  const word = SWITCH_WORDS[exported.toLowerCase()];
  if (spec.valueOptional) return word === 'false' ? undefined : word === 'true' ? '' : exported;
  if (!isSwitch(spec)) return exported;
  if (word === undefined)
    throw new UsageError(`${name}: must be true or false (got ${JSON.stringify(exported)})`);
  return word;
}

function validated(spec: OptionSpec, { text, place }: Given): unknown {
  const result = spec.schema.safeParse(text);
  if (result.success) return result.data;
  if (text === undefined) throw new UsageError(`--${spec.flag} is required`);
  const shown = spec.secret
    ? ''
    : ` (got ${Array.isArray(text) ? text.map(quoted).join(', ') : quoted(text)})`;
  throw new UsageError(`${place}: ${result.error.issues[0]?.message ?? 'is not valid'}${shown}`);
}

function quoted(text: unknown): string {
  const json = JSON.stringify(text);
  return json.length > 80 ? `${json.slice(0, 77)}…"` : json;
}
