// Record batches as another program would write them: by kafkajs's own encoder, which shares nothing with our reader.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export interface PlainRecord {
  offset: number;
  timeMs: number;
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, string>;
}

interface Encoded {
  buffer: Buffer;
}

interface BatchFields {
  firstOffset: bigint;
  firstTimestamp: bigint;
  maxTimestamp: bigint;
  lastOffsetDelta: number;
  transactional: boolean;
  producerId: bigint;
  compression: number;
  records: readonly Encoded[];
}

const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch(fields: BatchFields): Promise<Encoded>;
};
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  fields: Record<string, unknown>,
) => Encoded;

/** The bytes of one batch. Records ascend by offset. */
export async function encodedBatch(
  records: readonly PlainRecord[],
  { producerId, compression = 0 }: { producerId?: bigint; compression?: number } = {},
): Promise<Buffer> {
  const [first] = records;
  const times = records.map(({ timeMs }) => timeMs);
  const batch = await RecordBatch({
    firstOffset: BigInt(first!.offset),
    firstTimestamp: BigInt(first!.timeMs),
    maxTimestamp: BigInt(Math.max(...times)),
    lastOffsetDelta: records.at(-1)!.offset - first!.offset,
    transactional: producerId !== undefined,
    producerId: producerId ?? -1n,
    compression,
    records: records.map(({ offset, timeMs, key, value, headers = {} }) =>
      encodeRecord({
        ...{ offsetDelta: offset - first!.offset, timestampDelta: timeMs - first!.timeMs },
        ...{ key, value, headers },
      }),
    ),
  });
  return batch.buffer;
}
