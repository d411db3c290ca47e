// One option is one value with its name, help, default and schema. Flags, environment, config file, help
// text and shell completion are all made from it, so that they can't disagree.
import { z } from 'zod';

export interface OptionSpec<T = unknown> {
  /** Long flag without dashes, kebab case: `watermark-delay`. Environment: `CLICK_AGG_WATERMARK_DELAY`; config: `watermarkDelay`. */
  readonly flag: string;
  readonly short?: string;
  /** Placeholder of the value in help, for instance `DURATION`. Absent: a switch without a value. */
  readonly value?: string;
  /** The value may be left out (`--lake`, `--lake DIR`); the schema then gets ''. */
  readonly valueOptional?: boolean;
  /** May be given more than once; the schema gets a list of strings. */
  readonly repeatable?: boolean;
  readonly about: string;
  /** Heading that help shows the option under; absent: `Options`. */
  readonly group?: string;
  /** What applies when nothing is given, as a person would type it. Shown in help. */
  readonly default?: string;
  /** Values to complete in a shell. */
  readonly choices?: readonly string[];
  /** Never read from the environment or a config file (`--help`-like, one-shot options). */
  readonly flagOnly?: boolean;
  /** Never typed: a secret that others would see on the command line. Environment and config file only. */
  readonly neverTyped?: boolean;
  /** Kept out of logs and `--json`. */
  readonly secret?: boolean;
  /** From the typed text (switch: 'true' | 'false') to the value. */
  readonly schema: z.ZodType<T>;
}

/** The options of a command by the name that its code uses. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

export type OptionValues<O extends OptionTable> = {
  [K in keyof O]: O[K] extends OptionSpec<infer T> ? T : never;
};

type Common = Omit<OptionSpec, 'schema' | 'value' | 'default' | 'choices'>;

/** A switch: on when given. */
export function onOff(spec: Common): OptionSpec<boolean> {
  return {
    ...spec,
    default: 'false',
    schema: z.enum(['true', 'false']).transform((text) => text === 'true'),
  };
}

/** Free text with a default. */
export function text(spec: Common & { value: string; default: string }): OptionSpec<string> {
  return { ...spec, schema: z.string() };
}

/** Free text that may be absent. */
export function optionalText(spec: Common & { value: string }): OptionSpec<string | undefined> {
  return { ...spec, schema: z.string().optional() };
}

/** Any number of texts. */
export function texts(spec: Common & { value: string }): OptionSpec<string[]> {
  return { ...spec, repeatable: true, schema: z.array(z.string()).default([]) };
}

/** One of a closed list. */
export function oneOf<const C extends readonly string[]>(
  spec: Common & { choices: C; default: C[number] },
): OptionSpec<C[number]> {
  const { choices } = spec;
  return {
    ...spec,
    value: choices.join('|'),
    schema: z
      .string()
      .refine((text) => choices.includes(text), `must be one of ${choices.join(', ')}`) as z.ZodType<
      C[number]
    >,
  };
}

/** One of a closed list, or nothing. */
export function optionalOneOf<const C extends readonly string[]>(
  spec: Common & { choices: C },
): OptionSpec<C[number] | undefined> {
  const { default: _, ...always } = oneOf({ ...spec, default: spec.choices[0]! });
  return { ...always, schema: always.schema.optional() };
}

interface NumberLimits {
  min?: number;
  max?: number;
}

function inLimits(value: number, { min = -Infinity, max = Infinity }: NumberLimits): string | undefined {
  if (value < min) return `must be at least ${min}`;
  if (value > max) return `must be at most ${max}`;
  return undefined;
}

function numeric(kind: 'integer' | 'number', limits: NumberLimits): z.ZodType<number, string> {
  const pattern = kind === 'integer' ? /^[+-]?\d[\d_]*$/ : /^[+-]?(\d[\d_]*)?(\.\d+)?(e[+-]?\d+)?$/i;
  return z.string().transform((text, context) => {
    const value =
      pattern.test(text.trim()) && /\d/.test(text) ? Number(text.trim().replaceAll('_', '')) : Number.NaN;
    const problem = Number.isFinite(value)
      ? inLimits(value, limits)
      : `must be ${kind === 'integer' ? 'a whole number' : 'a number'}`;
    if (problem) {
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    }
    return value;
  });
}

/** A whole number; `1_000_000` is read too. */
export function integer(
  spec: Common & NumberLimits & { value?: string; default: string },
): OptionSpec<number> {
  return { ...spec, value: spec.value ?? 'N', schema: numeric('integer', spec) };
}

