// What ends up in the lake, record by record, and that starting again adds nothing twice.
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock } from '../../src/adapters/embedded/lock.js';
import { compactLake } from '../../src/lake/compact.js';
import { stagedPath, writerLockPath } from '../../src/lake/layout.js';
import { CHECKPOINT_COMMITS } from '../../src/lake/manifest.js';
import { lakeFiles, lakePositions, openLake } from '../../src/lake/read-lake.js';
import { verifyLake } from '../../src/lake/verify.js';
import { partitionOfBareLine } from '../oracle/bare-lines.js';
import {
  clickValue,
  parquetFiles,
  removeFolder,
  rowsByGlob,
  rowsByManifest,
  sourceOf,
  type TestRecord,
  temporaryFolder,
  write,
} from './lakes.js';

const HOUR_MS = 3_600_000;
const TEN_MS = Date.parse('2026-02-22T10:00:00Z');
let lakeDir: string;

beforeEach(() => {
  lakeDir = join(temporaryFolder(), 'lake');
});
afterEach(() => removeFolder(dirname(lakeDir)));

/** Clicks of two partitions over three hours. */
function clicks(count: number, from = 0): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    partition: (from + i) % 2,
    offset: Math.floor((from + i) / 2),
    value: clickValue({
      click_id: `c-${from + i}`,
      event_time: TEN_MS + (((from + i) * 1_000_003) % (3 * HOUR_MS)),
    }),
    key: Buffer.from('ad-1'),
    appendTimeMs: TEN_MS + from + i,
  }));
}

test('a sound record has every field in its column and lies in the hour of its event time', async () => {
  const optional = { user_agent: 'Mözilla/5.0 "x"', referrer: '', impression_id: 'i-1' };
  const value = clickValue({ ...optional, event_time: '2026-02-22T23:30:00.5+01:00', more: { a: [1] } });
  await write(lakeDir, [{ partition: 4, offset: 17, value, key: Buffer.from('ad-1'), appendTimeMs: TEN_MS }]);

  expect(parquetFiles(lakeDir)).toEqual([
    'dt=2026-02-22/hour=22/p00004-o000000000000017-000000000000017-c000000000001.parquet',
  ]);
  expect(await rowsByGlob(lakeDir)).toEqual([
    {
      partition: 4,
      offset: 17,
      append_time: TEN_MS,
      key: null,
      click_id: 'c-1',
      event_time: Date.parse('2026-02-22T22:30:00.500Z'),
      ad_id: 'ad-1',
      campaign_id: 'camp-1',
      user_id: 'u-1',
      ip_address: '192.0.2.1',
      country: 'DE',
      device_type: 'mobile',
      ...optional,
      extra: '{"more":{"a":[1]}}',
      malformed: null,
      value: null,
      value_bytes: value.length,
    },
  ]);
});

test('fields beside those of the count are kept as one object, whichever way a record is read', async () => {
  const beside = [
    { invalid_traffic: 'data centre' },
    { received_at: '2026-02-22T10:00:00.000Z', link_campaign_id: 'c/é' },
    { link_campaign_id: 'first', received_at: 'then', invalid_traffic: '' },
    { invalid_traffic: 'robot', seen: true },
    { invalid_traffic: 'a "robot"' },
  ];
  const records = beside.map((fields, offset) => ({
    ...{ partition: 0, offset, value: clickValue(fields), key: Buffer.from('ad-1') },
  }));
  await write(lakeDir, records);
  expect(await rowsByGlob(lakeDir, '"offset", malformed, extra')).toEqual(
    beside.map((fields, offset) => ({ offset, malformed: null, extra: JSON.stringify(fields) })),
  );
});

