// A process of a consumer group, for tests that pause and kill it: says `active` when it may read, `lost` when
// another one has taken over, and how many records it has read since.
import { kafkaSource } from '../../dist/adapters/kafka/kafka-source.js';
import { OwnershipLostError } from '../../dist/errors.js';

const [connection, topic] = process.argv.slice(2);
const say = (word) => process.stdout.write(`${word}\n`);
const source = await kafkaSource({ connection: JSON.parse(connection), topic, group: topic, warn: say });
const signal = new AbortController().signal;
while (await source.membership.active(signal)) {
  say('active');
  let count = 0;
  try {
    for await (const batch of source.read({ positions: new Map(), untilEnd: false, signal })) {
      count += batch.count;
      say(`read ${count}`);
    }
  } catch (error) {
    if (!(error instanceof OwnershipLostError)) throw error;
    say('lost');
  }
}
