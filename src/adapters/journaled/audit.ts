// Compares the tables of a store with the totals that they were made from. Each commit writes all of them; what differs
// was written by somebody else, or lost.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopyAudit, CopyDifference, StoreBooks } from '../../core/ports/books.js';
import { differingTotals } from '../duckdb/table-files.js';
import type { RowDatabase, TotalsTable } from './database.js';
import { END_MS, GRAIN_MS } from './places.js';
import type { Reading } from './reading.js';
import { writeTotalsFile } from './snapshot.js';

const NAME_OF = {
  adId: 'ad_id',
  campaignId: 'campaign_id',
  country: 'country',
  deviceType: 'device_type',
} as const;

/** The audit of a database with more than one table of totals. */
export function createAudit(database: RowDatabase, reading: Reading): NonNullable<StoreBooks['audit']> {
  return (period, sample) =>
    reading.exact(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'click-agg-audit-'));
      try {
        return await comparedIn(folder, database, { period, sample });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
}

async function comparedIn(
  folder: string,
  database: RowDatabase,
  { period, sample }: { period: { fromMs: number | undefined; toMs: number | undefined }; sample: number },
): Promise<CopyAudit> {
  const [totals, ...copies] = database.tables;
  const totalsFile = join(folder, 'totals.parquet');
  await writeTotalsFile(database, totals!, { path: totalsFile, period });
  const audit: CopyAudit = { tables: copies.length, differing: 0, differences: [] };
  for (const table of copies) {
    const grainMs = GRAIN_MS[table.grain];
    // An hour of which the period holds a part has clicks of the rest as well.
    const fromMs = Math.ceil((period.fromMs ?? 0) / grainMs) * grainMs;
    const toMs = Math.floor((period.toMs ?? END_MS) / grainMs) * grainMs;
    const before = join(folder, 'table.parquet');
    await writeTotalsFile(database, table, { path: before, period: { fromMs, toMs } });
    const kept = [table.owner, ...table.columns].map((column) => NAME_OF[column]);
    const summedUp = { grainMs, kept, fromMs, toMs };
    for await (const rows of differingTotals({ before, after: totalsFile, summedUp })) {
      audit.differing += rows.length;
      for (const row of rows)
        if (audit.differences.length < sample) audit.differences.push(differenceOf(table, row));
    }
  }
  return audit;
}

function differenceOf({ name }: TotalsTable, row: readonly unknown[]): CopyDifference {
  const [time, adId, campaignId, country, deviceType, clicks, expected] = row;
  return {
    ...{ table: name, timeMs: Number(time), adId: String(adId), campaignId: String(campaignId) },
    ...{ country: String(country), deviceType: String(deviceType) },
    ...{ clicks: Number(clicks), expected: Number(expected) },
  };
}