/** A whole number that may be absent. */
export function optionalInteger(
  spec: Common & NumberLimits & { value?: string },
): OptionSpec<number | undefined> {
  return {
    ...spec,
    value: spec.value ?? 'N',
    schema: numeric('integer', spec).optional() as z.ZodType<number | undefined>,
  };
}

/** A share between 0 and 1: `0.05` or `5%`. */
export function share(spec: Common & { default: string }): OptionSpec<number> {
  return {
    ...spec,
    value: 'SHARE',
    schema: z
      .string()
      .transform((text) =>
        text.trim().endsWith('%') ? String(Number(text.trim().slice(0, -1)) / 100) : text,
      )
      .pipe(numeric('number', { min: 0, max: 1 })),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `3m`, `1h30m`, `250ms` in ms; undefined if it is none. A bare number is refused: its unit would be a guess. */
export function parseDurationMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    totalMs += Number(amount) * UNIT_MS[unit!]!;
  return Math.round(totalMs);
}

/** The shortest text that `parseDurationMs` reads as the same: 90000 gives `1m30s`. */
export function durationText(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, unitMs] of Object.entries(UNIT_MS).reverse()) {
    const amount = Math.floor(rest / unitMs);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * unitMs;
  }
  return text || '0';
}

function durationSchema(limits: { minMs?: number; maxMs?: number }): z.ZodType<number> {
  return z.string().transform((text, context) => {
    const ms = parseDurationMs(text);
    const problem =
      ms === undefined
        ? 'must be a duration such as 90s, 3m or 1h30m'
        : inLimits(ms, { min: limits.minMs ?? 0, max: limits.maxMs ?? 366 * 86_400_000 });
    if (problem) {
      context.addIssue({ code: 'custom', message: ms === undefined ? problem : `${problem} (ms)` });
      return z.NEVER;
    }
    return ms as number;
  });
}

/** A duration, in ms. */
export function duration(
  spec: Common & { default: string; minMs?: number; maxMs?: number },
): OptionSpec<number> {
  return { ...spec, value: 'DURATION', schema: durationSchema(spec) };
}

/** A duration that may be absent, in ms. */
export function optionalDuration(
  spec: Common & { minMs?: number; maxMs?: number },
): OptionSpec<number | undefined> {
  return {
    ...spec,
    value: 'DURATION',
    schema: durationSchema(spec).optional() as z.ZodType<number | undefined>,
  };
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
};
const SIZE_MIN = 1_048_576;

/** A size of at least 1 MiB, in bytes: `512MiB`, `1.5GiB`. */
export function byteSize(spec: Common & { default: string }): OptionSpec<number> {
  const schema = z.string().transform((given, context) => {
    const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB|TiB)$/.exec(given.trim()) ?? [];
    const bytes = Math.round(Number(amount) * (UNIT_BYTES[unit] ?? Number.NaN));
    if (bytes >= SIZE_MIN) return bytes;
    context.addIssue({ code: 'custom', message: 'must be a size of at least 1MiB, such as 512MiB or 1GiB' });
    return z.NEVER;
  });
  return { ...spec, value: 'SIZE', schema };
}

/** A point in time as ISO 8601 (`2026-02-22T10:00Z`, `2026-02-22`; UTC if no offset is given), in epoch ms. */
export function optionalTime(spec: Common): OptionSpec<number | undefined> {
  return {
    ...spec,
    value: 'TIME',
    schema: z
      .string()
      .transform((text, context) => {
        const ms = parseTimeMs(text);
        if (ms === undefined) {
          context.addIssue({
            code: 'custom',
            message: 'must be a time such as 2026-02-22T10:00Z or a day such as 2026-02-22',
          });
          return z.NEVER;
        }
        return ms;
      })
      .optional() as z.ZodType<number | undefined>,
  };
}

/** ISO 8601 date or date-time to epoch ms, UTC unless an offset is given; undefined if it is none. */
export function parseTimeMs(text: string): number | undefined {
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(
      text.trim(),
    );
  if (!match) return undefined;
  const day = match[1]!;
  const ms = Date.parse(`${day}T${match[2] ?? '00:00'}${match[3] ?? 'Z'}`);
  // Date.parse lets 2026-02-30 roll over into March.
  const rolled = Number.isNaN(ms) || new Date(Date.parse(`${day}T00:00Z`)).toISOString().slice(0, 10) !== day;
  return rolled ? undefined : ms;
}
