// Field values come from the open internet: a click id may hold escape sequences that clear a screen, line
// breaks that forge log lines, or marks that turn text around. What is shown to a person passes here first.

/** Controls, format marks that reorder or hide text, line separators, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const ESCAPE = '\u001b';

/** The sequences that our own `style` writes into log lines. */
const OWN_STYLE = new RegExp(`(${ESCAPE}\\[(?:0|1|2|22|31|32|33|36|39)m)`);

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text with everything that a terminal would obey instead of show written as `\n`, `\x1b`, `\u202e`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    const hex = code.toString(16);
    if (code < 0x100) return SHORT[character] ?? `\\x${hex.padStart(2, '0')}`;
    return code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/** Like `visible`, but our own colours and line breaks stay: for log lines. */
export function visibleLine(line: string): string {
  const shown = (piece: string, index: number) => (index % 2 === 1 ? piece : visible(piece));
  return line
    .split('\n')
    .map((part) => part.split(OWN_STYLE).map(shown).join(''))
    .join('\n');
}

/** At most `length` characters (UTF-16), the last one `…` if something was cut. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
