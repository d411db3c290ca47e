// A snapshot for the batch engine: one transaction's totals and ledger, streamed out of the server and made into
// Parquet files by DuckDB. Neither side ever holds more than a few rows of it in memory.
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Snapshot } from '../../core/ports/books.js';
import { type FileColumn, LEDGER_COLUMNS, parquetOfCsv, TOTALS_COLUMNS } from '../duckdb/table-files.js';
import { readState } from './reader.js';
import { rowsOf } from './session.js';
import { minuteConditions } from './totals-sql.js';

/** Writes the snapshot's files into `directory`, in the read transaction that the client is in. */
export async function writeSnapshot(
  client: pg.ClientBase,
  directory: string,
  period: { fromMs: number | undefined; toMs: number | undefined },
): Promise<Snapshot> {
  const totalsFile = join(directory, 'totals.parquet');
  const ledgerFile = join(directory, 'ledger.parquet');
  const state = await readState(client);
  const [writer] = await rowsOf(client, 'SELECT complete FROM writer');
  await writeFile(client, totalsFile, TOTALS_COLUMNS, {
    rows: `SELECT (extract(epoch FROM minute) * 1000)::bigint, ad_id, campaign_id, country, device_type, clicks
      FROM totals WHERE ${minuteConditions(period)}`,
  });
  await writeFile(client, ledgerFile, LEDGER_COLUMNS, {
    rows: `SELECT ${LEDGER_COLUMNS.map(({ name }) => name).join(', ')} FROM ledger`,
  });
  return { state, complete: writer?.[0] === true, totalsFile, ledgerFile };
}

async function writeFile(
  client: pg.ClientBase,
  path: string,
  columns: readonly FileColumn[],
  { rows }: { rows: string },
): Promise<void> {
  const csv = `${path}.csv`;
  try {
    const out = client.query(copyTo(`COPY (${rows}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)`));
    await pipeline(out, createWriteStream(csv));
    await parquetOfCsv(csv, path, columns);
  } finally {
    await rm(csv, { force: true });
  }
}
