// kafkajs writing the lines of a file to a topic, with nothing judged meanwhile and the settings that
// `loadgen` has: what `loadgen` to Kafka is measured beside. `node kafkajs-writes.js BROKERS TOPIC FILE`; prints one
// JSON document.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import kafkajs, { type Message } from 'kafkajs';

/** As many as `loadgen` puts into a request. */
const REQUEST_RECORDS = 2400;

const [, , brokers = '', topic = '', file = ''] = process.argv;
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
});
await producer.connect();
const startedMs = performance.now();
let records = 0;
let messages: Message[] = [];

async function send(): Promise<void> {
  records += messages.length;
  await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages }] });
  messages = [];
}

for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
  messages.push({ key: /"ad_id":"([^"]*)"/.exec(line)?.[1] ?? null, value: Buffer.from(line) });
  if (messages.length === REQUEST_RECORDS) await send();
}
if (messages.length > 0) await send();
const ms = performance.now() - startedMs;
await producer.disconnect();
console.log(JSON.stringify({ records, perSecond: Math.round((records / ms) * 1000) }));
