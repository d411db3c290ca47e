// The totals as rows of one table. A row is never changed: it is written again with a higher version, and a question
// takes the highest. No clicks mean that the cell is gone.
import type { Cell } from '../../core/ports/commit.js';
import type { PartitionKey, PlacedCell } from '../journaled/database.js';
import type { Connections, Row } from './connections.js';
import { RowBinaryWriter } from './row-binary.js';
import { MERGED, MERGED_SETTINGS, minuteConditions, text, time } from './sql.js';

/** One insert has no more rows: fewer and larger ones leave the server less to merge. */
const INSERT_ROWS_MAX = 250_000;
/** Rows that are asked for by one statement. */
const ASKED_ROWS_MAX = 2_000;
const DAY_MS = 86_400_000;

const COLUMNS = 'ad_id, minute, campaign_id, country, device_type, clicks, version';
const KEY = 'ad_id, minute, campaign_id, country, device_type';
/** A cell as answers have it: see `cellOf`. */
const CELL = 'toUnixTimestamp64Milli(minute), ad_id, campaign_id, country, device_type, clicks';

/** Writes rows with this version. */
export async function writeTotals(
  connections: Connections,
  rows: readonly PlacedCell[],
  version: number,
): Promise<void> {
  const writer = new RowBinaryWriter();
  const into = `${connections.address.database}.totals (${COLUMNS})`;
  for (let start = 0; start < rows.length; start += INSERT_ROWS_MAX) {
    for (const row of rows.slice(start, start + INSERT_ROWS_MAX)) {
      writer.text(row.adId);
      writer.int64(row.minuteMs);
      writer.text(row.campaignId);
      writer.text(row.country);
      writer.text(row.deviceType);
      writer.uint32(row.clicks);
      writer.int64(version);
    }
    await connections.insert(into, writer.take());
  }
}

/** The cells of an ad and a day, by time. */
export function readTotals(
  connections: Connections,
  { owner, bucket }: PartitionKey,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): AsyncGenerator<Cell[]> {
  const dayMs = Date.parse(`${bucket}T00:00:00Z`);
  const period = { fromMs: Math.max(fromMs, dayMs), toMs: Math.min(toMs, dayMs + DAY_MS) };
  const conditions = [`ad_id = ${text(owner)}`, ...minuteConditions(period)];
  return cells(connections, conditions, `ORDER BY ${KEY}`);
}

/** All cells of a period, in any order. */
export function scanTotals(
  connections: Connections,
  period: { fromMs: number; toMs: number },
): AsyncGenerator<Cell[]> {
  return cells(connections, minuteConditions(period), '');
}

async function* cells(
  connections: Connections,
  conditions: readonly string[],
  order: string,
): AsyncGenerator<Cell[]> {
  const where = [...conditions, 'clicks > 0'].join(' AND ');
  const sql = `SELECT ${CELL} FROM ${connections.address.database}.totals ${MERGED} WHERE ${where} ${order}`;
  for await (const rows of connections.pages(`${sql} ${MERGED_SETTINGS}`)) yield rows.map(cellOf);
}

function cellOf([minuteMs, adId, campaignId, country, deviceType, clicks]: Row): Cell {
  return {
    ...{ minuteMs: Number(minuteMs), adId: String(adId), campaignId: String(campaignId) },
    ...{ country: String(country), deviceType: String(deviceType), clicks: Number(clicks) },
  };
}

/** The clicks of these rows, in their order; 0 for those that are not there. */
export async function clicksOf(connections: Connections, rows: readonly PlacedCell[]): Promise<number[]> {
  const found = new Map<string, number>();
  for (let start = 0; start < rows.length; start += ASKED_ROWS_MAX) {
    const keys = rows.slice(start, start + ASKED_ROWS_MAX).map((row) => {
      const { adId, minuteMs, campaignId, country, deviceType } = row;
      return `(${text(adId)}, ${time(minuteMs)}, ${[campaignId, country, deviceType].map(text).join(', ')})`;
    });
    const answer = await connections.ask(
      `SELECT ${CELL} FROM ${connections.address.database}.totals ${MERGED}
       WHERE (${KEY}) IN (${keys.join(', ')}) AND clicks > 0 ${MERGED_SETTINGS}`,
    );
    for (const row of answer) found.set(keyOf(cellOf(row)), Number(row.at(-1)));
  }
  return rows.map((row) => found.get(keyOf(row)) ?? 0);
}

function keyOf({ minuteMs, adId, campaignId, country, deviceType }: Cell): string {
  return JSON.stringify([minuteMs, adId, campaignId, country, deviceType]);
}
