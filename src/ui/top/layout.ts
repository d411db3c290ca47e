// How the dashboard divides the terminal: always fewer lines than it has, because Ink can only draw over
// what has not scrolled away. Everything is cut to size before Ink lays it out.
import { VIEWS, type View } from './snapshot.js';

export interface Layout {
  /** Lists side by side: the chosen one, and where there is room its neighbour. */
  views: View[];
  /** Width of each list. */
  listColumns: number;
  listRows: number;
  partitionRows: number;
  sparklineColumns: number;
}

/** Lines of header (2), verdicts (3), a list's heading, partitions' heading with a blank, footer. */
const FIXED_LINES = 2 + 3 + 1 + 2 + 1;

/** Below this a second list would leave no room for names. */
const TWO_LISTS_COLUMNS_MIN = 100;

const LIST_ROWS_MAX = 50;

/** Divides `rows` x `columns`; the result is at most `rows - 1` lines high (from 12 rows on). */
export function layOut(size: { rows: number; columns: number }, view: View, partitions: number): Layout {
  const free = Math.max(2, size.rows - 1 - FIXED_LINES);
  // Partitions get what they need up to half of the rest; the lists get what remains.
  const partitionRows = Math.min(partitions, Math.max(1, Math.floor(free / 2)));
  const two = size.columns >= TWO_LISTS_COLUMNS_MIN;
  const listColumns = two ? Math.floor((size.columns - 2) / 2) : size.columns;
  return {
    views: two ? [view, VIEWS[(VIEWS.indexOf(view) + 1) % VIEWS.length]!] : [view],
    listColumns,
    listRows: Math.min(LIST_ROWS_MAX, Math.max(1, free - partitionRows)),
    partitionRows,
    sparklineColumns: listColumns >= 60 ? 30 : Math.max(0, Math.min(15, listColumns - 34)),
  };
}
