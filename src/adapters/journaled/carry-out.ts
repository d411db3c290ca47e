// Carries out the parts of a write: rows in every table that they belong to, each with the write's version. Doing it
// again, at the same time or much later, changes nothing.
import type { PlacedCell, RowDatabase, TotalsTable } from './database.js';
import type { Part, TotalsPart } from './journal.js';
import { keptDimension, rowOf } from './places.js';

/** Writes the rows of one part. */
export async function carryOut(
  database: RowDatabase,
  part: Part,
  { version, shards }: { version: number; shards: number },
): Promise<void> {
  if ('entries' in part) {
    await database.writeEntries(part.entries, version);
    return;
  }
  const tables = database.tables.filter((table) => isMeant(table, part));
  await Promise.all(tables.map((table) => database.writeTotals(table, rowsOf(table, part, shards), version)));
}

function isMeant(table: TotalsTable, { totals }: TotalsPart): boolean {
  return table.name === totals || (totals === 'by_ad' && table.grain === 'minute');
}

function rowsOf(table: TotalsTable, part: TotalsPart, shards: number): PlacedCell[] {
  const { dimensions, dimension, atMs, clicks } = part;
  const kept = dimensions.map((one) => keptDimension(table, one));
  return atMs.map((ms, index) =>
    rowOf(table, kept[dimension[index]!]!, { atMs: ms, clicks: clicks[index]!, shards }),
  );
}
