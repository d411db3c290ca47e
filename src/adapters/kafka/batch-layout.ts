// Where the fields of a batch of records lie (Kafka's record format, version 2), for who reads and who writes it.
// Format: https://kafka.apache.org/documentation/#recordbatch

/** Bytes of a batch that its length field doesn't count: base offset and the length itself. */
export const OVERHEAD_BYTES = 12;
export const HEADER_BYTES = 61;
export const MAGIC = 2;

/** Places in the header. The checksum is of all from `attributes` on. */
export const AT = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastDelta: 23,
  firstTime: 27,
  maxTime: 35,
  producerId: 43,
  producerEpoch: 51,
  firstSequence: 53,
  count: 57,
} as const;

/** Bits of the attributes. */
export const FLAG = {
  codec: 7,
  logAppendTime: 8,
  transactional: 16,
  control: 32,
} as const;
