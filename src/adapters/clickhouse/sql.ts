// What is put into statements: texts that a person or a click brought, and times.

/** A text as a literal: nothing in it is taken for SQL. */
export function text(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/** No minute is after it: a bound that excludes nothing. */
const END_MS = Date.UTC(10_000, 0, 1);

/** A time, epoch ms, as the column `minute` has it. A part of a millisecond counts as a whole one. */
export function time(ms: number): string {
  return `fromUnixTimestamp64Milli(toInt64(${Math.min(END_MS, Math.max(0, Math.ceil(ms)))}), 'UTC')`;
}

/** Conditions on `minute` for `[fromMs, toMs)`; a minute lies in a period if its start does. */
export function minuteConditions(period: { fromMs: number | undefined; toMs: number | undefined }): string[] {
  const conditions: string[] = [];
  if (period.fromMs !== undefined) conditions.push(`minute >= ${time(period.fromMs)}`);
  if (period.toMs !== undefined) conditions.push(`minute < ${time(period.toMs)}`);
  return conditions;
}

/** A condition that `column` is one of these; undefined: all are meant. */
export function oneOf(column: string, values: readonly string[]): string | undefined {
  return values.length > 0 ? `${column} IN (${values.map(text).join(', ')})` : undefined;
}

/**
 * Reads a table as it is after all merges: of the rows with one key the one with the highest version. A key's rows are
 * always of one partition, so partitions needn't be compared with each other.
 */
export const MERGED = 'FINAL';
export const MERGED_SETTINGS = 'SETTINGS do_not_merge_across_partitions_select_final = 1';
