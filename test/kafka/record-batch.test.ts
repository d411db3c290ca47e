// Batches read from their bytes: what kafkajs's encoder wrote comes out again, and bytes that were garbled on their
// way are never taken for records.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchesIn, GarbledBatch, RecordReader } from '../../src/adapters/kafka/record-batch.js';
import { encodedBatch, type PlainRecord } from './encoded-batches.js';

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((part) => Buffer.from(part)));
const record = fc.record({
  gap: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1000 })),
  timeMs: fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    fc.integer({ min: 0, max: 253_402_300_799_999 }),
  ),
  key: bytes,
  value: bytes,
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), fc.string({ maxLength: 50 }), {
    maxKeys: 4,
  }),
});
const batch = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 40 }), fc.array(record, { minLength: 1, maxLength: 40 }))
  .map(([base, parts]): PlainRecord[] => {
    let offset = base - parts[0]!.gap;
    return parts.map(({ gap, ...rest }) => {
      offset += gap;
      return { offset, ...rest };
    });
  });

function read(encoded: Buffer): PlainRecord[] {
  return batchesIn(encoded).flatMap((each) => {
    const reader = new RecordReader(each);
    const records: PlainRecord[] = [];
    while (reader.next()) {
      const { offset, timeMs, key, value } = reader;
      records.push({ offset, timeMs, key, value, headers: reader.headers() as Record<string, string> });
    }
    return records;
  });
}

test('what another encoder wrote is what is read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 3 }), async (batches) => {
      const encoded = await Promise.all(batches.map((records) => encodedBatch(records)));
      const whole = Buffer.concat(encoded);
      expect(read(whole)).toEqual(batches.flat());
      // The broker cuts the last batch where the answer is full.
      expect(read(whole.subarray(0, whole.length - 1))).toEqual(batches.slice(0, -1).flat());
      expect(batchesIn(whole).map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual(
        batches.map((records) => [records[0]!.offset, records.at(-1)!.offset]),
      );
    }),
    { numRuns: 200 },
  );
});

test('a header may have any name', async () => {
  const headers = Object.fromEntries([
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['', 'c'],
  ]);
  const [record] = read(await encodedBatch([{ offset: 0, timeMs: 1, key: null, value: null, headers }]));
  expect(Object.entries(record!.headers!)).toEqual(Object.entries(headers));
});

test('a batch of which a bit has flipped is refused, or is not seen to be whole', async () => {
  await fc.assert(
    fc.asyncProperty(batch, fc.nat(), fc.integer({ min: 0, max: 7 }), async (records, at, bit) => {
      const encoded = await encodedBatch(records);
      // The offset and the leader's epoch are set by the broker, behind the checksum's back.
      const place = at % encoded.length;
      fc.pre(place >= 8 && !(place >= 12 && place < 16));
      encoded[place]! ^= 1 << bit;
      try {
        expect(read(encoded)).toEqual([]);
      } catch (error) {
        expect(error).toBeInstanceOf(GarbledBatch);
      }
    }),
    { numRuns: 300 },
  );
});

test('records that lie about their length end in an error, never in a loop or in somebody else’s bytes', async () => {
  const value = Buffer.alloc(40, 'x');
  const encoded = await encodedBatch([{ offset: 0, timeMs: 1, key: null, value }]);
  const [sound] = batchesIn(encoded);
  await fc.assert(
    fc.property(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 12 }), (at, garbage) => {
      const garbled = { ...sound!, count: 3, bytes: Buffer.from(sound!.bytes) };
      garbled.bytes.set(
        garbage.subarray(0, garbled.bytes.length - (at % garbled.bytes.length)),
        at % garbled.bytes.length,
      );
      const reader = new RecordReader(garbled);
      try {
        while (reader.next()) {
          expect(reader.valueEnd).toBeLessThanOrEqual(garbled.bytes.length);
          reader.headers();
        }
      } catch (error) {
        expect(error).toBeInstanceOf(GarbledBatch);
      }
    }),
    { numRuns: 2000 },
  );
});
