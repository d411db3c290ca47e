// The method's options for commands that take the method from the store: they may be given (a config file shared
// with `run` gives them), but only as the store has them, for one store can't be counted in two ways.
import { METHOD_VERSION, type Method } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import { UsageError, UserError } from '../errors.js';
import { durationText, type OptionSpec } from './option.js';
import { methodOptions } from './shared.js';

type MethodOptionName = keyof typeof methodOptions;

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
};

const FIELD: Record<MethodOptionName, Exclude<keyof Method, 'version'>> = {
  watermarkDelay: 'watermarkDelayMs',
  allowedLateness: 'allowedLatenessMs',
  doubleClick: 'doubleClickMs',
  botWindow: 'botWindowMs',
  botThreshold: 'botThreshold',
  clockSkew: 'clockSkewMs',
};

/** `base` with what was given. */
export function methodWith(
  given: Partial<Record<MethodOptionName, number | undefined>>,
  base: Method,
): Method {
  const entries = Object.entries(FIELD).flatMap(([name, field]) => {
    const value = given[name as MethodOptionName];
    return value === undefined ? [] : [[field, value] as const];
  });
  return { ...base, ...Object.fromEntries(entries) };
}

/** Throws a UsageError if an option was given that differs from the store's method. */
export function requireStoreMethod(
  given: Partial<Record<MethodOptionName, number | undefined>>,
  method: Method,
): void {
  if (method.version !== METHOD_VERSION) {
    throw new UserError(
      `the store was counted by version ${method.version} of the method, this is ${METHOD_VERSION}`,
      {
        hint: 'Use the click-agg that counted it.',
      },
    );
  }
  for (const [name, field] of Object.entries(FIELD)) {
    const value = given[name as MethodOptionName];
    if (value === undefined || value === method[field]) continue;
    const spec = methodOptions[name as MethodOptionName];
    const text = (number: number): string =>
      field === 'botThreshold' ? String(number) : durationText(number);
    throw new UsageError(`--${spec.flag} ${text(value)}: the store was counted with ${text(method[field])}`, {
      hint: `Leave it out: the store's method (hash ${methodHash(method)}) is used.`,
    });
  }
}
