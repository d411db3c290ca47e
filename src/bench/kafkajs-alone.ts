// kafkajs reading a topic to its end and doing nothing with it: what `run` from Kafka is measured beside. With
// `--bytes` it is spared the decoding: the batches' bytes are turned into columns by ourselves.
// `node kafkajs-alone.js BROKERS TOPIC [--bytes]`; prints one JSON document.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { decodeOurselves, recordsIn } from './batch-bytes.js';

const [, , brokers = '', topic = '', mode] = process.argv;
const itself = mode === '--bytes';
if (itself) decodeOurselves();
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
const ends = new Map(
  (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]),
);
await admin.disconnect();
const open = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
// Fetches as large as the source's own.
const consumer = kafka.consumer({
  groupId: randomUUID(),
  maxBytes: 8 * 1_048_576,
  maxBytesPerPartition: 524_288,
  minBytes: 65_536,
  maxWaitTimeInMs: 100,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
let records = 0;
const startedMs = performance.now();
await new Promise<void>((done, failed) => {
  // (It restarts by itself while a broker that has just started makes its groups.)
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) failed(payload.error);
  });
  void consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      records += itself ? recordsIn(batch) : batch.messages.length;
      if (Number(batch.lastOffset()) + 1 >= ends.get(batch.partition)!) open.delete(batch.partition);
      if (open.size === 0) done();
    },
  });
});
const ms = performance.now() - startedMs;
await consumer.disconnect();
console.log(JSON.stringify({ records, perSecond: Math.round((records / ms) * 1000) }));
