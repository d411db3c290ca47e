// Totals are partitioned by day of their minute, UTC: old days are dropped, moved or vacuumed by themselves, and a
// question about a day reads that day. Partitions are made when the first total of a day comes.
import type pg from 'pg';

export const DAY_MS = 86_400_000;

/** `totals_20260222` */
function partitionOf(day: number): string {
  return `totals_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

/** Start of a day as PostgreSQL reads it, after the year 9999 too. */
function startOf(day: number): string {
  const text = new Date(day * DAY_MS).toISOString().replace(/^\+0*/, '');
  return `'${text.slice(0, text.indexOf('T'))} 00:00:00+00'`;
}

/**
 * Makes the partitions of these days (since 1970) that are missing. The caller holds the lock of writers, so nobody
 * else makes them. ATTACH, unlike CREATE … PARTITION OF, waits for no reader and holds none up.
 */
export async function makePartitions(client: pg.ClientBase, days: Iterable<number>): Promise<void> {
  const wanted = [...days];
  const { rows } = await client.query<[string]>({
    text: `SELECT c.relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
      WHERE inhparent = 'totals'::regclass AND c.relname = ANY ($1)`,
    values: [wanted.map(partitionOf)],
    rowMode: 'array',
  });
  const known = new Set(rows.map(([name]) => name));
  for (const day of wanted) {
    const name = partitionOf(day);
    if (known.has(name)) continue;
    await client.query(`
      CREATE TABLE ${name} (LIKE totals INCLUDING ALL);
      ALTER TABLE totals ATTACH PARTITION ${name} FOR VALUES FROM (${startOf(day)}) TO (${startOf(day + 1)})`);
  }
}
