// ClickHouse as a database of rows. It keeps one table of totals and answers every question about them by itself; hours
// and days are no tables of their own, since it adds up minutes fast enough.
import { type RowDatabase, TOTALS_TABLES } from '../journaled/database.js';
import type { Connections } from './connections.js';
import { readEntries, writeEntries } from './entries.js';
import { HeadRegister } from './head.js';
import { clicksOf, readTotals, scanTotals, writeTotals } from './totals.js';
import { answer } from './totals-sql.js';

/** The tables must be there. Closing it closes the connections. */
export function clickHouseDatabase(connections: Connections): RowDatabase {
  const head = new HeadRegister(connections);
  let closed = false;
  return {
    name: connections.address.name,
    tables: TOTALS_TABLES.filter(({ name }) => name === 'by_ad'),
    readHead: () => head.read(),
    swapHead: (expected, next) => head.swap(expected, next),
    writeTotals: (_table, rows, version) => writeTotals(connections, rows, version),
    readTotals: (_table, partition, period) => readTotals(connections, partition, period),
    clicksOf: (_table, rows) => clicksOf(connections, rows),
    scanTotals: (_table, period) => scanTotals(connections, period),
    writeEntries: (entries, version) => writeEntries(connections, entries, version),
    readEntries: (kind, partition, range) => readEntries(connections, kind, partition, range),
    answer: (query) => answer(connections, query),
    async close() {
      if (closed) return;
      closed = true;
      await connections.close();
    },
  };
}
