// The lake as pyarrow reads it: a reader that knows the folders and nothing of the manifest. pyarrow comes from PyPI, once
// a machine.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { compactLake } from '../../src/lake/compact.js';
import { lakeStatus } from '../../src/lake/status.js';
import { debianPackage, madeOnce } from '../../src/services/fetching.js';
import { SERVICE_START_MS, service } from '../services.js';
import { clickValue, removeFolder, type TestRecord, temporaryFolder, write } from './lakes.js';
import { makeBucket } from './s3-lakes.js';

const PYARROW = 'pyarrow==21.0.0';
const run = promisify(execFile);
const folder = temporaryFolder();
afterAll(() => removeFolder(folder));

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

/** What pyarrow finds in the folder; it checks types and that no record is there twice by itself. */
async function readByPyarrow(lakeDir: string): Promise<unknown> {
  const packages = await madeOnce(PYARROW, async (work) => {
    await debianPackage('pip3', 'python3-pip', () => say('installing pip'));
    say(`fetching ${PYARROW} by pip`);
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', work, PYARROW]);
  });
  const script = join(import.meta.dirname, 'pyarrow-check.py');
  const { stdout } = await run('python3', [script, lakeDir], {
    env: { ...process.env, PYTHONPATH: packages },
  });
  return JSON.parse(stdout);
}

test('pyarrow reads a lake of a folder and one of S3, before and after compaction', {
  timeout: SERVICE_START_MS,
}, async () => {
  const s3 = await makeBucket(await service('s3'));
  const records: TestRecord[] = Array.from({ length: 2_000 }, (_, i) => ({
    partition: i % 3,
    offset: Math.floor(i / 3),
    value:
      i % 100 === 7
        ? Buffer.from('garbage')
        : clickValue({ click_id: `c-${i}`, event_time: Date.parse('2026-02-22T10:00:00Z') + i * 5_000 }),
    key: Buffer.from(`k-${i % 5}`),
  }));
  const lakeDir = join(folder, 'lake');
  const place = s3.place('clicks', join(folder, 'cache'));
  for (const lake of [lakeDir, place]) await write(lakeDir, records, { lake, flushRecords: 500 });
  for (const step of ['written', 'compacted']) {
    if (step === 'compacted') {
      for (const lake of [lakeDir, place]) await compactLake({ lake, olderThanMs: 0 });
    }
    const copy = join(folder, `copy-${step}`);
    await s3.mirror(place, copy);
    const { files } = await lakeStatus(lakeDir);
    for (const path of [lakeDir, copy]) {
      expect(await readByPyarrow(path)).toMatchObject({ files, records: 2_000, malformed: 20 });
    }
  }
});
