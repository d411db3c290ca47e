// Compares what the stream counted with what the recomputation counted: cell by cell, and the ledger by
// partition and minute. Expected difference: none.
import { BUCKET_MS, type Method, VERDICTS } from '../core/method.js';
import type { Snapshot } from '../core/ports/books.js';
import type { LedgerCounts } from '../core/ports/store.js';
import { type Period, type RecordedFile, recordsIn } from './lake-reader.js';
import { isClick } from './marks-sql.js';
import { type BatchSession, quote, type SqlRow } from './session.js';

/** A cell on which the two don't agree. */
export interface CellDifference {
  minuteMs: number;
  adId: string;
  campaignId: string;
  country: string;
  deviceType: string;
  stream: number;
  batch: number;
  /** Records of the cell, a sample: those first that can explain the difference. */
  records: { clickId: string; verdict: string; partition: number; offset: number }[];
}

/** Rows of the ledger on which the two don't agree. */
export interface LedgerDifference {
  partition: number;
  /** Undefined for records without a usable event time. */
  minuteMs: number | undefined;
  stream: LedgerCounts;
  batch: LedgerCounts;
}

export interface Comparison {
  /** Cells that either side has, without the open ones. */
  cells: number;
  clicks: { stream: number; batch: number };
  /** How many cells differ; `differences` lists the first of them. */
  differing: number;
  differences: CellDifference[];
  /** Cells left out because their minute may still be open in memory. */
  open: number;
  ledger: LedgerCounts;
  ledgerStream: LedgerCounts;
  ledgerDiffering: number;
  ledgerDifferences: LedgerDifference[];
}

export interface CompareOptions {
  snapshot: Snapshot;
  files: readonly RecordedFile[];
  method: Method;
  period: Period | undefined;
  /** How many differences are listed, and how many records of each. */
  sample: number;
}

/** Compares a snapshot with `batch_cells`, `batch_ledger` and, if there is one, `open_cells` (see universe.ts). */
export async function compare(session: BatchSession, options: CompareOptions): Promise<Comparison> {
  await session.run('CREATE TEMP TABLE IF NOT EXISTS open_cells (minute BIGINT, ad BIGINT, place BIGINT);');
  await readStream(session, options);
  if (!options.snapshot.complete) await leaveOutOpenCells(session);
  await session.run(`CREATE OR REPLACE TEMP TABLE differing AS
    SELECT minute, ad, place, coalesce(s.clicks, 0) AS stream, coalesce(b.clicks, 0) AS batch
    FROM stream_cells AS s FULL JOIN batch_cells AS b USING (minute, ad, place)
    WHERE s.clicks IS DISTINCT FROM b.clicks;`);
  const [sums] = await session.rows(`
    SELECT (SELECT coalesce(sum(clicks), 0)::BIGINT FROM stream_cells) AS stream,
      (SELECT coalesce(sum(clicks), 0)::BIGINT FROM batch_cells) AS batch,
      (SELECT count(*) FROM batch_cells) + (SELECT count(*) FROM differing WHERE batch = 0) AS cells,
      (SELECT count(*) FROM open_cells) AS open, (SELECT count(*) FROM differing) AS differing`);
  const open = Number(sums!.open);
  const differences = await listDifferences(session, options);
  return {
    cells: Number(sums!.cells),
    clicks: { stream: Number(sums!.stream), batch: Number(sums!.batch) },
    differing: Number(sums!.differing),
    differences,
    open,
    ...(await compareLedger(session, options)),
  };
}

/** Makes `stream_cells` and `stream_ledger`. */
async function readStream(session: BatchSession, { snapshot, period }: CompareOptions): Promise<void> {
  const totals = `read_parquet(${quote(snapshot.totalsFile)})`;
  const within = period ? `minute >= ${period.fromMs} AND minute < ${period.toMs}` : 'true';
  await session.run(`
    INSERT INTO ads SELECT row_number() OVER () + (SELECT coalesce(max(ad), 0) FROM ads), ad_id, campaign_id
      FROM (SELECT DISTINCT ad_id, campaign_id FROM ${totals}) AS found ANTI JOIN ads USING (ad_id, campaign_id);
    INSERT INTO places SELECT row_number() OVER () + (SELECT coalesce(max(place), 0) FROM places), country, device_type
      FROM (SELECT DISTINCT country, device_type FROM ${totals}) AS found
      ANTI JOIN places USING (country, device_type);
    CREATE OR REPLACE TEMP TABLE stream_cells AS SELECT minute, ad, place, clicks FROM ${totals}
      JOIN ads USING (ad_id, campaign_id) JOIN places USING (country, device_type) WHERE clicks <> 0 AND ${within};
    CREATE OR REPLACE TEMP TABLE stream_ledger AS
      SELECT * FROM read_parquet(${quote(snapshot.ledgerFile)}) WHERE ${within};`);
}

/** The open cells are in memory, wholly or partly: neither side can be held to them. */
async function leaveOutOpenCells(session: BatchSession): Promise<void> {
  for (const side of ['stream_cells', 'batch_cells']) {
    await session.run(`DELETE FROM ${side} USING open_cells AS o
      WHERE ${side}.minute = o.minute AND ${side}.ad = o.ad AND ${side}.place = o.place;`);
  }
}

