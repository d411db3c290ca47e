// The lake as ClickHouse reads it: the statement of docs/lake.md, run by its engine on a bucket that is served here.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SERVICE_START_MS, service } from '../services.js';
import { clickValue, removeFolder, type TestRecord, temporaryFolder, write } from './lakes.js';
import { makeBucket } from './s3-lakes.js';

const folder = temporaryFolder();
afterAll(() => removeFolder(folder));

/** The statement in the documentation. */
function documented(): string {
  const text = readFileSync(resolve(import.meta.dirname, '../../docs/lake.md'), 'utf8');
  const [, statement] = /^\| ClickHouse \| `(SELECT [^`]*)`/m.exec(text) ?? [];
  return statement!;
}

test('ClickHouse counts the lake’s records, by hour too', { timeout: SERVICE_START_MS }, async () => {
  const server = await service('s3');
  const [s3, { url }] = await Promise.all([makeBucket(server), service('clickhouse')]);
  const records: TestRecord[] = Array.from({ length: 1_200 }, (_, i) => {
    const time = Date.parse('2026-02-22T10:00:00Z') + i * 6_000;
    return {
      ...{ partition: i % 3, offset: Math.floor(i / 3), appendTimeMs: time },
      value: clickValue({ click_id: `c-${i}`, event_time: time }),
    };
  });
  const place = s3.place('clicks', join(folder, 'cache'));
  await write(join(folder, 'lake'), records, { lake: place, flushRecords: 500 });

  const local = documented().replace(
    "'https://bucket.s3.amazonaws.com/prefix/",
    `'${server.endpoint}/${place.bucket}/clicks/`,
  );
  expect(local).toContain(server.endpoint);
  // A bucket of one's own wants keys.
  const statement = local.replace(
    "'Parquet')",
    `'${server.accessKeyId}', '${server.secretAccessKey}', 'Parquet')`,
  );
  expect(await ask(url, statement)).toBe('1200\n');
  const byHour = statement
    .replace('count()', 'dt, hour, count(), uniqExact(click_id)')
    .replace(' SETTINGS', ' GROUP BY dt, hour ORDER BY dt, hour SETTINGS');
  expect(await ask(url, byHour)).toBe('2026-02-22\t10\t600\t600\n2026-02-22\t11\t600\t600\n');
});

async function ask(url: string, sql: string): Promise<string> {
  const answer = await fetch(`http://${new URL(url).host}/`, { method: 'POST', body: sql });
  return await answer.text();
}
