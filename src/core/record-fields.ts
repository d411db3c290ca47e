// The slow, general way to read a record: any JSON that the fast scanner in decoder.ts doesn't take
// (escapes in ids, nested unknown fields, odd numbers). JSON.parse decides about the grammar; what it lets
// pass and other engines don't (repeated names, NUL, lone surrogates, deep nesting) is found by a walk.
import { NESTING_MAX } from './method.js';

/** A top-level field as text: unescaped if it is a string, else the literal as written. */
export type FieldValue =
  | { kind: 'string'; text: string }
  | { kind: 'literal'; text: string }
  | { kind: 'nested' };

export const KNOWN_FIELDS = [
  'click_id',
  'event_time',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
  'user_agent',
  'referrer',
  'impression_id',
  'invalid_traffic',
] as const;
export type KnownField = (typeof KNOWN_FIELDS)[number];

const KNOWN = new Set<string>(KNOWN_FIELDS);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The known fields of a record's value, or undefined if it is not a JSON object as the method wants it (`not_json`). */
export function readFields(value: Uint8Array): Map<KnownField, FieldValue> | undefined {
  let text: string;
  try {
    text = utf8.decode(value);
  } catch {
    return undefined;
  }
  // Before JSON.parse: a megabyte of opening brackets must not cost it a megabyte of stack.
  if (nestsTooDeep(text) || !isJson(text)) return undefined;
  const start = skipSpace(text, 0);
  return text.charCodeAt(start) === 123 ? walkObject(text, start) : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function skipSpace(text: string, at: number): number {
  while (
    at < text.length &&
    (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t')
  )
    at++;
  return at;
}

/** Index after the string that opens at `at`; the text's length if it does not end. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 34) return i + 1;
  }
  return text.length;
}

function nestsTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34) i = stringEnd(text, i) - 1;
    else if (code === 123 || code === 91) {
      if (++depth > NESTING_MAX) return true;
    } else if (code === 125 || code === 93) depth--;
  }
  return false;
}

/** The string token [start, end) unescaped, or undefined if it holds what other engines can't: NUL, lone surrogates. */
function unescapeToken(text: string, start: number, end: number): string | undefined {
  const unescaped = JSON.parse(text.slice(start, end)) as string;
  return unescaped.includes('\0') || !unescaped.isWellFormed() ? undefined : unescaped;
}

/** Walks a text that JSON.parse has accepted, from the brace at `start`. */
function walkObject(text: string, start: number): Map<KnownField, FieldValue> | undefined {
  const fields = new Map<KnownField, FieldValue>();
  let depth = 0;
  let field: string | undefined;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    let value: FieldValue | undefined;
    if (code === 34) {
      const end = stringEnd(text, i);
      const unescaped = unescapeToken(text, i, end);
      if (unescaped === undefined) return undefined;
      i = end - 1;
      if (depth !== 1) continue;
      if (field === undefined) {
        field = unescaped;
        i = text.indexOf(':', end);
        continue;
      }
      value = { kind: 'string', text: unescaped };
    } else if (code === 123 || code === 91) {
      if (++depth !== 2) continue;
      value = { kind: 'nested' };
    } else if (code === 125 || code === 93) {
      depth--;
      continue;
    } else if (
      depth === 1 &&
      field !== undefined &&
      code !== 32 &&
      code !== 10 &&
      code !== 13 &&
      code !== 9
    ) {
      let end = i;
      while (!',} \n\r\t'.includes(text[end]!)) end++;
      value = { kind: 'literal', text: text.slice(i, end) };
      i = end - 1;
    } else continue;
    if (field !== undefined && KNOWN.has(field)) {
      const isRepeated = fields.has(field as KnownField);
      // To a method without marks it is an unknown field, which may repeat; to the others no mark, whatever it says.
      if (isRepeated && field === 'invalid_traffic') value = { kind: 'nested' };
      else if (isRepeated) return undefined;
      fields.set(field as KnownField, value);
    }
    field = undefined;
  }
  return fields;
}
