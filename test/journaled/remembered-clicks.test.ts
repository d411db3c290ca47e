// What a writer remembers of rows: what is forgotten is read again, and only that.
import { expect, test } from 'vitest';
import { type PlacedCell, TOTALS_TABLES } from '../../src/adapters/journaled/database.js';
import { type Dimension, rowOf } from '../../src/adapters/journaled/places.js';
import { RememberedClicks } from '../../src/adapters/journaled/remembered-clicks.js';
import { MINUTE_MS } from '../contract/commits.js';
import { MemoryServer } from './memory-database.js';

const MIDNIGHT_MS = Date.UTC(2026, 1, 22);
const MINUTES = TOTALS_TABLES[0]!;
const DAYS = TOTALS_TABLES.find(({ name }) => name === 'ad_days')!;

const dimensionOf = (ad: number): Dimension => [`ad-${ad}`, 'c', 'DE', 'tv'];
const minuteRow = (minute: number, clicks = 1): PlacedCell =>
  rowOf(MINUTES, dimensionOf(minute % 7), { atMs: MIDNIGHT_MS + minute * MINUTE_MS, clicks, shards: 8 });
const dayRow = (ad: number): PlacedCell =>
  rowOf(DAYS, dimensionOf(ad), { atMs: MIDNIGHT_MS, clicks: 1, shards: 8 });

test('minutes that are forgotten are read, and the day they are of is still known', async () => {
  const server = new MemoryServer();
  const reads: number[] = [];
  const database = server.connect();
  const remembered = new RememberedClicks(
    {
      ...database,
      clicksOf(table, rows) {
        reads.push(rows.length);
        return database.clicksOf(table, rows);
      },
    },
    100,
  );
  remembered.emptyFrom(MIDNIGHT_MS);
  for (let minute = 0; minute < 300; minute++) {
    const row = minuteRow(minute, minute + 1);
    expect(await remembered.clicksOf(MINUTES, [row])).toEqual([0]);
    remembered.put(MINUTES, row, row.clicks);
    await database.writeTotals(MINUTES, [row], minute + 1);
    const ad = minute % 7;
    const [before] = await remembered.clicksOf(DAYS, [dayRow(ad)]);
    expect(before).toBe(Math.floor(minute / 7));
    remembered.put(DAYS, dayRow(ad), before! + 1);
  }
  expect(reads, 'nothing was there before').toEqual([]);
  expect(await remembered.clicksOf(DAYS, [dayRow(8)]), 'an ad that was not there').toEqual([0]);
  const rows = [0, 1, 298, 299].map((minute) => minuteRow(minute));
  expect(await remembered.clicksOf(MINUTES, rows)).toEqual([1, 2, 299, 300]);
  expect(reads, 'the first two').toEqual([2]);
});

test('texts that are put together otherwise are others', async () => {
  const remembered = new RememberedClicks(new MemoryServer().connect());
  remembered.emptyFrom(0);
  const texts: Dimension[] = [
    ['1', '23', '4', ''],
    ['12', '3', '4', ''],
    ['1', '2', '34', ''],
    ['1', '2', '3', '4'],
    ['', '1 2', '3', '4'],
    [' 1', '2', '3', '4'],
  ];
  const rows = texts.map((one) => rowOf(MINUTES, one, { atMs: 0, clicks: 1, shards: 8 }));
  for (const [index, row] of rows.entries()) remembered.put(MINUTES, row, index + 1);
  expect(await remembered.clicksOf(MINUTES, rows)).toEqual(texts.map((_, index) => index + 1));
});
