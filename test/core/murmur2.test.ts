// The hash must be Kafka's bit for bit: checked against Kafka's own published vectors and kafkajs.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { murmur2, partitionOf } from '../../src/core/murmur2.js';

const kafkajs = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2.js') as (
  key: Buffer,
) => number;

/** From Apache Kafka's UtilsTest.testMurmur2. */
const KAFKA_VECTORS: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

test.each(KAFKA_VECTORS)("murmur2 of '%s' is Kafka's", (key, hash) => {
  const bytes = Buffer.from(key);
  expect(murmur2(bytes, 0, bytes.length)).toBe(hash);
});

test('murmur2 of random keys anywhere in a buffer equals kafkajs', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(9), fc.nat(9), (key, before, after) => {
      const bytes = Buffer.concat([Buffer.alloc(before, 0xa5), key, Buffer.alloc(after, 0x5a)]);
      expect(murmur2(bytes, before, before + key.length)).toBe(kafkajs(Buffer.from(key)));
    }),
    { numRuns: 2000 },
  );
});

test('partitionOf drops the sign bit as Kafka does', () => {
  expect(partitionOf(-1, 7)).toBe(0x7fffffff % 7);
  expect(partitionOf(-2147483648, 6)).toBe(0);
  expect(partitionOf(479470107, 6)).toBe(479470107 % 6);
});
