// A lake in place of what retention has deleted from its log: every record, in the log's order, and read to be the
// same as the original by the oracle.
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RawBatch } from '../../src/core/batches.js';
import { compactLake } from '../../src/lake/compact.js';
import { openLake } from '../../src/lake/read-lake.js';
import { openReplay, type ReplayWish } from '../../src/lake/replay.js';
import { readRecord } from '../oracle/record.js';
import { clickValue, randomOf, removeFolder, type TestRecord, temporaryFolder, write } from './lakes.js';
import { recordValue } from './mutations.js';

const SEED = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TEN_MS = Date.parse('2026-02-22T10:00:00Z');
let lakeDir: string;

beforeEach(() => {
  lakeDir = join(temporaryFolder(), 'lake');
});
afterEach(() => removeFolder(dirname(lakeDir)));

interface Replayed extends TestRecord {
  valueBytes: number;
}

/** All records that come, in their order, and where the log is to go on. */
async function replayed(
  wish: Partial<ReplayWish>,
): Promise<{ records: Replayed[]; goesOn: Map<number, number> }> {
  const wished: ReplayWish = {
    positions: new Map(),
    starts: new Map(),
    sinceMs: undefined,
    signal: new AbortController().signal,
    ...wish,
  };
  const { positions, batches } = await openReplay(await openLake(lakeDir), wished);
  const records: Replayed[] = [];
  for await (const batch of batches) records.push(...recordsOf(batch));
  return { records, goesOn: new Map(positions) };
}

function recordsOf(batch: RawBatch): Replayed[] {
  return Array.from({ length: batch.count }, (_, i) => {
    const value = batch.bytes.slice(batch.valueStart[i], batch.valueEnd[i]);
    return {
      partition: batch.partition[i]!,
      offset: batch.offset[i]!,
      appendTimeMs: batch.appendTimeMs[i]!,
      value,
      valueBytes: batch.cutValueBytes?.get(i) ?? value.length,
      ...(batch.keyStart![i] === -1 ? {} : { key: batch.bytes.slice(batch.keyStart![i], batch.keyEnd![i]) }),
    };
  });
}

/** Records of three partitions, a second apart; offsets have gaps, as where a log holds marks of transactions. */
function clicks(values: readonly Uint8Array[], random = randomOf(1)): TestRecord[] {
  const next = [0, 0, 0];
  return values.map((value, i) => {
    const partition = Math.floor(random() * 3);
    const offset = next[partition]!;
    next[partition] = offset + (random() < 0.1 ? 3 : 1);
    return { partition, offset, value, appendTimeMs: TEN_MS + i * 1000 };
  });
}

const plain = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => clickValue({ click_id: `c-${i}`, event_time: TEN_MS + i * 1000 }));

const ofPartition = (records: readonly TestRecord[], wanted: number): TestRecord[] =>
  records.filter(({ partition }) => partition === wanted);

test(`the oracle reads what comes as it read the original (seed ${SEED})`, async () => {
  const values = fc.sample(recordValue, { seed: SEED, numRuns: 4000 });
  values.push(
    Buffer.alloc(3 << 20, 'x'),
    clickValue({ more: { deep: ['é', '"'] }, invalid_traffic: 'crawler' }),
  );
  const written = clicks(values, randomOf(SEED));
  await write(lakeDir, written, { flushRecords: 700 });
  const ends = new Map(
    [0, 1, 2].map((partition) => [partition, ofPartition(written, partition).at(-1)!.offset + 1]),
  );
  const { records, goesOn } = await replayed({
    positions: new Map([0, 1, 2].map((p) => [p, 0])),
    starts: ends,
  });

  expect(records).toHaveLength(written.length);
  expect(goesOn).toEqual(ends);
  for (const partition of [0, 1, 2]) {
    const originals = ofPartition(written, partition);
    for (const [i, record] of (ofPartition(records, partition) as Replayed[]).entries()) {
      const { offset, appendTimeMs, value } = originals[i]!;
      expect(record).toMatchObject({ offset, appendTimeMs });
      expect(
        readRecord(record.value, record.valueBytes),
        Buffer.from(value.subarray(0, 500)).toString(),
      ).toEqual(readRecord(value.subarray(0, 1 << 20), value.length));
    }
  }
});

test('all partitions come in step, up to where the log begins; what that has is left to it', async () => {
  const written = clicks(plain(60_000));
  await write(lakeDir, written, { flushRecords: 10_000 });
  await compactLake({ lake: lakeDir, olderThanMs: 0 });
  const from = new Map([
    [0, ofPartition(written, 0)[500]!.offset],
    [1, ofPartition(written, 1)[400]!.offset],
    [2, 0],
  ]);
  const starts = new Map([
    [0, ofPartition(written, 0)[12_000]!.offset],
    [1, ofPartition(written, 1)[9000]!.offset],
    [2, 0],
  ]);
  const { records, goesOn } = await replayed({ positions: from, starts });
  expect(goesOn).toEqual(starts);
  for (const partition of [0, 1, 2]) {
    const due = ofPartition(written, partition).filter(
      ({ offset }) => offset >= from.get(partition)! && offset < starts.get(partition)!,
    );
    expect(ofPartition(records, partition).map(({ offset }) => offset)).toEqual(
      due.map(({ offset }) => offset),
    );
  }
  // Give or take a portion.
  let newestMs = 0;
  for (const { appendTimeMs } of records) {
    expect(appendTimeMs).toBeGreaterThan(newestMs - 3 * 8192 * 1000);
    newestMs = Math.max(newestMs, appendTimeMs!);
  }
});

test('without positions it begins with the last record before the time, which shows that none is missing', async () => {
  const written = clicks(plain(3000));
  await write(lakeDir, written, { flushRecords: 500 });
  const sinceMs = TEN_MS + 1_000_000;
  const starts = new Map([
    [0, ofPartition(written, 0)[900]!.offset],
    [1, 0],
    // Nothing that was deleted here is young enough.
    [2, ofPartition(written, 2).find(({ appendTimeMs }) => appendTimeMs! >= sinceMs)!.offset],
  ]);
  const { records } = await replayed({ starts, sinceMs });
  const begins = [0, 2].map((partition) => ofPartition(records, partition)[0]!);
  const lastBefore = (wanted: number): TestRecord | undefined =>
    ofPartition(written, wanted).findLast(({ appendTimeMs }) => appendTimeMs! < sinceMs);
  expect(begins.map(({ offset }) => offset)).toEqual([lastBefore(0)!.offset, lastBefore(2)!.offset]);
  // Nothing of it was deleted.
  expect(ofPartition(records, 1)).toEqual([]);
  // Without a time the log's own beginning will do.
  expect((await replayed({ starts })).records).toEqual([]);
});

test('a lake that lacks the records, too, is told with their offsets', async () => {
  const written = clicks(plain(300)).filter(({ partition, offset }) => partition === 0 && offset >= 10);
  await write(lakeDir, written);
  const end = written.at(-1)!.offset + 1;
  const begin = written[0]!.offset;
  await expect(replayed({ positions: new Map([[0, 4]]), starts: new Map([[0, 50]]) })).rejects.toThrow(
    `offsets 4 to ${begin - 1} of partition 0 from the log, and the lake lacks them, too`,
  );
  await expect(
    replayed({ positions: new Map([[0, begin]]), starts: new Map([[0, end + 7]]) }),
  ).rejects.toThrow(`offsets ${end} to ${end + 6} of partition 0`);
});
