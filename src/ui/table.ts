// Tables by cli-table3: boxed for people, bare columns for pipes, so that awk and a diff can read them.
import Table from 'cli-table3';
import { cut, visible } from './escape.js';

/** A cell longer than this is cut: one hostile field must not fill the screen. */
const CELL_LENGTH_MAX = 256;

export type Cell = string | number;

const PLAIN = {
  chars: {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  },
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
};

const BOXED = { style: { head: [], border: [] } };

export interface TableLook {
  /** With lines around it, and digits in groups of three. */
  readonly boxed: boolean;
  readonly heading: (text: string) => string;
  /** A boxed table that is wider wraps its widest columns. */
  readonly columns: number;
}

/** The table as text with a line break at its end. Columns of numbers are right-aligned. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  look: TableLook,
): string {
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => isNumeric(row[column])));
  const cells = rows.map((row) => row.map((cell) => cellText(cell, look.boxed)));
  const table = new Table({
    ...(look.boxed ? BOXED : PLAIN),
    head: head.map((text) => look.heading(visible(text))),
    colAligns: numeric.map((is) => (is ? 'right' : 'left')),
    ...(look.boxed ? { colWidths: fittingWidths([head, ...cells], look.columns) } : {}),
    wordWrap: look.boxed,
    wrapOnWordBoundary: true,
  });
  for (const row of cells) table.push(row);
  const lines = table.toString().split('\n');
  // cli-table3 draws a line between any two rows; one below the heading is enough.
  const underHeading = lines.findIndex((line) => line.startsWith('├'));
  const kept = lines.filter((line, index) => index === underHeading || !line.startsWith('├'));
  return `${kept.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** A column narrower than this can't be read any more. */
const COLUMN_WIDTH_MIN = 10;

/** Widths with padding; null: as wide as it needs to be. Takes from the widest column until the table fits. */
function fittingWidths(rows: readonly (readonly string[])[], columns: number): (number | null)[] {
  const natural = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)) + 2);
  const widths = [...natural];
  const lines = widths.length + 1;
  for (let over = widths.reduce((sum, width) => sum + width, lines) - columns; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= COLUMN_WIDTH_MIN) break;
    widths[widest]!--;
  }
  return widths.map((width, column) => (width < natural[column]! ? width : null));
}

function isNumeric(cell: Cell | undefined): boolean {
  return typeof cell === 'number' || cell === '';
}

function cellText(cell: Cell, grouped: boolean): string {
  if (typeof cell === 'number') return grouped ? cell.toLocaleString('en-US') : String(cell);
  return visible(cut(cell, CELL_LENGTH_MAX));
}
