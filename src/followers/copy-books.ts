// What of a store is beside its commits: revisions, invoices and adjustments, brought to its copy.
import { join } from 'node:path';
import { parquetOfPeriod } from '../adapters/duckdb/table-files.js';
import type { AdjustmentLine, ClosedPeriod, Revision, Snapshot, StoreBooks } from '../core/ports/books.js';

export interface Books {
  revisions: readonly Revision[];
  closedPeriods: readonly ClosedPeriod[];
  adjustments: readonly AdjustmentLine[];
}

/** All books of a store. */
export async function booksOf(store: StoreBooks): Promise<Books> {
  return {
    revisions: await store.revisions(),
    closedPeriods: await store.closedPeriods(),
    adjustments: await store.adjustments(),
  };
}

/**
 * Writes what the copy lacks of them. A revision comes with its period's totals and ledger as they are in the snapshot,
 * which is later than it: no commit brings them to a copy that has all commits.
 */
export async function copyBooks(
  books: Books,
  to: StoreBooks,
  { snapshot, work }: { snapshot: Snapshot; work: string },
): Promise<void> {
  const { ledgerFile } = snapshot;
  const totalsFile = join(work, 'revised.parquet');
  for (const revision of books.revisions.slice((await to.revisions()).length)) {
    const { fromMs, toMs } = revision;
    await parquetOfPeriod(snapshot.totalsFile, totalsFile, revision);
    await to.replacePeriod({ fromMs, toMs, totalsFile, ledgerFile, revision, adjustments: [] });
  }
  const closed = new Set((await to.closedPeriods()).map(({ periodId }) => periodId));
  for (const period of books.closedPeriods) if (!closed.has(period.periodId)) await to.closePeriod(period);
  const lines = books.adjustments.slice((await to.adjustments()).length);
  if (lines.length > 0) await to.addAdjustments(lines);
}
