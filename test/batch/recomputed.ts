// Runs the recomputation on records and gives its answer in the oracle's form.
import { rm } from 'node:fs/promises';
import type { Admission } from '../../src/batch/judge-sql.js';
import { endsOf, type Period, type PositionMap, type RecordedFile } from '../../src/batch/lake-reader.js';
import { prepare, recompute } from '../../src/batch/recompute.js';
import { type BatchSession, openSession } from '../../src/batch/session.js';
import { type Method, VERDICTS, type Verdict } from '../../src/core/method.js';
import type { OracleLedgerRow, OracleRecord, OracleTotal } from '../oracle.js';
import { compareTotals } from '../oracle.js';
import { temporaryFolder, writeSmallLake } from './small-lake.js';

export interface Recomputed {
  /** `partition:offset` to verdict, for those that are neither invalid nor billable. */
  verdicts: Map<string, string>;
  totals: OracleTotal[];
  ledgerRows: OracleLedgerRow[];
}

export interface Options {
  method: Method;
  period?: Period;
  admissions?: Admission[];
  positions?: PositionMap;
  /** Hashes are cut to this many values, so that they collide. */
  hashes?: number;
}

/** Writes a lake of the records, hands it over, and removes it. */
export async function withLake<T>(
  records: readonly OracleRecord[],
  use: (files: RecordedFile[]) => Promise<T>,
): Promise<T> {
  const folder = await temporaryFolder();
  try {
    return await use(await writeSmallLake(folder, records));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function recomputed(files: readonly RecordedFile[], options: Options): Promise<Recomputed> {
  const session = await openSession({ threads: 1 });
  try {
    await prepare(session);
    if (options.hashes) await session.run(`CREATE OR REPLACE MACRO narrow_hash(h) AS h % ${options.hashes}`);
    await recompute(session, {
      files,
      method: options.method,
      positions: options.positions ?? endsOf(files),
      period: options.period,
      admissions: options.admissions ?? [],
    });
    return await answerOf(session);
  } finally {
    await session.close();
  }
}

async function answerOf(session: BatchSession): Promise<Recomputed> {
  const judged = await session.rows(
    'SELECT part, rid - base AS off, verdict FROM judged JOIN partitions USING (part)',
  );
  const cells = await session.rows('SELECT * FROM cells JOIN ads USING (ad) JOIN places USING (place)');
  const ledger = await session.rows('SELECT * FROM ledger ORDER BY "partition", minute');
  return {
    verdicts: new Map(judged.map((row) => [`${row.part}:${row.off}`, String(row.verdict)])),
    totals: cells
      .map((row) => ({
        minute: new Date(Number(row.minute)).toISOString().replace('.000Z', 'Z'),
        ad_id: String(row.ad_id),
        campaign_id: String(row.campaign_id),
        country: String(row.country),
        device_type: String(row.device_type),
        clicks: Number(row.clicks),
      }))
      .sort(compareTotals),
    ledgerRows: ledger.map((row) => ({
      partition: Number(row.partition),
      minuteMs: Number(row.minute),
      counts: Object.fromEntries(VERDICTS.map((name) => [name, Number(row[name])])) as Record<
        Verdict,
        number
      >,
    })),
  };
}
