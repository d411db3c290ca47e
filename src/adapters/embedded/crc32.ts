// CRC-32 (IEEE) of a span of bytes. Node brings a fast one from 20.15 and 22.2 on; older ones get the same
// sum from tables, four bytes a step.
import * as zlib from 'node:zlib';

type Crc32 = (bytes: Uint8Array, start: number, end: number) => number;

const TABLES = makeTables();

/** The sum over `bytes[start, end)` without Node's own function; exported for the test that both agree. */
export const crc32ByTable: Crc32 = (bytes, start, end) => {
  const [t0, t1, t2, t3] = TABLES;
  let crc = -1;
  let at = start;
  for (const wordsEnd = end - 3; at < wordsEnd; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc = t3[crc & 0xff] ^ t2[(crc >>> 8) & 0xff] ^ t1[(crc >>> 16) & 0xff] ^ t0[crc >>> 24];
  }
  for (; at < end; at++) crc = t0[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
};

/** CRC-32 of `bytes[start, end)`, unsigned. */
export const crc32: Crc32 =
  typeof zlib.crc32 === 'function'
    ? (bytes, start, end) => zlib.crc32(bytes.subarray(start, end))
    : crc32ByTable;

function makeTables(): [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables = [0, 1, 2, 3].map(() => new Int32Array(256)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let step = 1; step < 4; step++) {
      const previous = tables[step - 1][byte];
      tables[step][byte] = tables[0][previous & 0xff] ^ (previous >>> 8);
    }
  }
  return tables;
}
