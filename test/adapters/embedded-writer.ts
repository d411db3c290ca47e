// A process that writes to an embedded log, for tests that kill it: batches of records that can be checked, and after
// every few a flush, reported on standard output as [partition, next offset] pairs.
import { openLogWriter } from '../../src/adapters/embedded/log-writer.js';
import { batchOf } from './embedded-logs.js';

export const WRITER_PARTITIONS = 3;

/** The value that must stand at an offset, whoever wrote it. */
export function valueAt(partition: number, offset: number): string {
  return `${partition}:${offset}:${'x'.repeat((offset * 31 + partition) % 211)}`;
}

const [logDir, batches] = process.argv.slice(2);
if (process.argv[1]?.endsWith('embedded-writer.js')) await write(logDir, Number(batches));

async function write(directory: string, count: number): Promise<void> {
  const writer = await openLogWriter(directory, { partitions: WRITER_PARTITIONS, segmentBytesMax: 40_000 });
  for (let i = 0; i < count; i++) {
    const next = writer.ends();
    const records = Array.from({ length: 1 + (i % 50) }, (_, n) => {
      const partition = (n * 7 + i) % WRITER_PARTITIONS;
      const offset = next.get(partition) ?? 0;
      next.set(partition, offset + 1);
      return { partition, value: valueAt(partition, offset), key: `k${offset}`, appendTimeMs: Date.now() };
    });
    await writer.append(batchOf(records));
    if (i % 3 === 0) {
      await writer.flush();
      process.stdout.write(`${JSON.stringify([...writer.ends()])}\n`);
    }
  }
  await writer.close();
}
