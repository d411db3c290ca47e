// The lake on a real S3 server: the same records as in a folder, whole commits only, one writer, and readers that
// keep what they opened.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PART_BYTES } from '../../src/adapters/s3/bucket.js';
import { LakeTakenError } from '../../src/errors.js';
import { compactLake } from '../../src/lake/compact.js';
import { CHECKPOINT_COMMITS, readState } from '../../src/lake/manifest.js';
import { openLake } from '../../src/lake/read-lake.js';
import { S3Layout } from '../../src/lake/s3-layout.js';
import { lakeStatus } from '../../src/lake/status.js';
import { openStorage, type S3Place } from '../../src/lake/storage.js';
import { verifyLake } from '../../src/lake/verify.js';
import { WriterSeat } from '../../src/lake/writer-seat.js';
import { clickAgg } from '../cli/click-agg.js';
import { SERVICE_START_MS, service } from '../services.js';
import {
  clickValue,
  removeFolder,
  rowsByGlob,
  rowsByManifest,
  rowsFrom,
  type TestRecord,
  temporaryFolder,
  write,
} from './lakes.js';
import { makeBucket, type TestBucket } from './s3-lakes.js';

const TEN_MS = Date.parse('2026-02-22T10:00:00Z');
const HOUR_MS = 3_600_000;
const folder = temporaryFolder();
let s3: TestBucket;
let lakes = 0;

beforeAll(async () => {
  s3 = await makeBucket(await service('s3'));
}, SERVICE_START_MS);
afterAll(() => removeFolder(folder));

/** A lake of its own, with an empty cache. */
function newPlace(): S3Place {
  lakes++;
  return s3.place(`lakes/no ${lakes}`, join(folder, `cache-${lakes}`));
}

function clicks(count: number, malformed = false): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    partition: i % 2,
    offset: Math.floor(i / 2),
    value:
      malformed && i % 10 === 3
        ? Buffer.from('garbage')
        : clickValue({ click_id: `c-${i}`, event_time: TEN_MS + ((i * 1_000_003) % (3 * HOUR_MS)) }),
    appendTimeMs: TEN_MS + i,
  }));
}

async function rowsByFolders(place: S3Place, columns = '*') {
  const copy = join(folder, 'copy');
  rmSync(copy, { recursive: true, force: true });
  await s3.mirror(place, copy);
  return rowsByGlob(copy, columns);
}

test('holds what a lake in a folder holds, by the manifest and by the folders', async () => {
  const place = newPlace();
  const lakeDir = join(folder, 'in-a-folder');
  const records = clicks(600, true);
  await write(lakeDir, records, { flushRecords: 150 });
  await write(lakeDir, records.slice(0, 300), { lake: place, flushRecords: 150 });
  expect(await write(lakeDir, records, { lake: place, flushRecords: 150 })).toMatchObject({ records: 300 });
  const rows = await rowsByGlob(lakeDir);
  expect(rows).toHaveLength(600);
  expect(await rowsByManifest(place)).toEqual(rows);
  expect(await rowsByFolders(place)).toEqual(rows);
  expect(await verifyLake({ lake: place })).toMatchObject({
    ok: true,
    problems: [],
    rowsRead: 600,
    malformed: 60,
  });
  const { paths } = await lakeStatus(place);
  expect(paths[0]).toMatch(/^s3:\/\/lake-.*\/lakes\/no \d+\/dt=2026-02-22\/hour=10\/p00000-.*\.parquet$/);
});

test('compaction changes no row, and who opened the lake before it can still read it', async () => {
  const place = newPlace();
  await write('', clicks(400), { lake: place, flushRecords: 50 });
  const before = await rowsByManifest(place);
  const reader = await openLake({ ...place, cacheDir: join(folder, 'cache-of-reader') });
  expect(await compactLake({ lake: place, olderThanMs: 0 })).toMatchObject({ filesAfter: 6, records: 400 });
  await reader.fetch();
  expect(await rowsFrom(reader.relation())).toEqual(before);
  reader.release();
  expect(await rowsByFolders(place)).toEqual(before);
  expect(await verifyLake({ lake: place })).toMatchObject({ ok: true, files: 6, rowsRead: 400 });
});

test('a commit that was cut off before its files were in place counts, and the next start places them', async () => {
  const place = newPlace();
  const layout = new S3Layout(place.prefix);
  await write('', clicks(50), { lake: place });
  const { files } = await readState(await openStorage(place));
  for (const { path, sha256 } of files.values()) {
    await s3.bucket.copy(layout.key(path), layout.staged(1, sha256));
    await s3.bucket.remove([layout.key(path)]);
  }
  await s3.bucket.put(layout.staged(2, 'torn'), 'PAR1');
  await s3.bucket.put(`${layout.staging}000000000003/of-a-writer-at-work.parquet`, 'PAR1');
  expect(await rowsByManifest(place)).toHaveLength(50);
  expect(await rowsByFolders(place)).toHaveLength(0);
  await write('', clicks(50), { lake: place });
  expect(await rowsByFolders(place)).toHaveLength(50);
  const left: string[] = [];
  for await (const { key } of s3.bucket.list(layout.staging)) left.push(key);
  expect(left, 'what nobody can commit any more is gone').toEqual([
    `${layout.staging}000000000003/of-a-writer-at-work.parquet`,
  ]);
});

