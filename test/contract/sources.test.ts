// Every source of records keeps the contract.
import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { logSource } from '../../src/adapters/embedded/log-source.js';
import { openLogWriter } from '../../src/adapters/embedded/log-writer.js';
import { fileSource } from '../../src/adapters/file/file-source.js';
import { batchOf, temporaryDirectory } from '../adapters/embedded-logs.js';
import { byPartition, type FilledSource, type Read, sourceContract } from './source-contract.js';

const PARTITIONS = 4;

/** Records as a partitioned log would hold these values; every seventh has no key. */
function partitioned(values: readonly string[]): Read[] {
  const next = new Array<number>(PARTITIONS).fill(0);
  return values.map((value, i) => {
    const partition = (i * 7919) % PARTITIONS;
    const key = i % 7 === 0 ? undefined : `key-${i % 10}`;
    return { partition, offset: next[partition]++, value, key, appendTimeMs: 1_700_000_000_000 + i };
  });
}

async function embedded(values: readonly string[]): Promise<FilledSource> {
  const records = partitioned(values);
  const { path, remove } = await temporaryDirectory();
  const writer = await openLogWriter(path, { partitions: PARTITIONS, segmentBytesMax: 100_000 });
  for (let i = 0; i < records.length; i += 777) {
    await writer.append(
      batchOf(records.slice(i, i + 777).map(({ key, ...rest }) => (key ? { ...rest, key } : rest))),
    );
  }
  await writer.close();
  return { source: await logSource(path), expected: byPartition(records), cleanUp: remove };
}

async function file(name: string, bytes: Uint8Array, records: readonly Read[]): Promise<FilledSource> {
  const { path, remove } = await temporaryDirectory();
  const input = join(path, name);
  await writeFile(input, bytes);
  const source = await fileSource({ path: input, partitions: PARTITIONS, format: 'auto' });
  return { source, expected: byPartition(records), cleanUp: remove };
}

const linesOf = (values: readonly string[]) => Buffer.from(values.map((value) => `${value}\n`).join(''));
const bareRecords = (values: readonly string[]): Read[] =>
  values.map((value, offset) => ({
    partition: -1,
    offset,
    value,
    key: undefined,
    appendTimeMs: Number.NaN,
  }));

function envelopes(values: readonly string[]): { records: Read[]; bytes: Buffer } {
  const records = partitioned(values);
  const lines = records.map(({ partition, offset, value, key, appendTimeMs }) =>
    JSON.stringify({
      topic: 'clicks',
      partition,
      offset,
      tstype: 'create',
      ts: appendTimeMs,
      broker: 0,
      headers: ['a', 'b'],
      key: key ?? null,
      payload: value,
    }),
  );
  return { records, bytes: linesOf(lines) };
}

async function pipe(values: readonly string[]): Promise<FilledSource> {
  const { path, remove } = await temporaryDirectory();
  const input = join(path, 'lines.ndjson');
  const fifo = join(path, 'pipe');
  await writeFile(input, linesOf(values));
  execFileSync('mkfifo', [fifo]);
  const feeding = execFile('sh', ['-c', `cat '${input}' > '${fifo}'`]);
  const ended = new Promise((resolve) => feeding.once('exit', resolve));
  const source = await fileSource({ path: fifo, partitions: PARTITIONS, format: 'auto' });
  return {
    source,
    expected: byPartition(bareRecords(values)),
    async cleanUp() {
      await ended;
      await remove();
    },
  };
}

sourceContract({ name: 'the embedded log', fill: embedded });
sourceContract({
  name: 'a file of bare lines',
  fill: (values) => file('clicks.ndjson', linesOf(values), bareRecords(values)),
});
sourceContract({
  name: 'a gzip file',
  fill: (values) => file('clicks', gzipSync(linesOf(values), { level: 1 }), bareRecords(values)),
});
sourceContract({
  name: 'a file of Kafka records',
  fill(values) {
    const { records, bytes } = envelopes(values);
    return file('topic.jsonl', bytes, records);
  },
});
sourceContract({ name: 'a pipe', fill: pipe });
