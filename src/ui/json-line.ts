// JSON on one line in which no character can act on a terminal or turn the text around: those that JSON lets
// through raw (C1 controls, format marks, line separators) are written as escapes. Its meaning is the same.

/** Controls, format marks that reorder or hide text, line separators, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The value as JSON without a line break. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) =>
    // A character beyond U+FFFF is two escapes.
    Array.from({ length: character.length }, (_, i) => unicodeEscape(character.charCodeAt(i))).join(''),
  );
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
