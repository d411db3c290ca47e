// How a producer writes its clicks: the order of the fields and the separators. Nearly all lines of a log are
// written alike, so a line that equals its own fields put together in that shape needs no closer look.
import { CLICK_FIELDS, type ClickField, OPTIONAL_FIELDS } from './decode-sql.js';

/**
 * What `ingest` and others who mark clicks write beside the fields of the count, as text. It goes into `extra`, and
 * would otherwise make a click one that needs a closer look.
 */
const EXTRA_FIELDS = ['invalid_traffic', 'received_at', 'link_campaign_id'] as const;
export type ShapeField = ClickField | (typeof EXTRA_FIELDS)[number];
export const SHAPE_FIELDS: readonly ShapeField[] = [...CLICK_FIELDS, ...EXTRA_FIELDS];

export interface ClickShape {
  /** All fields; the first one is never optional. */
  readonly order: readonly ShapeField[];
  readonly comma: string;
  readonly colon: string;
}

const SEPARATORS = [
  { comma: ',', colon: ':' },
  { comma: ', ', colon: ': ' },
  { comma: ',', colon: ': ' },
] as const;

export const USUAL_SHAPE: ClickShape = { order: SHAPE_FIELDS, ...SEPARATORS[0] };

const SAMPLE_LINES = 16;

/** Shape of the fullest of the first lines; undefined if none of them is a flat click. A guess, proved by nothing. */
export function shapeOf(lines: Iterable<Uint8Array>): ClickShape | undefined {
  let shape: ClickShape | undefined;
  let fields = 0;
  let left = SAMPLE_LINES;
  for (const line of lines) {
    if (left-- === 0) break;
    const seen = shapeOfLine(Buffer.from(line).toString());
    if (seen && seen.names.length > fields) {
      fields = seen.names.length;
      shape = { order: completed(seen.names), ...seen.separators };
    }
  }
  return shape;
}

function shapeOfLine(
  text: string,
): { names: readonly ShapeField[]; separators: (typeof SEPARATORS)[number] } | undefined {
  let click: unknown;
  try {
    click = JSON.parse(text);
  } catch {
    return undefined; // some lines are no JSON: the next one may tell
  }
  if (typeof click !== 'object' || click === null || Array.isArray(click)) return undefined;
  const names = Object.keys(click).filter(isField);
  if (names.length !== Object.keys(click).length || names[0] === undefined || isOptional(names[0])) {
    return undefined;
  }
  const values = click as Record<string, unknown>;
  const separators = SEPARATORS.find(
    ({ comma, colon }) =>
      text === `{${names.map((name) => `"${name}"${colon}${JSON.stringify(values[name])}`).join(comma)}}`,
  );
  return separators && { names, separators };
}

/** Puts the fields that the line lacks behind those that they usually follow. */
function completed(names: readonly ShapeField[]): ShapeField[] {
  const order = [...names];
  for (const [place, name] of SHAPE_FIELDS.entries()) {
    if (!order.includes(name)) order.splice(order.indexOf(SHAPE_FIELDS[place - 1]!) + 1 || 1, 0, name);
  }
  return order;
}

const isField = (name: string): name is ShapeField => (SHAPE_FIELDS as readonly string[]).includes(name);

/** Whether the field is none of the count's. */
export function isExtra(name: string): boolean {
  return (EXTRA_FIELDS as readonly string[]).includes(name);
}

/** Whether a click may lack the field. */
export function isOptional(name: string): boolean {
  return OPTIONAL_FIELDS.includes(name) || isExtra(name);
}
