// Rows of a store's tables as the values of ports/. The databases keep the same columns in the same order, and
// give numbers, bigints and numerals for numbers: what a row means is said once, here.
import { VERDICTS, type Verdict } from './method.js';
import type { BillingLine, ClosedPeriod, Revision } from './ports/books.js';
import type { Checkpoint, DeadLetter, PartitionPosition } from './ports/commit.js';
import type { LedgerCounts } from './ports/store.js';

type Row = readonly unknown[];

/** partition, position, max_event_time, rewind_offset, rewind_max_event_time */
export function positionOf([
  partition,
  position,
  maxEventTime,
  rewindOffset,
  rewindTime,
]: Row): PartitionPosition {
  return {
    partition: Number(partition),
    position: Number(position),
    maxEventTimeMs: Number(maxEventTime),
    rewindOffset: Number(rewindOffset),
    rewindMaxEventTimeMs: Number(rewindTime),
  };
}

/** The verdicts as both databases have them in a row of the ledger, in order: what came with a later version is behind. */
export const LEDGER_COLUMNS = [
  'invalid',
  'too_late',
  'duplicate',
  'double_click',
  'bot',
  'billable',
  'invalid_traffic',
] as const satisfies readonly Verdict[];

/** So many different marks of invalid traffic are counted by themselves, the most frequent: who writes clicks writes them. */
export const COUNTED_MARKS_MAX = 100;

/** By what dead letters are counted, in SQL: the reason of an invalid record, a mark, and '' where it is a sentence. */
export const COUNTED_REASON = `CASE WHEN verdict = 'invalid' OR (verdict = 'invalid_traffic' AND reason IN (
    SELECT reason FROM dead_letters WHERE verdict = 'invalid_traffic'
    GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ${COUNTED_MARKS_MAX}
  )) THEN reason ELSE '' END`;

/** Sums of records and of each of LEDGER_COLUMNS; those of nothing are NULL. */
export function ledgerCountsOf([records, ...sums]: Row): LedgerCounts {
  const counts = VERDICTS.map((verdict) => [verdict, Number(sums[LEDGER_COLUMNS.indexOf(verdict)])]);
  return { records: Number(records), ...(Object.fromEntries(counts) as Record<Verdict, number>) };
}

/** The columns of a dead letter from `partition` to `redriven_at`; `bytesOf` reads the database's own bytes. */
export function letterOf(row: Row, bytesOf: (value: unknown) => Uint8Array | undefined): DeadLetter {
  const [partition, offset, verdict, reason, eventTime, appendTime, clickId, adId, campaignId, ip, ...rest] =
    row;
  const [key, value, valueBytes, redrivenAt] = rest;
  return {
    partition: Number(partition),
    offset: Number(offset),
    verdict: String(verdict) as DeadLetter['verdict'],
    reason: String(reason),
    eventTimeMs: maybeNumber(eventTime),
    appendTimeMs: maybeNumber(appendTime),
    clickId: maybeText(clickId),
    adId: maybeText(adId),
    campaignId: maybeText(campaignId),
    ipAddress: maybeText(ip),
    key: bytesOf(key),
    value: bytesOf(value),
    valueBytes: maybeNumber(valueBytes),
    redrivenAtMs: maybeNumber(redrivenAt),
  };
}

/** revision, from, to, recorded at, method hash, positions, too late admitted, adjustments; `jsonOf` reads a JSON column. */
export function revisionOf(row: Row, jsonOf: (value: unknown) => unknown): Revision {
  const [revision, from, to, recordedAt, hash, positions, tooLate, adjustments] = row;
  return {
    revision: Number(revision),
    fromMs: Number(from),
    toMs: Number(to),
    recordedAtMs: Number(recordedAt),
    methodHash: String(hash),
    positions: jsonOf(positions) as Revision['positions'],
    tooLateAdmitted: Number(tooLate),
    // What JSON left out is undefined again.
    adjustments: (jsonOf(adjustments) as Revision['adjustments']).map((line) => ({
      campaignId: line.campaignId,
      clicks: line.clicks,
      amount: line.amount,
      currency: line.currency,
    })),
  };
}

/** period id, from, to, closed at, method hash */
export function closedPeriodOf(row: Row, lines: readonly BillingLine[]): ClosedPeriod {
  const [periodId, from, to, closedAt, methodHash] = row;
  return {
    periodId: String(periodId),
    fromMs: Number(from),
    toMs: Number(to),
    closedAtMs: Number(closedAt),
    methodHash: String(methodHash),
    lines,
  };
}

/** campaign id, clicks, price per click, amount, currency */
export function billingLineOf([campaignId, clicks, pricePerClick, amount, currency]: Row): BillingLine {
  return {
    campaignId: String(campaignId),
    clicks: Number(clicks),
    pricePerClick: String(pricePerClick),
    amount: String(amount),
    currency: String(currency),
  };
}

/** Four words of hash and the opening time as a double, little-endian. */
const PERIOD_BYTES = 24;

/** The open periods as bytes: 24 a period. */
export function packOpenPeriods(openPeriods: Checkpoint['openPeriods']): Uint8Array {
  const bytes = new Uint8Array(openPeriods.length * PERIOD_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { hash, openedMs }] of openPeriods.entries()) {
    const at = index * PERIOD_BYTES;
    for (let word = 0; word < 4; word++) view.setUint32(at + 4 * word, hash[word]!, true);
    view.setFloat64(at + 16, openedMs, true);
  }
  return bytes;
}

/** The open periods that `packOpenPeriods` made bytes of. */
export function unpackOpenPeriods(bytes: Uint8Array): Checkpoint['openPeriods'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / PERIOD_BYTES) }, (_, index) => {
    const at = index * PERIOD_BYTES;
    const word = (number: number): number => view.getUint32(at + 4 * number, true);
    return { hash: [word(0), word(1), word(2), word(3)] as const, openedMs: view.getFloat64(at + 16, true) };
  });
}

function maybeNumber(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function maybeText(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