test('of writers at the same time one at a time commits, and each record is there once', async () => {
  const place = newPlace();
  const records = clicks(400);
  const outcomes = await Promise.allSettled(
    [0, 1, 2].map(() => write('', records, { lake: place, flushRecords: 40 })),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LakeTakenError);
  }
  expect(
    outcomes.some(({ status }) => status === 'rejected'),
    'they met',
  ).toBe(true);
  expect(
    outcomes.some(({ status }) => status === 'fulfilled'),
    'the last one to start went on',
  ).toBe(true);
  const places = (rows: { partition?: unknown; offset?: unknown }[]): string[] =>
    rows.map(({ partition, offset }) => `${partition}/${offset}`).sort();
  const expected = places(records);
  expect(places(await rowsByManifest(place))).toEqual(expected);
  expect(places(await rowsByFolders(place))).toEqual(expected);
  expect(await verifyLake({ lake: place })).toMatchObject({ ok: true, problems: [] });
});

test('a writer that slept while another one went on can commit nothing, whatever was summed up since', async () => {
  const place = newPlace();
  await write('', clicks(10), { lake: place });
  const storage = await openStorage(place);
  const sleeper = await WriterSeat.take(storage);
  const { log, partitions } = sleeper.state;
  const nothing = {
    kind: 'flush',
    methodHash: null,
    log: log!,
    partitions: [...partitions.values()],
  } as const;
  const other = await WriterSeat.take(storage);
  await expect(sleeper.commit({ ...nothing, add: [], remove: [] })).rejects.toThrow(
    /another process has taken over the writing of the lake s3:/,
  );
  for (let i = 0; i < CHECKPOINT_COMMITS + 3; i++) await other.commit({ ...nothing, add: [], remove: [] });
  const before = await readState(storage);
  expect(before.checkpoint, 'the number that the sleeper wants is free again').toBeGreaterThan(
    sleeper.state.commit,
  );
  await expect(sleeper.commit({ ...nothing, add: [], remove: [] })).rejects.toThrow(LakeTakenError);
  expect(await readState(storage)).toEqual(before);
  sleeper.release();
  other.release();
});

test('a changed and a missing object are found, also where they were fetched before', async () => {
  const place = newPlace();
  await write('', clicks(50), { lake: place });
  expect(await verifyLake({ lake: place })).toMatchObject({ ok: true });
  const [changed, missing] = [...(await readState(await openStorage(place))).files.keys()] as [
    string,
    string,
  ];
  const layout = new S3Layout(place.prefix);
  await s3.bucket.put(layout.key(changed), 'PAR1');
  await s3.bucket.remove([layout.key(missing)]);
  await s3.bucket.put(layout.key('dt=2026-02-22/hour=10/stranger.parquet'), 'PAR1');
  const { problems } = await verifyLake({ lake: place });
  expect(problems).toContain(`${changed} was changed: its checksum differs`);
  expect(problems.join('\n')).toContain(`${missing} is missing in s3://`);
  expect(problems).toContain('dt=2026-02-22/hour=10/stranger.parquet belongs to no commit');
});

test('a large file goes up in parts and comes down whole', async () => {
  const path = join(folder, 'large');
  const bytes = randomBytes(2 * PART_BYTES + 12_345);
  writeFileSync(path, bytes);
  await s3.bucket.upload(path, 'large');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  expect(await s3.bucket.download('large', `${path}-back`)).toBe(sha256);
  expect(readFileSync(`${path}-back`).equals(bytes)).toBe(true);
  expect(await s3.bucket.putIfAbsent('large', 'another')).toBe(false);
});

test('a wrong bucket, wrong credentials, a wrong endpoint: a line each', async () => {
  const place = newPlace();
  const status = (at: S3Place, env: Record<string, string> = {}) =>
    clickAgg(['lake', 'status', ...s3.options(at)], { env: { ...s3.env, ...env } });
  const wrong = await Promise.all([
    status(place),
    status({ ...place, bucket: 'no-such-bucket' }),
    status(place, { AWS_ACCESS_KEY_ID: 'nobody' }),
    status(place, { AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' }),
    status({ ...place, bucket: 'UPPER' }),
    clickAgg(
      [
        'lake',
        'status',
        '--lake',
        's3://some/where',
        '--s3-endpoint',
        'http://127.0.0.1:1',
        '--s3-path-style',
      ],
      { env: s3.env },
    ),
    clickAgg(['lake', 'status', '--lake', 's3://some/where', '--s3-endpoint', 'http://a:secret@host/'], {}),
  ]);
  const lines = wrong.map(({ code, stderr }) => `${code} ${stderr.split('\n')[0]}`);
  expect(lines).toEqual([
    expect.stringMatching(/^1 .*there is no lake in s3:\/\/lake-/),
    expect.stringMatching(/^1 .*there is no bucket no-such-bucket in S3 at http/),
    expect.stringMatching(/^1 .*S3 at http.* refused the credentials: InvalidAccessKeyId/),
    expect.stringMatching(/^1 .*S3 at http.* refused the credentials: SignatureDoesNotMatch/),
    expect.stringMatching(/^2 .*UPPER is no name of a bucket/),
    expect.stringMatching(/^1 .*can't reach S3 at http:\/\/127.0.0.1:1: ECONNREFUSED/),
    expect.stringMatching(/^2 .*--s3-endpoint/),
  ]);
  expect(JSON.stringify(wrong)).not.toMatch(/a-wrong-secret|a:secret|\bat .*\.js:/);
});
