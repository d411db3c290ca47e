// A snapshot for the batch engine: the totals and the ledger of one commit, streamed out of the database and made into
// Parquet files by DuckDB.
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Snapshot } from '../../core/ports/books.js';
import type { Cell } from '../../core/ports/commit.js';
import { LEDGER_COLUMNS as VERDICT_COLUMNS } from '../../core/stored-rows.js';
import { type FileColumn, LEDGER_COLUMNS, parquetOfCsv, TOTALS_COLUMNS } from '../duckdb/table-files.js';
import type { RowDatabase, TotalsTable } from './database.js';
import type { HeadState } from './head.js';
import { ledgerRows } from './ledger.js';
import { END_MS } from './places.js';
import { readState } from './reader.js';

export interface SnapshotPeriod {
  fromMs: number | undefined;
  toMs: number | undefined;
}

/** Writes the snapshot's files into `directory`. What it reads must not change meanwhile. */
export async function writeSnapshot(
  database: RowDatabase,
  state: HeadState,
  { directory, period }: { directory: string; period: SnapshotPeriod },
): Promise<Snapshot> {
  const totalsFile = join(directory, 'totals.parquet');
  const ledgerFile = join(directory, 'ledger.parquet');
  await writeTotalsFile(database, database.tables[0]!, { path: totalsFile, period });
  await writeFile(ledgerFile, LEDGER_COLUMNS, ledgerLines(database, state));
  return { state: await readState(database, state), complete: state.complete, totalsFile, ledgerFile };
}

/** Writes a table's rows as a Parquet file; '' in columns that it does not keep. */
export async function writeTotalsFile(
  database: RowDatabase,
  table: TotalsTable,
  { path, period }: { path: string; period: SnapshotPeriod },
): Promise<void> {
  const bounds = { fromMs: Math.max(0, period.fromMs ?? 0), toMs: Math.min(END_MS, period.toMs ?? END_MS) };
  const lines = async function* (): AsyncGenerator<string> {
    for await (const page of database.scanTotals(table, bounds)) yield page.map(totalsLine).join('');
  };
  await writeFile(path, TOTALS_COLUMNS, lines());
}

function totalsLine({ minuteMs, adId, campaignId, country, deviceType, clicks }: Cell): string {
  return csvLine([minuteMs, adId, campaignId, country, deviceType, clicks]);
}

async function* ledgerLines(database: RowDatabase, state: HeadState): AsyncGenerator<string> {
  for await (const { partition, minuteMs, counts } of ledgerRows(database, state))
    yield csvLine([partition, minuteMs, ...VERDICT_COLUMNS.map((verdict) => counts[verdict])]);
}

function csvLine(values: readonly (string | number)[]): string {
  return `${values.map((value) => `"${String(value).replaceAll('"', '""')}"`).join(',')}\n`;
}

async function writeFile(
  path: string,
  columns: readonly FileColumn[],
  lines: AsyncIterable<string>,
): Promise<void> {
  const csv = `${path}.csv`;
  try {
    await pipeline(lines, createWriteStream(csv));
    await parquetOfCsv(csv, path, columns);
  } finally {
    await rm(csv, { force: true });
  }
}
