// Times and shares as the dashboard and the plain tables write them.
import type { LedgerCounts } from '../../core/ports/store.js';
import { duration } from '../progress.js';
import type { PartitionRow } from './snapshot.js';

/** `2026-02-22T10:05:00Z`, or `-` where there is none. */
export function timeText(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return '-';
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `84.1 %` of all records; `-` when there are none. */
export function shareText(count: number, records: number): string {
  return records > 0 ? `${((count / records) * 100).toFixed(1)} %` : '-';
}

/** How far the partition's watermark is behind the greatest one: `0 s`, `3 min 20 s`. */
export function behindText(row: PartitionRow, greatestMs: number | undefined): string {
  if (row.watermarkMs === undefined || greatestMs === undefined) return '-';
  return duration(Math.max(0, greatestMs - row.watermarkMs));
}

/** Those partitions first that need looking at: the greatest lag, then the oldest watermark. */
export function worstFirst(partitions: readonly PartitionRow[]): PartitionRow[] {
  return [...partitions].sort(
    (a, b) =>
      (b.lag ?? 0) - (a.lag ?? 0) ||
      (a.watermarkMs ?? Infinity) - (b.watermarkMs ?? Infinity) ||
      a.partition - b.partition,
  );
}

/** The verdicts in the order of the rules, the billable ones first: they are what people look for. */
export const SHOWN_VERDICTS = [
  'billable',
  'double_click',
  'bot',
  'invalid_traffic',
  'duplicate',
  'too_late',
  'invalid',
] as const satisfies readonly (keyof LedgerCounts)[];

/** Digits in groups of three. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
