// How bare NDJSON lines become records with partition and offset, for the oracle: Kafka's default partitioner
// in big integers, so that no trick of 32-bit arithmetic is shared with the engine.
import type { OracleRecord } from '../oracle.js';
import { readRecord } from './record.js';

/** Splits a file of bare clicks into records: partition by murmur2 of the ad, offset by line number from 0. */
export function recordsOfBareLines(file: Uint8Array, partitions: number): OracleRecord[] {
  const records: OracleRecord[] = [];
  let start = 0;
  for (let line = 0; start < file.length; line++) {
    const newline = file.indexOf(10, start);
    const end = newline === -1 ? file.length : newline;
    const value = file.subarray(start, end);
    start = end + 1;
    if (value.every((byte) => byte === 32 || byte === 9 || byte === 13)) continue;
    records.push({ partition: partitionOfBareLine(value, partitions), offset: line, value });
  }
  return records;
}

/** Where Kafka would put it; 0 if its ad can't be read. */
export function partitionOfBareLine(value: Uint8Array, partitions: number): number {
  const { adId } = readRecord(value);
  return adId === undefined ? 0 : Number((murmur2(Buffer.from(adId)) & 0x7fffffffn) % BigInt(partitions));
}

function murmur2(key: Uint8Array): bigint {
  const word = (value: bigint): bigint => value & 0xffffffffn;
  const m = 0x5bd1e995n;
  let hash = word(0x9747b28cn ^ BigInt(key.length));
  const wholeWords = Math.floor(key.length / 4);
  for (let i = 0; i < wholeWords; i++) {
    const [b0, b1, b2, b3] = [...key.subarray(4 * i, 4 * i + 4)].map(BigInt) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    let k = b0 | (b1 << 8n) | (b2 << 16n) | (b3 << 24n);
    k = word(k * m);
    k = word((k ^ (k >> 24n)) * m);
    hash = word(hash * m) ^ k;
  }
  const rest = [...key.subarray(4 * wholeWords)].map(BigInt);
  if (rest.length > 0) {
    for (const [i, byte] of rest.entries()) hash ^= byte << BigInt(8 * i);
    hash = word(hash * m);
  }
  hash = word((hash ^ (hash >> 13n)) * m);
  return hash ^ (hash >> 15n);
}
