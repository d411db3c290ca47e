// The lake's SQL against the oracle that reads records with JSON.parse: the same verdict, reason, ad and time for
// each of thousands of clicks written well and badly.
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MARK_MACROS } from '../../src/batch/marks-sql.js';
import { partitionOfBareLine } from '../oracle/bare-lines.js';
import { readRecord } from '../oracle/record.js';
import { batchOf, type DecodedRow, decodeValues } from './decoding.js';
import { recordValue } from './mutations.js';

const SEED = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** What both sides must say of a record. */
function expected(value: Uint8Array): DecodedRow {
  const reading = readRecord(value);
  const click = 'click' in reading ? reading.click : undefined;
  return {
    malformed: 'reason' in reading ? reading.reason : null,
    ad_id: reading.adId ?? null,
    event_time: click?.eventTimeMs ?? null,
    click_id: click?.clickId ?? null,
    campaign_id: click?.campaignId ?? null,
    user_id: click?.userId ?? null,
    country: click?.country ?? null,
    device_type: click?.deviceType ?? null,
    partition: partitionOfBareLine(value, 6),
    value_bytes: value.length,
    value: click ? null : Buffer.from(value.subarray(0, 1 << 20)).toString('hex'),
  };
}

function compared(row: DecodedRow): DecodedRow {
  const sound = row.malformed === null;
  const { malformed, ad_id, partition, value_bytes, value } = row as Record<string, never>;
  const texts = ['event_time', 'click_id', 'campaign_id', 'user_id', 'country', 'device_type'] as const;
  // Of a malformed record the columns hold what could be read, which is nobody's promise.
  const fields = Object.fromEntries(texts.map((name) => [name, sound ? row[name]! : null]));
  return { malformed, ad_id, ...fields, partition, value_bytes, value };
}

/** What the recomputation makes of the marks in `extra`: the text, '' for none, undefined where it is no mark. */
async function marksOf(extras: readonly unknown[]): Promise<(string | undefined)[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    await connection.run(MARK_MACROS);
    const list = JSON.stringify(extras).replaceAll("'", "''");
    const reader = await connection.runAndReadAll(
      `SELECT bad_mark(e), mark_of(e) FROM (SELECT unnest(from_json('${list}', '["VARCHAR"]')) AS e)`,
    );
    return reader.getRows().map(([isBad, mark]) => (isBad === true ? undefined : String(mark ?? '')));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function expectAgreement(values: readonly Uint8Array[]): Promise<void> {
  const rows = await decodeValues(batchOf(values));
  expect(rows).toHaveLength(values.length);
  for (const [i, row] of rows.entries()) {
    expect(compared(row), Buffer.from(values[i]!.subarray(0, 2000)).toString('latin1')).toEqual(
      expected(values[i]!),
    );
  }
}

test(`agrees with the oracle on random clicks (seed ${SEED})`, async () => {
  const values = fc.sample(recordValue, { seed: SEED, numRuns: 12_000 });
  await expectAgreement(values);
});

test(`keeps marks of invalid traffic so that the recomputation reads them as the oracle does (seed ${SEED})`, async () => {
  const values = fc.sample(recordValue, { seed: SEED + 1, numRuns: 12_000 });
  const rows = await decodeValues(batchOf(values));
  const marks = await marksOf(rows.map(({ extra }) => extra));
  const seen = { bad: 0, none: 0, marked: 0 };
  for (const [i, value] of values.entries()) {
    const reading = readRecord(value);
    if (!('click' in reading)) continue;
    const { mark } = reading.click;
    expect(marks[i], Buffer.from(value.subarray(0, 2000)).toString('latin1')).toBe(mark);
    seen[mark === undefined ? 'bad' : mark === '' ? 'none' : 'marked']++;
  }
  // Each kind was there: about 80 of the rarest are to be expected.
  expect(Math.min(seen.bad, seen.none, seen.marked)).toBeGreaterThan(20);
});

test('agrees with the oracle on sizes at the limit', async () => {
  const click = { ad_id: 'ad-17', click_id: 'c' };
  const padded = (bytes: number): Buffer => {
    const room = bytes - JSON.stringify({ ...click, more: '' }).length;
    return Buffer.from(JSON.stringify({ ...click, more: 'x'.repeat(room) }));
  };
  const deep = (depth: number): Buffer => Buffer.from(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
  await expectAgreement([
    padded(1_048_576),
    padded(1_048_577),
    padded(3_000_000),
    deep(63),
    deep(64),
    deep(500_000),
    Buffer.from('['.repeat(1_000_000)),
    Buffer.from('{"a":'.repeat(200_000)),
    Buffer.from('"'.repeat(1_000_000)),
    Buffer.alloc(1_000_000),
    Buffer.alloc(0),
    Buffer.from(`{"a":[${'[],'.repeat(300_000)}[]]}`),
  ]);
});
