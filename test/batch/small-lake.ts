// A lake for tests, written by DuckDB in the layout of docs/lake.md from records as the oracle takes them. The
// oracle's reader decides what is malformed: the real lake writer is tested elsewhere.
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { RecordedFile } from '../../src/batch/lake-reader.js';
import { readRecord } from '../oracle/record.js';
import type { OracleRecord } from '../oracle.js';

const HOUR_MS = 3_600_000;

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'click-agg-test-'));
}

function hourOf(record: OracleRecord): number {
  const reading = readRecord(record.value, record.valueBytes);
  const timeMs = 'click' in reading ? reading.click.eventTimeMs : (record.appendTimeMs ?? 0);
  return Math.floor((Number.isNaN(timeMs) ? 0 : timeMs) / HOUR_MS) * HOUR_MS;
}

/** `dt=2026-02-22/hour=10` */
function folderOf(hourMs: number): string {
  const iso = new Date(hourMs).toISOString();
  return `dt=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}`;
}

function padded(offset: number): string {
  return String(offset).padStart(15, '0');
}

const TEXTS = [
  ...['click_id', 'ad_id', 'campaign_id', 'user_id', 'ip_address', 'country', 'device_type'],
  ...['user_agent', 'referrer', 'impression_id'],
];
/** Takes the known fields away. */
const KNOWN_AWAY = JSON.stringify(Object.fromEntries([...TEXTS, 'event_time'].map((name) => [name, null])));

/** A row as JSON that DuckDB reads; `value` and `key` aren't read by the recomputation and stay null. */
function rowOf(record: OracleRecord): Record<string, unknown> {
  const { partition, offset, appendTimeMs } = record;
  const append_time = appendTimeMs === undefined || Number.isNaN(appendTimeMs) ? null : appendTimeMs;
  const reading = readRecord(record.value, record.valueBytes);
  const place = { partition, offset, append_time, value_bytes: record.valueBytes ?? record.value.length };
  if ('reason' in reading) return { ...place, malformed: reading.reason };
  const text = new TextDecoder().decode(record.value);
  const fields = JSON.parse(text) as Record<string, unknown>;
  const texts = Object.fromEntries(TEXTS.map((name) => [name, fields[name] ?? null]));
  return { ...place, ...texts, text, event_time: reading.click.eventTimeMs, malformed: null };
}

/** The shape of `rowOf` for DuckDB's from_json. */
const SHAPE = JSON.stringify([
  {
    partition: 'INTEGER',
    offset: 'BIGINT',
    append_time: 'BIGINT',
    click_id: 'VARCHAR',
    event_time: 'BIGINT',
    ad_id: 'VARCHAR',
    campaign_id: 'VARCHAR',
    user_id: 'VARCHAR',
    ip_address: 'VARCHAR',
    country: 'VARCHAR',
    device_type: 'VARCHAR',
    user_agent: 'VARCHAR',
    referrer: 'VARCHAR',
    impression_id: 'VARCHAR',
    malformed: 'VARCHAR',
    text: 'VARCHAR',
    value_bytes: 'BIGINT',
  },
]);

/** Writes the records below `folder/lake`, one file for each partition and hour; returns the files. */
export async function writeSmallLake(
  folder: string,
  records: readonly OracleRecord[],
): Promise<RecordedFile[]> {
  const lake = join(folder, 'lake');
  const groups = new Map<string, { hourMs: number; partition: number; records: OracleRecord[] }>();
  for (const record of records) {
    const hourMs = hourOf(record);
    const key = `${hourMs} ${record.partition}`;
    const group = groups.get(key) ?? { hourMs, partition: record.partition, records: [] };
    group.records.push(record);
    groups.set(key, group);
  }
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const files: RecordedFile[] = [];
  for (const { hourMs, partition, records: group } of groups.values()) {
    group.sort((a, b) => a.offset - b.offset);
    const firstOffset = group[0]!.offset;
    const lastOffset = group.at(-1)!.offset;
    await mkdir(join(lake, folderOf(hourMs)), { recursive: true });
    const name = `p${String(partition).padStart(5, '0')}-o${padded(firstOffset)}-${padded(lastOffset)}.parquet`;
    const path = join(lake, folderOf(hourMs), name);
    const json = JSON.stringify(group.map(rowOf)).replaceAll("'", "''");
    await connection.run(`COPY (SELECT partition, "offset", append_time, NULL::BLOB AS key, click_id, event_time,
        ad_id, campaign_id, user_id, ip_address, country, device_type, user_agent, referrer, impression_id,
        nullif(json_merge_patch(text, '${KNOWN_AWAY}')::VARCHAR, '{}') AS extra, malformed, NULL::BLOB AS value, value_bytes
      FROM (SELECT unnest(from_json('${json}', '${SHAPE}'), recursive := true))
      ORDER BY "offset") TO '${path.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd)`);
    files.push({ path, hourMs, partition, firstOffset, lastOffset });
  }
  connection.closeSync();
  instance.closeSync();
  return files;
}
