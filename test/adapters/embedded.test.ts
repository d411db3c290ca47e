// The embedded log's own promises, beside those of every source: torn writes, damage, retention, single records.
import { appendFile, cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { crc32, crc32ByTable } from '../../src/adapters/embedded/crc32.js';
import { logSource } from '../../src/adapters/embedded/log-source.js';
import { createLog, openLogWriter } from '../../src/adapters/embedded/log-writer.js';
import { readRecords } from '../../src/adapters/embedded/read-records.js';
import { applyRetention } from '../../src/adapters/embedded/retention.js';
import { RECORD_BYTES_MAX } from '../../src/core/method.js';
import { UserError } from '../../src/errors.js';
import { readAll } from '../contract/source-contract.js';
import { batchOf, type NewRecord, temporaryDirectory } from './embedded-logs.js';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let log: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  log = join(directory.path, 'log');
});
afterEach(() => directory.remove());

async function write(
  records: readonly NewRecord[],
  options: Partial<Parameters<typeof openLogWriter>[1]> = {},
) {
  const writer = await openLogWriter(log, { partitions: 1, ...options });
  const offsets = await writer.append(batchOf(records));
  await writer.close();
  return offsets;
}

const values = async (path = log) => (await readAll(await logSource(path))).map(({ value }) => value);
const segmentsOf = async (partition: number, path = log) => {
  const folder = join(path, `p0000${partition}`);
  return (await readdir(folder)).sort().map((name) => join(folder, name));
};

test('both ways to the checksum agree', () => {
  expect(crc32ByTable(Buffer.from('123456789'), 0, 9)).toBe(0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, start) => {
      const from = Math.min(start, bytes.length);
      expect(crc32ByTable(bytes, from, bytes.length)).toBe(crc32(bytes, from, bytes.length));
    }),
  );
});

test('a last write cut off at any byte is not read, and the next writer goes on in its place', async () => {
  await write([
    { partition: 0, value: 'one' },
    { partition: 0, value: 'two' },
  ]);
  const [segment] = await segmentsOf(0);
  const whole = (await stat(segment)).size;
  await write([
    { partition: 0, value: 'three', key: 'k' },
    { partition: 0, value: 'four' },
  ]);
  const end = (await stat(segment)).size;
  for (let cut = whole; cut < end; cut++) {
    const copy = join(directory.path, `cut-${cut}`);
    await cp(log, copy, { recursive: true });
    const [torn] = await segmentsOf(0, copy);
    await truncate(torn, cut);
    expect(await values(copy)).toEqual(['one', 'two']);
    const writer = await openLogWriter(copy, { partitions: 1 });
    expect((await stat(torn)).size).toBe(whole);
    expect([...(await writer.append(batchOf([{ partition: 0, value: 'three again' }])))]).toEqual([2]);
    await writer.close();
    expect(await values(copy)).toEqual(['one', 'two', 'three again']);
  }
});

test('a last write of which any one byte is wrong is not read', async () => {
  await write([{ partition: 0, value: 'one' }]);
  const [segment] = await segmentsOf(0);
  const whole = (await stat(segment)).size;
  await write([{ partition: 0, value: 'two', key: 'k' }]);
  const sound = await readFile(segment);
  for (let at = whole; at < sound.length; at++) {
    const wrong = Buffer.from(sound);
    wrong[at] ^= 0x10;
    await writeFile(segment, wrong);
    expect(await values()).toEqual(['one']);
  }
});

test('zeros behind the last frame, as a power cut leaves them, are no records', async () => {
  await write([{ partition: 0, value: 'one' }]);
  const [segment] = await segmentsOf(0);
  await appendFile(segment, Buffer.alloc(100_000));
  expect(await values()).toEqual(['one']);
  await write([{ partition: 0, value: 'two' }]);
  expect(await values()).toEqual(['one', 'two']);
});

