// kafkajs writing the lines of a file to a topic, with nothing made or judged meanwhile and the settings that
// `loadgen` has: what `loadgen` to Kafka is measured beside. `node kafkajs-writes.js BROKERS TOPIC FILE`; prints one
// JSON document.
import { readFileSync } from 'node:fs';
import kafkajs, { type Message } from 'kafkajs';

/** As many as `loadgen` puts into a request. */
const REQUEST_RECORDS = 2400;

const [, , brokers = '', topic = '', file = ''] = process.argv;
const messages: Message[] = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => ({ key: /"ad_id":"([^"]*)"/.exec(line)?.[1] ?? null, value: Buffer.from(line) }));
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
});
await producer.connect();
const startedMs = performance.now();
for (let at = 0; at < messages.length; at += REQUEST_RECORDS) {
  const request = messages.slice(at, at + REQUEST_RECORDS);
  await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages: request }] });
}
const ms = performance.now() - startedMs;
await producer.disconnect();
console.log(
  JSON.stringify({ records: messages.length, perSecond: Math.round((messages.length / ms) * 1000) }),
);