async function listDifferences(session: BatchSession, options: CompareOptions): Promise<CellDifference[]> {
  const rows = await session.rows(`
    SELECT minute, ad_id, campaign_id, country, device_type, stream, batch
    FROM differing JOIN ads USING (ad) JOIN places USING (place)
    ORDER BY minute, ad_id, campaign_id, country, device_type LIMIT ${options.sample}`);
  const differences: CellDifference[] = [];
  for (const row of rows) {
    const difference: CellDifference = {
      minuteMs: Number(row.minute),
      adId: String(row.ad_id),
      campaignId: String(row.campaign_id),
      country: String(row.country),
      deviceType: String(row.device_type),
      stream: Number(row.stream),
      batch: Number(row.batch),
      records: [],
    };
    difference.records = await recordsOfCell(session, difference, options);
    differences.push(difference);
  }
  return differences;
}

/** If the stream counted more, the records that batch doesn't bill explain it; if less, those that it does. */
async function recordsOfCell(
  session: BatchSession,
  cell: CellDifference,
  { files, method, sample }: CompareOptions,
): Promise<CellDifference['records']> {
  const { minuteMs } = cell;
  const near = files.filter(({ hourMs }) => hourMs <= minuteMs && hourMs + 3_600_000 > minuteMs);
  const rows = await session.rows(`
    SELECT click_id, coalesce(verdict, 'billable') AS verdict, l.partition AS part, l."offset" AS off
    FROM ${await recordsIn(near)} AS l JOIN partitions AS p ON p.part = l.partition AND l."offset" < p.position
    LEFT JOIN batch_judged AS j ON j.part = l.partition AND j.off = l."offset"
    WHERE ${isClick(method)}
      AND event_time >= ${minuteMs} AND event_time < ${minuteMs + BUCKET_MS}
      AND ad_id = ${quote(cell.adId)} AND campaign_id = ${quote(cell.campaignId)}
      AND country = ${quote(cell.country)} AND device_type = ${quote(cell.deviceType)}
    ORDER BY (verdict IS NULL) = ${cell.stream < cell.batch} DESC, part, off LIMIT ${sample}`);
  return rows.map((row) => ({
    clickId: String(row.click_id),
    verdict: String(row.verdict),
    partition: Number(row.part),
    offset: Number(row.off),
  }));
}

async function compareLedger(
  session: BatchSession,
  { sample }: CompareOptions,
): Promise<Pick<Comparison, 'ledger' | 'ledgerStream' | 'ledgerDiffering' | 'ledgerDifferences'>> {
  const sum = (table: string): string =>
    `SELECT ${VERDICTS.map((verdict) => `coalesce(sum(${verdict}), 0)::BIGINT AS ${verdict}`).join(', ')} FROM ${table}`;
  const pick = (side: string): string =>
    VERDICTS.map((verdict) => `coalesce(${side}.${verdict}, 0) AS ${side}_${verdict}`).join(', ');
  const differs = VERDICTS.map((verdict) => `s_${verdict} <> b_${verdict}`).join(' OR ');
  await session.run(`CREATE OR REPLACE TEMP TABLE differing_ledger AS SELECT * FROM (
      SELECT "partition", minute, ${pick('s')}, ${pick('b')}
      FROM stream_ledger AS s FULL JOIN batch_ledger AS b USING ("partition", minute))
    WHERE ${differs};`);
  const rows = await session.rows(
    `SELECT * FROM differing_ledger ORDER BY "partition", minute LIMIT ${sample}`,
  );
  return {
    ledger: countsOf((await session.rows(sum('batch_ledger')))[0]!, ''),
    ledgerStream: countsOf((await session.rows(sum('stream_ledger')))[0]!, ''),
    ledgerDiffering: await session.number('SELECT count(*) FROM differing_ledger'),
    ledgerDifferences: rows.map((row) => ({
      partition: Number(row.partition),
      minuteMs: Number(row.minute) < 0 ? undefined : Number(row.minute),
      stream: countsOf(row, 's_'),
      batch: countsOf(row, 'b_'),
    })),
  };
}

function countsOf(row: SqlRow, prefix: string): LedgerCounts {
  const counts: Partial<LedgerCounts> = {};
  let records = 0;
  for (const verdict of VERDICTS) {
    counts[verdict] = Number(row[`${prefix}${verdict}`]);
    records += counts[verdict];
  }
  return { records, ...counts } as LedgerCounts;
}

/** Billable clicks by campaign as the recomputation has them, of a period or of all that was recomputed. */
export async function clicksByCampaign(
  session: BatchSession,
  period: Period | undefined,
): Promise<Map<string, number>> {
  const within = period ? `minute >= ${period.fromMs} AND minute < ${period.toMs}` : 'true';
  const rows = await session.rows(`SELECT campaign_id, sum(clicks)::BIGINT AS clicks
    FROM batch_cells JOIN ads USING (ad) WHERE ${within} GROUP BY campaign_id ORDER BY campaign_id`);
  return new Map(rows.map((row) => [String(row.campaign_id), Number(row.clicks)]));
}
