// A process that puts clicks into Kafka by way of a spool, for tests that kill it: says the number of each click that
// was acknowledged, and `ready` when the cluster has taken the first one. Its end of standard input ends it in good order.
import { kafkaClickLog } from '../../dist/spool/kafka-click-log.js';

const [connection, topic, spoolDir, first, perTurn] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
const log = await kafkaClickLog({
  ...{ connection: JSON.parse(connection), topic, spoolDir, limitBytes: 2 ** 30, sync: 'always' },
  warn: (line) => process.stderr.write(`${line}\n`),
});
let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
let isReady = false;
for (let i = Number(first); !ended; ) {
  const appends = [];
  for (let k = 0; k < Number(perTurn); k++, i++) {
    const id = i;
    const click = { key: `ad_${id % 7}`, value: JSON.stringify({ click_id: String(id) }) };
    appends.push(log.append(click).then(() => say(id)));
  }
  await Promise.all(appends);
  if (!isReady && log.status().sent > 0) {
    isReady = true;
    say('ready');
  }
}
await log.close();