test('damage to records that were safe is an error, for readers and writers, and never skipped', async () => {
  const writer = await openLogWriter(log, { partitions: 1 });
  for (const value of ['one', 'two', 'three']) {
    await writer.append(batchOf([{ partition: 0, value }]));
    await writer.flush();
  }
  await writer.close();
  const [segment] = await segmentsOf(0);
  const bytes = await readFile(segment);
  bytes[bytes.indexOf('two')] ^= 1;
  await writeFile(segment, bytes);
  await expect(values()).rejects.toThrow(/damaged: the record at offset 1 can't be read/);
  await expect(openLogWriter(log, { partitions: 1 })).rejects.toThrow(/damaged/);
  await expect(readRecords(log, 0, [1])).rejects.toThrow(/damaged/);
});

test('damage at the end of a finished segment is an error', async () => {
  const writer = await openLogWriter(log, { partitions: 1, segmentBytesMax: 1 });
  for (const value of ['one', 'two']) await writer.append(batchOf([{ partition: 0, value }]));
  await writer.close();
  const [first] = await segmentsOf(0);
  await truncate(first, (await stat(first)).size - 8);
  await expect(values()).rejects.toThrow(/damaged/);
});

test('the number of partitions is fixed when the log is made', async () => {
  await createLog(log, 3);
  await createLog(log, 3);
  await expect(openLogWriter(log, { partitions: 4 })).rejects.toThrow(/has 3 partitions, but 4/);
  expect((await logSource(log)).partitionCount).toBe(3);
  await expect(logSource(join(log, 'elsewhere'))).rejects.toThrow(/there is no log/);
});

test('a log from a newer version is refused', async () => {
  await createLog(log, 1);
  await writeFile(join(log, 'log.json'), '{"version":2,"partitions":1,"id":"x"}');
  await expect(logSource(log)).rejects.toThrow(/newer click-agg/);
  await expect(openLogWriter(log, { partitions: 1 })).rejects.toThrow(/newer click-agg/);
});

test('values too long are cut with their true length kept', async () => {
  const long = Buffer.alloc(RECORD_BYTES_MAX + 5, 'y');
  await write([
    { partition: 0, value: 'a', key: 'k' },
    { partition: 0, value: long },
    { partition: 0, value: 'b' },
  ]);
  const source = await logSource(log);
  const lengths: [number, number | undefined][] = [];
  const signal = new AbortController().signal;
  for await (const batch of source.read({ positions: new Map(), untilEnd: true, signal })) {
    for (let i = 0; i < batch.count; i++) {
      lengths.push([batch.valueEnd[i] - batch.valueStart[i], batch.cutValueBytes?.get(i)]);
    }
  }
  expect(lengths).toEqual([
    [1, undefined],
    [RECORD_BYTES_MAX, RECORD_BYTES_MAX + 5],
    [1, undefined],
  ]);
  const [record] = await readRecords(log, 0, [1]);
  expect([record.value.length, record.valueBytes]).toEqual([RECORD_BYTES_MAX, RECORD_BYTES_MAX + 5]);
});

test('single records are fetched by offset, from any segment', async () => {
  const records = Array.from({ length: 100 }, (_, i) => ({
    partition: 0,
    value: `v${i}`,
    key: `k${i}`,
    appendTimeMs: i,
  }));
  const writer = await openLogWriter(log, { partitions: 1, segmentBytesMax: 500 });
  for (let i = 0; i < 100; i += 7) await writer.append(batchOf(records.slice(i, i + 7)));
  await writer.close();
  const found = await readRecords(log, 0, [99, 0, 42, 42, 1000]);
  expect(
    found.map(({ offset, value, key, appendTimeMs }) => [
      offset,
      String(Buffer.from(value)),
      String(Buffer.from(key ?? [])),
      appendTimeMs,
    ]),
  ).toEqual([
    [0, 'v0', 'k0', 0],
    [42, 'v42', 'k42', 42],
    [99, 'v99', 'k99', 99],
  ]);
});

/** Ten segments of one record of 1,000 bytes, a minute apart. */
async function tenSegments() {
  const writer = await openLogWriter(log, { partitions: 1, segmentBytesMax: 1 });
  for (let i = 0; i < 10; i++) {
    await writer.append(batchOf([{ partition: 0, value: 'x'.repeat(1000), appendTimeMs: i * 60_000 }]));
  }
  await writer.close();
}

test('retention by age deletes whole old segments, and says so to who stood in one', async () => {
  await tenSegments();
  expect(await applyRetention(log, { maxAgeMs: 300_000, nowMs: 9 * 60_000 })).toBeGreaterThan(0);
  const source = await logSource(log);
  const offsets = (await readAll(source)).map(({ offset }) => offset);
  expect(offsets).toEqual([3, 4, 5, 6, 7, 8, 9]);
  await expect(readAll(source, { positions: new Map([[0, 2]]) })).rejects.toThrow(
    /partition 0 of the log begins at offset 3 now, but 2 was asked for/,
  );
  await expect(readAll(source, { positions: new Map([[0, 2]]) })).rejects.toThrow(UserError);
  expect(await readRecords(log, 0, [0])).toEqual([]);
});

test('retention by size deletes the oldest segments, never the last', async () => {
  await tenSegments();
  await applyRetention(log, { maxBytes: 3500, nowMs: 0 });
  expect(await segmentsOf(0)).toHaveLength(3);
  await applyRetention(log, { maxBytes: 0, maxAgeMs: 0, nowMs: 1e15 });
  expect(await segmentsOf(0)).toHaveLength(1);
  expect([...(await write([{ partition: 0, value: 'next' }]))]).toEqual([10]);
});

test('a follower that retention overtakes is told, and sees no gap', async () => {
  await tenSegments();
  const source = await logSource(log);
  const seen: number[] = [];
  const reading = (async () => {
    const signal = new AbortController().signal;
    for await (const batch of source.read({ positions: new Map(), untilEnd: false, signal })) {
      seen.push(...batch.offset.subarray(0, batch.count));
      if (seen.length === 1) await applyRetention(log, { maxBytes: 3500, nowMs: 0 });
    }
  })();
  await expect(reading).rejects.toThrow(/begins at offset 7 now, but 1 was asked for/);
  expect(seen).toEqual([0]);
});

test('the writer applies its retention when it finishes a segment', async () => {
  const writer = await openLogWriter(log, {
    partitions: 1,
    segmentBytesMax: 1000,
    retention: { maxBytes: 5000 },
  });
  for (let i = 0; i < 50; i++) await writer.append(batchOf([{ partition: 0, value: 'x'.repeat(1000) }]));
  await writer.close();
  expect((await segmentsOf(0)).length).toBeLessThan(7);
});

test('a position beyond the end is an error, not a wait for other records', async () => {
  await write([{ partition: 0, value: 'one' }]);
  const source = await logSource(log);
  expect(await readAll(source, { positions: new Map([[0, 1]]) })).toEqual([]);
  await expect(readAll(source, { positions: new Map([[0, 2]]) })).rejects.toThrow(/ends at offset 1, but 2/);
});

test('partitions come in the order of their append times', async () => {
  const writer = await openLogWriter(log, { partitions: 3 });
  const partitionOfMinute = (minute: number) => (minute < 60 ? minute % 3 : 2);
  for (const partition of [2, 0, 1]) {
    for (let minute = 0; minute < 90; minute++) {
      if (partitionOfMinute(minute) !== partition) continue;
      const record = { partition, value: 'x'.repeat(10_000), appendTimeMs: minute * 60_000 };
      await writer.append(batchOf(Array.from({ length: 100 }, () => record)));
    }
  }
  await writer.close();
  const read = await readAll(await logSource(log));
  const times = read.map(({ appendTimeMs }) => appendTimeMs);
  let newest = 0;
  for (const time of times) {
    expect(newest - time).toBeLessThanOrEqual(3 * 60_000);
    newest = Math.max(newest, time);
  }
  expect(read).toHaveLength(9000);
});