test('a malformed record keeps its bytes and lies in the hour of its append time, or in 1970', async () => {
  const garbage = Buffer.from([0xff, 0x00, 0x0a, 0x7b]);
  const tooLong = Buffer.alloc(1_500_000, 0x20);
  await write(lakeDir, [
    { partition: 0, offset: 0, value: garbage, appendTimeMs: TEN_MS },
    { partition: 0, offset: 1, value: clickValue({ country: 'de' }), key: Buffer.from('other') },
    { partition: 0, offset: 2, value: tooLong, appendTimeMs: TEN_MS },
    { partition: 0, offset: 3, value: clickValue({ user_agent: 'a\nb' }), key: Buffer.from('ad-1') },
    { partition: 0, offset: 4, value: clickValue(), key: Buffer.from([0xff, 0x0a]) },
  ]);
  const folders = new Set(parquetFiles(lakeDir).map((path) => dirname(path)));
  expect(folders).toEqual(new Set(['dt=2026-02-22/hour=10', 'dt=1970-01-01/hour=00']));
  const columns = '"offset", malformed, ad_id, "key", "value", value_bytes';
  expect(await rowsByGlob(lakeDir, columns)).toEqual([
    {
      offset: 0,
      malformed: 'not_json',
      ad_id: null,
      key: null,
      value: garbage.toString('hex'),
      value_bytes: 4,
    },
    {
      offset: 1,
      malformed: 'country',
      ad_id: 'ad-1',
      key: Buffer.from('other').toString('hex'),
      value: clickValue({ country: 'de' }).toString('hex'),
      value_bytes: clickValue().length,
    },
    {
      offset: 2,
      malformed: 'too_long',
      ad_id: null,
      key: null,
      value: tooLong.subarray(0, 1 << 20).toString('hex'),
      value_bytes: 1_500_000,
    },
    {
      offset: 3,
      malformed: null,
      ad_id: 'ad-1',
      key: null,
      value: null,
      value_bytes: clickValue({ user_agent: 'a\nb' }).length,
    },
    { offset: 4, malformed: null, ad_id: 'ad-1', key: 'ff0a', value: null, value_bytes: clickValue().length },
  ]);
});

test('bare lines go to the partition of their ad, whatever it is hidden behind', async () => {
  const lines = [
    clickValue({ ad_id: 'ad-2' }),
    clickValue({ click_id: '"ad_id":"no"', ad_id: 'ad-3' }),
    Buffer.from(clickValue({ ad_id: 'ad-4' }).toString().replace('"ad_id"', '"\\u0061d_id"')),
    Buffer.from(clickValue({ ad_id: 'ä' }).toString().replace('ä', '\\u00e4')),
    clickValue({ ad_id: '' }),
    clickValue({ country: 'x', ad_id: 'ad-5' }),
    Buffer.from('{"ad_id":"ad-6"'),
    Buffer.from(`{"n":{"ad_id":"ad-7"},${clickValue({ ad_id: 'ad-8' }).toString().slice(1)}`),
    Buffer.from(
      JSON.stringify(JSON.parse(clickValue({ ad_id: 'ad-9' }).toString()), null, 1).replaceAll('\n', ''),
    ),
  ];
  await write(
    lakeDir,
    lines.map((value, offset) => ({ partition: -1, offset, value })),
  );
  const rows = await rowsByGlob(lakeDir, 'partition, "offset"');
  expect(new Map(rows.map(({ partition, offset }) => [offset, partition]))).toEqual(
    new Map(lines.map((line, offset) => [offset, partitionOfBareLine(line, 6)])),
  );
  expect(await lakePositions(lakeDir)).toEqual(
    new Map([0, 1, 2, 3, 4, 5].map((partition) => [partition, 9])),
  );
});

test('starting again goes on where it ended, and with nothing new it writes nothing', async () => {
  const all = clicks(2000);
  const first = await write(lakeDir, all.slice(0, 777), { flushRecords: 100 });
  expect(first).toMatchObject({ records: 777, committed: 777, commits: 8 });
  expect(await write(lakeDir, all)).toMatchObject({ records: 1223, committed: 1223 });
  expect(await write(lakeDir, all)).toMatchObject({ records: 0, commits: 0 });
  const rows = await rowsByGlob(lakeDir, 'partition, "offset", click_id');
  expect(rows).toHaveLength(2000);
  expect(new Set(rows.map(({ click_id }) => click_id)).size).toBe(2000);
  expect(await lakePositions(lakeDir)).toEqual(
    new Map([
      [0, 1000],
      [1, 1000],
    ]),
  );
});

test('a source that gives a record twice adds it once', async () => {
  const all = clicks(10);
  await write(lakeDir, [...all, ...all.slice(4)]);
  expect(await rowsByGlob(lakeDir)).toHaveLength(10);
});

test('records flush by time while the log is quiet', async () => {
  const stop = new AbortController();
  const records = clicks(5);
  const source = {
    partitionCount: 2,
    seekable: true,
    description: 'test',
    ends: async () => new Map(),
    close: async () => {},
    async *read() {
      yield* sourceOf(records).read({ positions: new Map(), untilEnd: true, signal: stop.signal });
      await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
    },
  };
  await write(lakeDir, [], {
    source,
    signal: stop.signal,
    untilEnd: false,
    flushIntervalMs: 100,
    onProgress: ({ committed }) => committed === 5 && stop.abort(),
  });
  expect(await rowsByManifest(lakeDir)).toHaveLength(5);
});

