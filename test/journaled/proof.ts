// Looks whether a store, and every table of its database, holds what it must after a number of commits.
import { expect } from 'vitest';
import type { RowDatabase, TotalsTable } from '../../src/adapters/journaled/database.js';
import { GRAIN_MS, keptDimension } from '../../src/adapters/journaled/places.js';
import type { Cell } from '../../src/core/ports/commit.js';
import type { LetterOutbox } from '../../src/core/ports/letters.js';
import type { Store } from '../../src/core/ports/store.js';
import { cellName, type Expected } from './life.js';

const ALWAYS = { fromMs: 0, toMs: Date.UTC(10_000, 0, 1) };
const NO_FILTER = { verdict: undefined, reason: undefined, at: [], limit: 1000 };

/** Fails where the store is not as it must be. */
export async function expectStore(
  store: Store & LetterOutbox,
  database: RowDatabase,
  expected: Expected,
): Promise<void> {
  for (const table of database.tables) {
    const rows = new Map<string, number>();
    for await (const page of database.scanTotals(table, ALWAYS)) {
      for (const cell of page) {
        expect(rows.has(cellName(cell)), `${table.name} has a row once`).toBe(false);
        rows.set(cellName(cell), cell.clicks);
      }
    }
    expect(sorted(rows), table.name).toEqual(sorted(summedUp(table, expected.cells)));
  }
  const clicks = [...expected.cells.values()].reduce((a, b) => a + b, 0);
  const invalid = expected.events.filter((name) => !name.startsWith('-')).length;
  expect(await store.ledger()).toMatchObject({ billable: clicks, invalid, records: clicks + invalid });
  const byMinute = new Map<string, number>();
  for (const [partition] of await store.ledgerByPartition()) byMinute.set(String(partition), 0);
  const inPeriod = await store.ledger({ fromMs: 0, toMs: ALWAYS.toMs });
  expect(inPeriod).toMatchObject({ billable: clicks, invalid: 0 });
  const letters = await store.deadLetters(NO_FILTER);
  expect(letters.map(({ offset }) => offset)).toEqual(expected.letters);
  expect(
    (await store.deadLetters({ ...NO_FILTER, after: { partition: 0, offset: -1 } })).map(offsetOf),
  ).toEqual([...expected.letters].sort((a, b) => a - b));
  const events = await store.letterEvents(-1, 1000);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index));
  expect(events.map(({ withdrawn, letter }) => `${withdrawn ? '-' : ''}${letter.offset}`)).toEqual(
    expected.events,
  );
  const counted = (await store.deadLetterCounts()).reduce((sum, { count }) => sum + count, 0);
  expect(counted).toBe(expected.letters.length);
  expect((await store.state()).checkpoint).toEqual(expected.checkpoint);
}

function offsetOf({ offset }: { offset: number }): number {
  return offset;
}

/** The rows that a table must have of these cells. */
function summedUp(table: TotalsTable, cells: ReadonlyMap<string, number>): Map<string, number> {
  const rows = new Map<string, number>();
  for (const [name, clicks] of cells) {
    const [minuteMs, ...texts] = JSON.parse(name) as [number, string, string, string, string];
    const [adId, campaignId, country, deviceType] = keptDimension(table, texts);
    const atMs = minuteMs - (minuteMs % GRAIN_MS[table.grain]);
    const row: Omit<Cell, 'clicks'> = { minuteMs: atMs, adId, campaignId, country, deviceType };
    rows.set(cellName(row), (rows.get(cellName(row)) ?? 0) + clicks);
  }
  return rows;
}

function sorted(rows: ReadonlyMap<string, number>): [string, number][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}
