// Whether a value is as a JSON schema says, for the few words that the API's schemas use.
import type { Schema } from '../../src/serve/schemas.js';

/** What does not fit, each with its place. */
export function fits(
  value: unknown,
  schema: Schema,
  named: Readonly<Record<string, Schema>>,
  place = '$',
): string[] {
  const { $ref, anyOf, type, properties, required, items, additionalProperties } = schema as {
    $ref?: string;
    anyOf?: Schema[];
    type?: string;
    properties?: Record<string, Schema>;
    required?: string[];
    items?: Schema;
    additionalProperties?: boolean | Schema;
  };
  if ($ref !== undefined) return fits(value, named[$ref.replace(/#$/, '')]!, named, place);
  if (anyOf) {
    const found = anyOf.map((one) => fits(value, one, named, place));
    return found.some((misfits) => misfits.length === 0) ? [] : found[0]!;
  }
  if (!isOf(value, type)) return [`${place} is no ${type}`];
  if (type === 'array')
    return (value as unknown[]).flatMap((one, i) => fits(one, items!, named, `${place}[${i}]`));
  if (type !== 'object') return [];
  const object = value as Record<string, unknown>;
  return [
    ...(required ?? []).filter((name) => !(name in object)).map((name) => `${place}.${name} is missing`),
    ...Object.entries(object).flatMap(([name, inner]) => {
      const known =
        properties?.[name] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
      return known ? fits(inner, known, named, `${place}.${name}`) : [`${place}.${name} is not described`];
    }),
  ];
}

function isOf(value: unknown, type: string | undefined): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}