test('many commits leave a bounded manifest', async () => {
  const all = clicks(CHECKPOINT_COMMITS + 10);
  await write(lakeDir, all, { flushRecords: 1 });
  const names = readdirSync(join(lakeDir, '_commits'));
  expect(names).toHaveLength(11);
  expect(names).toContain(`${String(CHECKPOINT_COMMITS).padStart(12, '0')}.checkpoint.json`);
  expect(await rowsByManifest(lakeDir)).toHaveLength(all.length);
  expect(await verifyLake({ lake: lakeDir })).toMatchObject({ ok: true, records: all.length });
});

test('a commit that was cut off before its files were in place counts, and the next start places them', async () => {
  await write(lakeDir, clicks(50));
  const [file] = await lakeFiles(lakeDir);
  const staged = stagedPath(lakeDir, 1, file!.path);
  mkdirSync(dirname(staged), { recursive: true });
  renameSync(join(lakeDir, file!.path), staged);
  expect(await rowsByManifest(lakeDir)).toHaveLength(50);
  mkdirSync(join(lakeDir, '_staging/000000000002'), { recursive: true });
  writeFileSync(join(lakeDir, '_staging/000000000002/torn.parquet'), 'PAR1');
  await write(lakeDir, clicks(50));
  expect(await rowsByGlob(lakeDir)).toHaveLength(50);
  expect(readdirSync(lakeDir)).not.toContain('_staging');
});

test('compaction merges the files of an hour and partition, and changes no row', async () => {
  const all = clicks(1000);
  await write(lakeDir, all, { flushRecords: 100 });
  const before = await rowsByGlob(lakeDir);
  expect(parquetFiles(lakeDir)).toHaveLength(60);
  expect(await compactLake({ lake: lakeDir, olderThanMs: HOUR_MS })).toMatchObject({ merges: 0 });
  expect(await compactLake({ lake: lakeDir, olderThanMs: 0 })).toMatchObject({
    filesBefore: 60,
    filesAfter: 6,
    records: 1000,
  });
  expect(parquetFiles(lakeDir)).toHaveLength(6);
  expect(await rowsByGlob(lakeDir)).toEqual(before);
  expect(await verifyLake({ lake: lakeDir })).toMatchObject({ ok: true, files: 6, rowsRead: 1000 });
  expect(await write(lakeDir, all)).toMatchObject({ records: 0 });
});

test('compaction waits for a reader at work', async () => {
  await write(lakeDir, clicks(100), { flushRecords: 20 });
  const lake = await openLake(lakeDir);
  expect(await compactLake({ lake: lakeDir, olderThanMs: 0 })).toMatchObject({ merges: 0, postponed: true });
  lake.release();
  expect(await compactLake({ lake: lakeDir, olderThanMs: 0 })).toMatchObject({ postponed: false });
  expect(await rowsByGlob(lakeDir)).toHaveLength(100);
});

test('a period picks the files that may hold its records', async () => {
  await write(lakeDir, clicks(300));
  const lake = await openLake(lakeDir);
  expect(lake.paths()).toHaveLength(6);
  expect(lake.paths({ fromMs: TEN_MS + HOUR_MS, toMs: TEN_MS + 2 * HOUR_MS })).toHaveLength(2);
  expect(lake.paths({ fromMs: undefined, toMs: TEN_MS })).toHaveLength(0);
  lake.release();
});

test('another log, another kind of log, another partition count and another writer are refused in a line', async () => {
  await write(lakeDir, clicks(10), { sourceIdentity: 'log a' });
  await expect(write(lakeDir, clicks(20), { sourceIdentity: 'log b' })).rejects.toThrow(
    /from another log or file/,
  );
  await write(lakeDir, clicks(20), { sourceIdentity: 'log b', continuesIdentity: 'log a' });
  const bare = [{ partition: -1, offset: 100, value: clickValue() }];
  await expect(write(lakeDir, bare)).rejects.toThrow(
    /holds records with partition and offset; the input gives bare/,
  );
  const bareDir = `${lakeDir}-bare`;
  await write(bareDir, bare);
  await expect(write(bareDir, bare, { partitions: 3 })).rejects.toThrow(/written with 6 partitions, not 3/);
  const lock = await takeLock(writerLockPath(bareDir), 'held');
  await expect(write(bareDir, bare)).rejects.toThrow(/is being written by another process/);
  lock.release();
});

test('a disk that fails is told in one line', async () => {
  writeFileSync(`${lakeDir}-file`, '');
  await expect(write(join(`${lakeDir}-file`, 'lake'), clicks(1))).rejects.toThrow(
    /^can't write .*: (ENOTDIR|EEXIST)$/,
  );
});
