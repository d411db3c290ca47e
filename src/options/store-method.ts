// The method's options for commands that take the method from the store: they may be given (a config file shared
// with `run` gives them), but only as the store has them, for one store can't be counted in two ways.
import { METHOD_VERSION, type Method, withInvalidTraffic } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import { UsageError, UserError } from '../errors.js';
import { durationText, type OptionSpec, type OptionValues } from './option.js';
import { methodOptions } from './shared.js';

function mayBeAbsent(spec: OptionSpec<number>): OptionSpec<number | undefined> {
  const { default: _, ...rest } = spec;
  return { ...rest, about: `${spec.about} (else as the store was counted)`, schema: spec.schema.optional() };
}

/** The options of the method without defaults. */
export const storeMethodOptions = {
  watermarkDelay: mayBeAbsent(methodOptions.watermarkDelay),
  allowedLateness: mayBeAbsent(methodOptions.allowedLateness),
  doubleClick: mayBeAbsent(methodOptions.doubleClick),
  botWindow: mayBeAbsent(methodOptions.botWindow),
  botThreshold: mayBeAbsent(methodOptions.botThreshold),
  clockSkew: mayBeAbsent(methodOptions.clockSkew),
  invalidTraffic: methodOptions.invalidTraffic,
};

type Given = Partial<OptionValues<typeof storeMethodOptions>>;
type NumberName = Exclude<keyof typeof storeMethodOptions, 'invalidTraffic'>;

const FIELD: Record<NumberName, Exclude<keyof Method, 'version' | 'invalidTraffic'>> = {
  watermarkDelay: 'watermarkDelayMs',
  allowedLateness: 'allowedLatenessMs',
  doubleClick: 'doubleClickMs',
  botWindow: 'botWindowMs',
  botThreshold: 'botThreshold',
  clockSkew: 'clockSkewMs',
};
const NUMBER_NAMES = Object.keys(FIELD) as NumberName[];

/** `base` with what was given. */
export function methodWith(given: Given, base: Method): Method {
  const entries = NUMBER_NAMES.flatMap((name) => {
    const value = given[name];
    return value === undefined ? [] : [[FIELD[name], value] as const];
  });
  const method = { ...base, ...Object.fromEntries(entries) };
  const { invalidTraffic } = given;
  return invalidTraffic === undefined ? method : withInvalidTraffic(method, invalidTraffic === 'on');
}

/** Throws a UsageError if an option was given that differs from the store's method. */
export function requireStoreMethod(given: Given, method: Method): void {
  if (method.version > METHOD_VERSION) {
    throw new UserError(
      `the store was counted by version ${method.version} of the method, this knows versions up to ${METHOD_VERSION}`,
      {
        hint: 'Use the click-agg that counted it.',
      },
    );
  }
  for (const name of NUMBER_NAMES) {
    const text = (number: number): string =>
      name === 'botThreshold' ? String(number) : durationText(number);
    const value = given[name];
    if (value !== undefined) requireSame(name, text(value), text(method[FIELD[name]]), method);
  }
  const { invalidTraffic } = given;
  if (invalidTraffic !== undefined) {
    requireSame('invalidTraffic', invalidTraffic, method.invalidTraffic ? 'on' : 'off', method);
  }
}

function requireSame(
  name: keyof typeof storeMethodOptions,
  given: string,
  stored: string,
  method: Method,
): void {
  if (given === stored) return;
  throw new UsageError(`--${methodOptions[name].flag} ${given}: the store was counted with ${stored}`, {
    hint: `Leave it out: the store's method (hash ${methodHash(method)}) is used.`,
  });
}
