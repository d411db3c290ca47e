// Kafka's default partitioner hash. A bare click line goes to the partition where Kafka would have put it,
// so that a replayed file and the topic it came from count alike. Reads bytes in place: no copy, no object.

const SEED = 0x9747b28c | 0;
const M = 0x5bd1e995;

/** Hash of `bytes[start, end)` as a signed 32-bit integer, equal to Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let h = SEED ^ length;
  let at = start;
  const wordsEnd = start + (length & ~3);
  for (; at < wordsEnd; at += 4) {
    let k = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    k = Math.imul(k, M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = length & 3;
  if (rest > 0) {
    if (rest === 3) h ^= bytes[at + 2] << 16;
    if (rest >= 2) h ^= bytes[at + 1] << 8;
    h = Math.imul(h ^ bytes[at], M);
  }
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** Partition of a key by its hash: Kafka's `toPositive(hash) % partitions`. */
export function partitionOf(hash: number, partitions: number): number {
  return (hash & 0x7fffffff) % partitions;
}
