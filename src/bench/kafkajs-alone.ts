// kafkajs reading a topic to its end and doing nothing with it: what `run` from Kafka is measured beside.
// `node kafkajs-alone.js BROKERS TOPIC batch|message`: handed over as whole batches, or record by record, as most
// programs read with it. Prints one JSON document.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';

const [, , brokers = '', topic = '', by = 'batch'] = process.argv;
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
const ends = new Map(
  (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]),
);
await admin.disconnect();
const open = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
// Fetches of the size at which it is fastest.
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
  const taken = (partition: number, lastOffset: string, count: number): void => {
    records += count;
    if (Number(lastOffset) + 1 >= ends.get(partition)!) open.delete(partition);
    if (open.size === 0) done();
  };
  void consumer.run({
    autoCommit: false,
    ...(by === 'message'
      ? { eachMessage: async ({ partition, message }) => taken(partition, message.offset, 1) }
      : {
          eachBatch: async ({ batch }) => taken(batch.partition, batch.lastOffset(), batch.messages.length),
        }),
  });
});
const ms = performance.now() - startedMs;
await consumer.disconnect();
console.log(JSON.stringify({ records, perSecond: Math.round((records / ms) * 1000) }));
