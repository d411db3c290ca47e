// The embedded log under real processes: killed at any moment, and followed while another process writes.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logSource } from '../../src/adapters/embedded/log-source.js';
import { openLogWriter } from '../../src/adapters/embedded/log-writer.js';
import { byPartition, readAll } from '../contract/source-contract.js';
import { temporaryDirectory } from './embedded-logs.js';
import { valueAt, WRITER_PARTITIONS } from './embedded-writer.js';
import { startWriter, translate, WRITER_SCRIPT } from './translated.js';

let code: Awaited<ReturnType<typeof temporaryDirectory>>;
let script: string;
beforeAll(async () => {
  code = await temporaryDirectory();
  await translate(code.path);
  script = join(code.path, WRITER_SCRIPT);
});
afterAll(() => code.remove());

test('a writer killed at any moment loses nothing that was flushed and leaves nothing broken', async () => {
  const { path, remove } = await temporaryDirectory();
  const flushed = new Map<number, number>();
  for (let round = 0; round < 15; round++) {
    const writer = startWriter(script, path, 1_000_000);
    await writer.started;
    await sleep((round * 17) % 50);
    writer.process.kill('SIGKILL');
    await writer.ended;
    for (const [partition, next] of writer.acknowledged) flushed.set(partition, next);

    const source = await logSource(path);
    const ends = await source.ends();
    const partitions = byPartition(await readAll(source));
    for (let partition = 0; partition < WRITER_PARTITIONS; partition++) {
      const records = partitions.get(partition) ?? [];
      expect(records.length).toBeGreaterThanOrEqual(flushed.get(partition) ?? 0);
      expect(ends.get(partition)).toBe(records.length);
      records.forEach((record, i) => {
        if (record.offset !== i || record.value !== valueAt(partition, i)) {
          expect.fail(
            `round ${round}, partition ${partition}: at ${i} stands ${record.offset} ${record.value}`,
          );
        }
      });
    }
  }
  await (await openLogWriter(path, { partitions: WRITER_PARTITIONS })).close();
  await remove();
});

test('readers follow while another process writes, each record once and in order', async () => {
  const { path, remove } = await temporaryDirectory();
  const batches = 400;
  const writer = startWriter(script, path, batches);
  await writer.started;
  const follow = async () => {
    const next = new Array<number>(WRITER_PARTITIONS).fill(0);
    const controller = new AbortController();
    let total = Infinity;
    void writer.ended.then(async () => {
      total = [...(await (await logSource(path)).ends()).values()].reduce((sum, end) => sum + end, 0);
      if (next.reduce((sum, each) => sum + each, 0) === total) controller.abort();
    });
    const source = await logSource(path);
    for await (const batch of source.read({
      positions: new Map(),
      untilEnd: false,
      signal: controller.signal,
    })) {
      const bytes = Buffer.from(batch.bytes.buffer);
      for (let i = 0; i < batch.count; i++) {
        const value = bytes.toString('latin1', batch.valueStart[i], batch.valueEnd[i]);
        const partition = batch.partition[i];
        const wanted = next[partition]++;
        if (batch.offset[i] !== wanted || value !== valueAt(partition, wanted)) {
          expect.fail(`partition ${partition}: after ${wanted - 1} comes ${batch.offset[i]} ${value}`);
        }
      }
      if (next.reduce((sum, each) => sum + each, 0) === total) controller.abort();
    }
    return next;
  };
  const [one, other] = await Promise.all([follow(), follow()]);
  expect(one).toEqual(other);
  expect(one.reduce((sum, each) => sum + each, 0)).toBe(
    Array.from({ length: batches }, (_, i) => 1 + (i % 50)).reduce((sum, each) => sum + each, 0),
  );
  await remove();
});

test('a second writer is refused while the first lives, in this process and in another', async () => {
  const { path, remove } = await temporaryDirectory();
  const other = startWriter(script, path, 1_000_000);
  await other.started;
  await expect(openLogWriter(path, { partitions: WRITER_PARTITIONS })).rejects.toThrow(/pid \d+/);
  other.process.kill('SIGKILL');
  await other.ended;
  const writer = await openLogWriter(path, { partitions: WRITER_PARTITIONS });
  await expect(openLogWriter(path, { partitions: WRITER_PARTITIONS })).rejects.toThrow(`pid ${process.pid}`);
  await writer.close();
  await remove();
});
