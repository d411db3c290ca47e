// Closing a period: its billing lines are frozen as an invoice, and whatever changes afterwards becomes an
// adjustment line. Nothing is closed or adjusted on figures that stream and batch don't agree on.
import type { AdjustmentLine, BillingLine, ClosedPeriod, StoreBooks } from '../core/ports/books.js';
import { UserError } from '../errors.js';
import { adjustmentsFor, type PriceList, periodIdOf } from './billing.js';
import type { Period } from './lake-reader.js';
import { type Reconciliation, type TakenSnapshot, watermarksOf } from './reconcile.js';
import { isoSecond } from './report.js';

/** UserError: the period overlaps a closed one, or its minutes are not closed in every partition yet. */
export function refuseEarlyClose(
  period: Period,
  snapshot: TakenSnapshot,
  closedPeriods: readonly ClosedPeriod[],
): void {
  const overlapping = closedPeriods.find(({ fromMs, toMs }) => fromMs < period.toMs && toMs > period.fromMs);
  if (overlapping) {
    throw new UserError(`${periodIdOf(period)} overlaps ${overlapping.periodId}, which is closed already`, {
      hint: 'A closed invoice never changes; later changes are its adjustments, which reconcile shows.',
    });
  }
  for (const [partition, watermarkMs] of watermarksOf(snapshot)) {
    if (watermarkMs === Number.NEGATIVE_INFINITY || watermarkMs >= period.toMs) continue;
    throw new UserError(
      `${periodIdOf(period)} can't be closed yet: the watermark of partition ${partition} is at ` +
        `${isoSecond(watermarkMs)}, clicks of the period may still come`,
      { hint: 'Close it when newer clicks have moved every watermark past its end.' },
    );
  }
}

export interface BooksToWrite {
  prices: PriceList;
  billing: readonly BillingLine[];
  /** The period to close. */
  close: Period | undefined;
  nowMs: number;
}

/** Whether `writeBooks` has anything to write: else the books need not be opened for it. */
export function hasBooksToWrite(found: Reconciliation, close: Period | undefined): boolean {
  return found.agree && (close !== undefined || found.closed.length > 0);
}

/** Records what changed in the periods that were closed before, then closes the period. */
export async function writeBooks(
  books: Pick<StoreBooks, 'adjustments' | 'addAdjustments' | 'closePeriod'>,
  found: Reconciliation,
  { prices, billing, close, nowMs }: BooksToWrite,
): Promise<void> {
  const earlier = await books.adjustments();
  const late = { cause: 'late clicks', recordedAtMs: nowMs };
  const lines: AdjustmentLine[] = found.closed.flatMap(({ period, campaigns }) =>
    adjustmentsFor(period, earlier, campaigns, prices, late),
  );
  if (lines.length > 0) await books.addAdjustments(lines);
  if (!close) return;
  await books.closePeriod({
    ...close,
    periodId: periodIdOf(close),
    closedAtMs: nowMs,
    methodHash: found.methodHash,
    lines: billing,
  });
}
