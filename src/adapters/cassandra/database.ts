// The database of rows on a Cassandra cluster. A row's version is its write timestamp: the nodes themselves keep the
// newest of each cell, in whatever order writes come, and a deletion is a write as well.
import type { RowDatabase } from '../journaled/database.js';
import { TOTALS_TABLES } from '../journaled/database.js';
import type { Cluster } from './cluster.js';
import { createEntries } from './entries.js';
import { createHead } from './head.js';
import { createTotals } from './totals.js';

/** The rows of a cluster whose tables are there; closing it closes the connections. */
export function createDatabase(cluster: Cluster): RowDatabase {
  return {
    name: cluster.address.name,
    tables: TOTALS_TABLES,
    ...createHead(cluster),
    ...createTotals(cluster),
    ...createEntries(cluster),
    close: () => cluster.close(),
  };
}
