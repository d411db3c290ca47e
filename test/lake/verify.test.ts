// What `lake verify` finds: each kind of damage that a disk, a person or another program can do.
import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openParquet } from '../../src/lake/parquet-file.js';
import { verifyLake } from '../../src/lake/verify.js';
import { clickValue, parquetFiles, randomOf, removeFolder, temporaryFolder, write } from './lakes.js';

const SEED = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);
const FLIPS = 100;
let lakeDir: string;

beforeEach(async () => {
  lakeDir = join(temporaryFolder(), 'lake');
  const records = Array.from({ length: 300 }, (_, i) => ({
    partition: i % 3,
    offset: Math.floor(i / 3),
    value:
      i % 50 === 7 ? Buffer.from('garbage') : clickValue({ click_id: `c-${i}`, user_agent: 'u'.repeat(i) }),
  }));
  await write(lakeDir, records, { flushRecords: 150 });
});
afterEach(() => removeFolder(dirname(lakeDir)));

const firstFile = (): string => parquetFiles(lakeDir).find((path) => path.includes('dt=2026'))!;
const manifestPath = (): string => join(lakeDir, '_commits/000000000002.json');
const editManifest = (from: RegExp, to: string): void => {
  const text = readFileSync(manifestPath(), 'utf8');
  expect(text).toMatch(from);
  writeFileSync(manifestPath(), text.replace(from, to));
};

test('a sound lake has no problems', async () => {
  const result = await verifyLake({ lake: lakeDir });
  expect(result).toMatchObject({ ok: true, problems: [], records: 300, malformed: 6, rowsRead: 300 });
  expect(result.filesRead).toBe(result.files);
});

test('a sample reads the rows of some files and the checksums of all', async () => {
  expect(await verifyLake({ lake: lakeDir, sample: 2 })).toMatchObject({
    ok: true,
    filesRead: 2,
    records: 300,
  });
});

test('a garbled byte is found', async () => {
  const path = join(lakeDir, firstFile());
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
  const { ok, problems } = await verifyLake({ lake: lakeDir, sample: 0 });
  expect(ok).toBe(false);
  expect(problems[0]).toMatch(/was changed: its checksum differs/);
});

test(`whatever bits are flipped, reading it ends (seed ${SEED})`, async () => {
  const path = join(lakeDir, firstFile());
  const sound = readFileSync(path);
  const random = randomOf(SEED);
  let read = 0;
  let refused = 0;
  for (let i = 0; i < FLIPS; i++) {
    const bytes = Buffer.from(sound);
    const at = Math.floor(random() * bytes.length);
    bytes[at]! ^= 1 << Math.floor(random() * 8);
    writeFileSync(path, bytes);
    try {
      const parquet = await openParquet(path);
      try {
        for await (const group of parquet.rowGroups()) expect(group.length).toBeGreaterThan(0);
      } finally {
        await parquet.close();
      }
      read++;
    } catch (error) {
      expect(error, `bit flipped in byte ${at}`).toBeInstanceOf(Error);
      refused++;
    }
  }
  expect(read + refused).toBe(FLIPS);
  expect(refused, 'much damage is seen even without the checksum').toBeGreaterThan(FLIPS / 5);
});

test('a cut file is found', async () => {
  truncateSync(join(lakeDir, firstFile()), 100);
  const { problems } = await verifyLake({ lake: lakeDir });
  expect(problems.join('\n')).toMatch(/has 100 bytes, the manifest says \d+/);
  expect(problems.join('\n')).toMatch(/can't be read as Parquet/);
});

test('a removed file is found', async () => {
  rmSync(join(lakeDir, firstFile()));
  expect((await verifyLake({ lake: lakeDir })).problems).toEqual(
    [`${firstFile() ?? ''}`].map(() => expect.stringMatching(/is missing/)),
  );
});

test('a doubled file is found', async () => {
  const path = join(lakeDir, firstFile());
  copyFileSync(path, path.replace('.parquet', '-copy.parquet'));
  expect((await verifyLake({ lake: lakeDir })).problems).toEqual([
    expect.stringMatching(/-copy\.parquet belongs to no commit/),
  ]);
});

test('a row count that differs from the manifest is found', async () => {
  editManifest(/"records":49,"malformed"/, '"records":50,"malformed"');
  const { ok, problems } = await verifyLake({ lake: lakeDir });
  expect(ok).toBe(false);
  expect(problems.join('\n')).toMatch(/has 49 rows, the manifest says 50/);
  expect(problems.join('\n')).toMatch(/the files hold \d+ records, 100 were taken from the log/);
});

test('records that were lost from the manifest are found', async () => {
  editManifest(/\{"path":"dt=2026[^}]*\},/, '');
  const { problems } = await verifyLake({ lake: lakeDir });
  expect(problems.join('\n')).toMatch(/belongs to no commit/);
  expect(problems.join('\n')).toMatch(/were taken from the log/);
});

test('a manifest with a missing entry is refused in one line', async () => {
  rmSync(join(lakeDir, '_commits/000000000001.json'));
  await expect(verifyLake({ lake: lakeDir })).rejects.toThrow(
    /manifest is damaged: .*000000000001\.json is missing/,
  );
});

test('a folder without a lake is refused in one line', async () => {
  await expect(verifyLake({ lake: join(lakeDir, 'none') })).rejects.toThrow(/there is no lake/);
});
