// Batches as we write them: byte for byte what kafkajs's encoder makes of the same records, and read by our reader as
// they were, whichever way they came in.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AT } from '../../src/adapters/kafka/batch-layout.js';
import { BatchWriter, type ProducerStamp, sizeAtMost } from '../../src/adapters/kafka/batch-writer.js';
import { batchesIn, RecordReader } from '../../src/adapters/kafka/record-batch.js';
import { encodedBatch, type PlainRecord } from './encoded-batches.js';

const bytes = fc.option(
  fc
    .oneof({ weight: 9, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(20_000) })
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
    .map((part) => Buffer.from(part)),
);
const text = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
const timeMs = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.integer({ min: 0, max: 253_402_300_799_999 }),
);
const record = fc.record({
  ...{ timeMs, key: bytes, value: bytes },
  headers: fc.dictionary(text, text, { maxKeys: 80, noNullPrototype: true }),
});
const records = fc
  .array(record, { minLength: 1, maxLength: 150 })
  .map((parts) => parts.map((part, offset): PlainRecord => ({ offset, ...part })));
const stamp = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
  producerEpoch: fc.integer({ min: 0, max: 32_767 }),
  firstSequence: fc.nat(),
  isTransactional: fc.boolean(),
});
const NOBODY: ProducerStamp = { producerId: -1n, producerEpoch: 0, firstSequence: 0, isTransactional: false };

const writer = new BatchWriter();

function written(plain: readonly PlainRecord[], by: ProducerStamp = NOBODY): Buffer {
  writer.clear();
  for (const each of plain) {
    const before = writer.size;
    writer.add(each);
    expect(writer.size - before).toBeLessThanOrEqual(sizeAtMost(each));
  }
  return writer.seal(by);
}

function read(encoded: Buffer): PlainRecord[] {
  return batchesIn(encoded).flatMap((batch) => {
    const reader = new RecordReader(batch);
    const found: PlainRecord[] = [];
    while (reader.next()) {
      const { offset, key, value } = reader;
      const headers = { ...reader.headers() } as Record<string, string>;
      found.push({ offset, timeMs: reader.timeMs, key, value, headers });
    }
    return found;
  });
}

test('the bytes are those of another encoder', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (plain) => {
      const theirs = await encodedBatch(plain);
      // It takes a batch that no leader has seen for one of the first leader; the broker sets it, whatever it was.
      theirs.writeInt32BE(-1, AT.leaderEpoch);
      expect(written(plain).equals(theirs)).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test('what is written is what is read, with the stamp of whoever seals it last', () => {
  fc.assert(
    fc.property(records, stamp, (plain, by) => {
      written(plain);
      const encoded = writer.seal(by);
      expect(encoded.length).toBe(writer.size);
      // (Vitest's own comparison takes its time over long bytes.)
      expect(isDeepStrictEqual(read(encoded), plain)).toBe(true);
      const [batch] = batchesIn(encoded);
      expect(batch).toMatchObject({
        ...{ baseOffset: 0, lastOffset: plain.length - 1, count: plain.length, codec: 0, isControl: false },
        ...{ producerId: by.producerId, isTransactional: by.isTransactional, isTimedByLog: false },
        maxTimeMs: Math.max(...plain.map((each) => each.timeMs)),
      });
      expect(encoded.readInt16BE(AT.producerEpoch)).toBe(by.producerEpoch);
      expect(encoded.readInt32BE(AT.firstSequence)).toBe(by.firstSequence);
    }),
    { numRuns: 150 },
  );
});

test('records in columns become the same bytes as records by themselves', () => {
  const valued = records.map((plain) =>
    plain.map(({ headers: _, value, ...rest }) => ({ ...rest, value: value ?? Buffer.alloc(0) })),
  );
  fc.assert(
    fc.property(valued, (plain) => {
      const expected = Buffer.from(written(plain));
      const columns = columnsOf(plain);
      writer.clear();
      for (let i = 0; i < plain.length; i++) writer.addColumn(columns, i);
      expect(writer.seal(NOBODY).equals(expected)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

function columnsOf(plain: readonly { timeMs: number; key: Buffer | null; value: Buffer }[]) {
  const columns = {
    bytes: Buffer.concat(plain.flatMap(({ key, value }) => [key ?? Buffer.alloc(0), value])),
    valueStart: new Int32Array(plain.length),
    valueEnd: new Int32Array(plain.length),
    keyStart: new Int32Array(plain.length).fill(-1),
    keyEnd: new Int32Array(plain.length).fill(-1),
    appendTimeMs: Float64Array.from(plain, ({ timeMs }) => timeMs),
  };
  let at = 0;
  plain.forEach(({ key, value }, i) => {
    if (key) {
      columns.keyStart[i] = at;
      at += key.length;
      columns.keyEnd[i] = at;
    }
    columns.valueStart[i] = at;
    at += value.length;
    columns.valueEnd[i] = at;
  });
  return columns;
}

test('a record without a time has the present one', () => {
  const before = Date.now();
  writer.clear();
  writer.add({ key: null, value: null });
  const columns = columnsOf([{ timeMs: Number.NaN, key: null, value: Buffer.from('x') }]);
  writer.addColumn(columns, 0);
  for (const { timeMs } of read(writer.seal(NOBODY))) {
    expect(timeMs).toBeGreaterThanOrEqual(before);
    expect(timeMs).toBeLessThanOrEqual(Date.now());
  }
});
