// Dead letters as a Parquet file, written by parquetjs-lite: a small file for people who look into it with their
// own tools. Times are plain INT64: parquetjs-lite can't read its own TIMESTAMP_MILLIS.
import { createRequire } from 'node:module';
import type { DeadLetter } from '../../core/ports/commit.js';

type Row = Record<string, string | number | Buffer>;

interface Writer {
  setRowGroupSize(rows: number): void;
  appendRow(row: Row): Promise<void>;
  close(): Promise<void>;
}
interface Library {
  ParquetSchema: new (
    fields: Record<string, { type: string; optional?: boolean; compression: string }>,
  ) => object;
  ParquetWriter: { openFile(schema: object, path: string): Promise<Writer> };
}

/** More rows in a group make the library's memory grow. */
const GROUP_ROWS = 4096;

/** Columns by name: whether a letter may be without it, and how it is written. */
const COLUMNS: Readonly<Record<string, { type: string; optional: boolean }>> = {
  partition: { type: 'INT32', optional: false },
  offset: { type: 'INT64', optional: false },
  verdict: { type: 'UTF8', optional: false },
  reason: { type: 'UTF8', optional: false },
  event_time: { type: 'INT64', optional: true },
  append_time: { type: 'INT64', optional: true },
  click_id: { type: 'UTF8', optional: true },
  ad_id: { type: 'UTF8', optional: true },
  campaign_id: { type: 'UTF8', optional: true },
  ip_address: { type: 'UTF8', optional: true },
  key: { type: 'BYTE_ARRAY', optional: true },
  value: { type: 'BYTE_ARRAY', optional: true },
  value_bytes: { type: 'INT64', optional: true },
  redriven_at: { type: 'INT64', optional: true },
};

/** Writes all letters into a new file at `path`; times in epoch ms. Gives how many there were. */
export async function writeLetterFile(path: string, letters: AsyncIterable<DeadLetter>): Promise<number> {
  const { ParquetSchema, ParquetWriter } = createRequire(import.meta.url)('parquetjs-lite') as Library;
  const fields = Object.entries(COLUMNS).map(([name, column]) => [name, { ...column, compression: 'GZIP' }]);
  const writer = await ParquetWriter.openFile(new ParquetSchema(Object.fromEntries(fields)), path);
  writer.setRowGroupSize(GROUP_ROWS);
  let count = 0;
  try {
    for await (const letter of letters) {
      await writer.appendRow(rowOf(letter));
      count++;
    }
  } finally {
    await writer.close();
  }
  return count;
}

function rowOf(letter: DeadLetter): Row {
  const row: Record<string, string | number | Buffer | undefined> = {
    partition: letter.partition,
    offset: letter.offset,
    verdict: letter.verdict,
    reason: letter.reason,
    event_time: letter.eventTimeMs,
    append_time: letter.appendTimeMs,
    click_id: letter.clickId,
    ad_id: letter.adId,
    campaign_id: letter.campaignId,
    ip_address: letter.ipAddress,
    key: letter.key && Buffer.from(letter.key),
    value: letter.value && Buffer.from(letter.value),
    value_bytes: letter.valueBytes,
    redriven_at: letter.redrivenAtMs,
  };
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as Row;
}
