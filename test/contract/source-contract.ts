// What every source of records promises (src/core/ports/log.ts), as tests: a new source calls `sourceContract` with a way
// to be filled, and must pass all of it.
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Positions, Source } from '../../src/core/ports/log.js';

export interface Read {
  partition: number;
  offset: number;
  value: string;
  key: string | undefined;
  appendTimeMs: number;
}

export interface FilledSource {
  source: Source;
  /** What must come out of each partition (-1 where only the decoder can tell the partition). */
  expected: ReadonlyMap<number, readonly Read[]>;
  cleanUp(): Promise<void>;
}

export interface SourceKind {
  name: string;
  /** Makes a source that holds these values, in that order where it has one partition. */
  fill(values: readonly string[]): Promise<FilledSource>;
}

/** Reads a source to its end. */
export async function readAll(
  source: Source,
  options: { positions?: Positions; signal?: AbortSignal } = {},
): Promise<Read[]> {
  const { positions = new Map(), signal = new AbortController().signal } = options;
  const records: Read[] = [];
  for await (const batch of source.read({ positions, untilEnd: true, signal })) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    for (let i = 0; i < batch.count; i++) {
      const { keyStart, keyEnd } = batch;
      const hasKey = keyStart !== undefined && keyEnd !== undefined && keyStart[i] >= 0;
      records.push({
        partition: batch.partition[i],
        offset: batch.offset[i],
        value: bytes.toString('utf8', batch.valueStart[i], batch.valueEnd[i]),
        key: hasKey ? bytes.toString('utf8', keyStart[i], keyEnd[i]) : undefined,
        appendTimeMs: batch.appendTimeMs[i],
      });
    }
  }
  return records;
}

export function byPartition(records: readonly Read[]): Map<number, Read[]> {
  const partitions = new Map<number, Read[]>();
  for (const record of records) {
    const list = partitions.get(record.partition);
    if (list) list.push(record);
    else partitions.set(record.partition, [record]);
  }
  return partitions;
}

export function sourceContract(kind: SourceKind): void {
  describe(`${kind.name} as a source`, () => {
    const filled: FilledSource[] = [];
    const fill = async (values: readonly string[]) => {
      const one = await kind.fill(values);
      filled.push(one);
      return one;
    };
    afterEach(async () => {
      for (const { source, cleanUp } of filled.splice(0)) {
        await source.close();
        await cleanUp();
      }
    });

    test('gives every record once, in order in its partition, with its bytes', async () => {
      const values = Array.from(
        { length: 50_000 },
        (_, i) => `{"click_id":"${i}","pad":"${'x'.repeat(i % 97)}"}`,
      );
      const { source, expected } = await fill(values);
      expect(byPartition(await readAll(source))).toEqual(expected);
    });

    test('keeps values of any content', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 20 }),
          async (texts) => {
            // Neither a line nor a record is blank or holds a line break, to be the same in every source.
            const values = texts.map((text) => `v${text.replaceAll(/[\r\n]/g, '')}`);
            const { source, expected } = await fill(values);
            expect(byPartition(await readAll(source))).toEqual(expected);
          },
        ),
        { numRuns: 20 },
      );
    });

    test('holds nothing when it is empty', async () => {
      const { source } = await fill([]);
      expect(await readAll(source)).toEqual([]);
    });

    test('begins at the asked position of each partition', async () => {
      const { source, expected } = await fill(Array.from({ length: 1000 }, (_, i) => `{"click_id":"${i}"}`));
      if (!source.seekable) return;
      const isBare = expected.has(-1);
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.nat(250)), async (stream) => {
          const positions = new Map<number, number>();
          for (let partition = 0; partition < source.partitionCount; partition++) {
            positions.set(partition, stream.next().value ?? 0);
          }
          const least = Math.min(...positions.values());
          const wanted = new Map<number, Read[]>();
          for (const [partition, records] of expected) {
            const from = isBare ? least : (positions.get(partition) ?? 0);
            const rest = records.filter(({ offset }) => offset >= from);
            if (rest.length > 0) wanted.set(partition, rest);
          }
          expect(byPartition(await readAll(source, { positions }))).toEqual(wanted);
        }),
        { numRuns: 20 },
      );
    });

    test('stops without an error when it is told to', async () => {
      const { source, expected } = await fill(
        Array.from({ length: 200_000 }, (_, i) => `{"click_id":"${i}"}`),
      );
      const controller = new AbortController();
      let count = 0;
      for await (const batch of source.read({
        positions: new Map(),
        untilEnd: false,
        signal: controller.signal,
      })) {
        count += batch.count;
        controller.abort();
      }
      const total = [...expected.values()].reduce((sum, records) => sum + records.length, 0);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThan(total);
    });

    test('can be left in the middle and read again if it is seekable', async () => {
      const { source, expected } = await fill(Array.from({ length: 2000 }, (_, i) => `{"click_id":"${i}"}`));
      const signal = new AbortController().signal;
      for await (const batch of source.read({ positions: new Map(), untilEnd: true, signal })) {
        expect(batch.count).toBeGreaterThan(0);
        break;
      }
      if (source.seekable) expect(byPartition(await readAll(source))).toEqual(expected);
    });
  });
}
