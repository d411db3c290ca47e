// How rows and entries lie in DynamoDB: every item has a partition `p`, a place in it `s` by whose bytes a partition is
// ordered, a version `v`, and either a value `x` or, deleted, the time `gone` after which DynamoDB may forget it.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Cell } from '../../core/ports/commit.js';
import { invariant } from '../../errors.js';
import type { EntryKind, PartitionKey, PlacedCell, TotalsTable } from '../journaled/database.js';

/** An item to be written. */
export interface Item {
  p: string;
  s: string;
  /** undefined deletes. */
  x: AttributeValue | undefined;
}

export type StoredItem = Record<string, AttributeValue>;

const MINUTE_MS = 60_000;
/** `2026-02-22T10:00`: sorts by time from the year 0 to 9999. */
const TIME_LENGTH = 16;
/** 9999-12-31T23:59 */
const LAST_MINUTE_MS = Date.UTC(10_000, 0, 1) - MINUTE_MS;

/** The parts of a text, with what separates them escaped. An id of 128 bytes is at most 256 then: three fit into a key. */
const joined = (parts: readonly string[]): string =>
  parts.map((part) => part.replace(/[\\|]/g, (found) => (found === '|' ? '\\_' : '\\\\'))).join('|');

const split = (text: string): string[] =>
  text.split('|').map((part) => part.replace(/\\([\\_])/g, (_, code) => (code === '_' ? '|' : '\\')));

/** `ad-7|2026-02-22`, and `|3` for a shard. */
export function partitionOf(table: TotalsTable, { owner, bucket, shard }: PartitionKey): string {
  return joined([owner, bucket, ...(table.sharded ? [String(shard)] : [])]);
}

/** `2026-02-22T10:00|campaign-1|DE|mobile` */
export function keyOf(table: TotalsTable, row: PlacedCell): { p: string; s: string } {
  const { bucket, shard } = row;
  const columns = table.columns.map((column) => row[column]);
  return {
    p: partitionOf(table, { owner: row[table.owner], bucket, shard }),
    s: joined([timeOf(row.minuteMs), ...columns]),
  };
}

/** A row as it is written; one without clicks is deleted. */
export function itemOf(table: TotalsTable, row: PlacedCell): Item {
  return { ...keyOf(table, row), x: row.clicks === 0 ? undefined : { N: String(row.clicks) } };
}

/** A row as it was read: what `itemOf` made, backwards. */
export function cellOf(table: TotalsTable, item: StoredItem): Cell {
  const [owner] = split(textOf(item.p));
  const [time, ...columns] = split(textOf(item.s));
  const cell: Cell = {
    minuteMs: Date.parse(`${time}Z`),
    ...{ adId: '', campaignId: '', country: '', deviceType: '' },
    clicks: Number(item.x?.N),
  };
  cell[table.owner] = owner!;
  for (const [index, column] of table.columns.entries()) cell[column] = columns[index]!;
  return cell;
}

/** Places between which rows of a period lie: `from <= s < to`, and no row lies at `to` itself. */
export function placesOf({ fromMs, toMs }: { fromMs: number; toMs: number }): { from: string; to: string } {
  const firstMs = Math.max(0, Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS);
  const endMs = Math.ceil(toMs / MINUTE_MS) * MINUTE_MS;
  // ~ comes behind all that a time is written with.
  const to = endMs > LAST_MINUTE_MS ? '~' : timeOf(Math.max(0, endMs));
  return { from: firstMs > LAST_MINUTE_MS ? '~' : timeOf(firstMs), to };
}

function timeOf(minuteMs: number): string {
  return new Date(minuteMs).toISOString().slice(0, TIME_LENGTH);
}

/** Where entries of a kind and partition lie. */
export function entryPartition(kind: EntryKind, partition: string): string {
  return `${kind}|${partition}`;
}

/** A text of an item that has one there. */
export function textOf(value: AttributeValue | undefined): string {
  invariant(value?.S !== undefined, 'a text in an item of DynamoDB');
  return value.S;
}
