// What a reader sees of a topic into which several producers write in transactions that overlap, some of them aborted:
// what was committed, in order, whatever place the reading begins at. (kafkajs's own consumer can't be asked: it takes
// the aborted transactions in the order in which they ended for the one in which they began, and shows some of them.)
import { randomInt } from 'node:crypto';
import kafkajs, { type Message, type Producer, type Transaction } from 'kafkajs';
import { beforeAll, expect, test } from 'vitest';
import { kafkaSource } from '../../src/adapters/kafka/kafka-source.js';
import { openTopicScan } from '../../src/adapters/kafka/topic-scan.js';
import { type Read, readAll } from '../contract/source-contract.js';
import { SERVICE_START_MS, service } from '../services.js';
import { clientOf, connectionTo, newTopic } from './clusters.js';

const STEPS = 40;
const SEED = Number(process.env.TRANSACTIONS_SEED ?? randomInt(1_000_000));
let address: string;
beforeAll(async () => {
  address = (await service('kafka')).brokers;
}, SERVICE_START_MS);

/** Numbers below `limit` by a seed. */
function chance(seed: number): (limit: number) => number {
  let state = seed + 1;
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
}

async function producers(topic: string): Promise<Producer[]> {
  const made = [undefined, `${topic}-a`, `${topic}-b`].map((transactionalId) =>
    clientOf(address).producer({
      ...(transactionalId === undefined ? {} : { transactionalId, idempotent: true, maxInFlightRequests: 1 }),
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    }),
  );
  for (const producer of made) await producer.connect();
  return made;
}

interface Written {
  key: string;
  value: string;
  isCommitted: boolean;
}

/** Producers take turns: single records and thousands, packed or not, committed and aborted. Gives them in order. */
async function fill(topic: string, seed: number): Promise<Written[]> {
  const next = chance(seed);
  const all = await producers(topic);
  const open = new Map<Producer, { transaction: Transaction; written: Written[] }>();
  const log: Written[] = [];
  for (let step = 0; step < STEPS; step++) {
    const producer = all[next(all.length)]!;
    const count = next(4) === 0 ? 1 + next(3000) : 1 + next(5);
    const records: Written[] = Array.from({ length: count }, (_, i) => ({
      key: `key-${i}`,
      value: `step ${step}, record ${i} ${'x'.repeat(next(300))}`,
      isCommitted: producer === all[0],
    }));
    const messages: Message[] = records.map(({ key, value }) => ({
      partition: 0,
      key,
      value,
      headers: { a: 'b' },
    }));
    const compression = next(3) === 0 ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None;
    log.push(...records);
    if (producer === all[0]) {
      await producer.send({ topic, messages, compression });
      continue;
    }
    const { transaction, written } = open.get(producer) ?? {
      ...{ transaction: await producer.transaction(), written: [] },
    };
    open.set(producer, { transaction, written });
    await transaction.send({ topic, messages, compression });
    written.push(...records);
    if (next(2) === 0) continue;
    const commits = next(2) === 0;
    await (commits ? transaction.commit() : transaction.abort());
    for (const record of written) record.isCommitted = commits;
    open.delete(producer);
  }
  for (const { transaction } of open.values()) await transaction.abort();
  // One that is aborted for certain, whatever the seed says.
  const transaction = await all[1]!.transaction();
  await transaction.send({ topic, messages: [{ partition: 0, key: 'last', value: 'aborted' }] });
  await transaction.abort();
  log.push({ key: 'last', value: 'aborted', isCommitted: false });
  for (const producer of all) await producer.disconnect();
  return log;
}

type Place = Pick<Read, 'offset' | 'value' | 'key'>;

async function bySource(topic: string, from: number): Promise<Place[]> {
  const source = await kafkaSource({
    ...{ connection: connectionTo(address), topic, group: undefined, warn: () => {} },
  });
  try {
    const read = await readAll(source, { positions: new Map([[0, from]]) });
    return read.map(({ offset, key, value }) => ({ offset, key, value }));
  } finally {
    await source.close();
  }
}

test(`what was committed, from any place (TRANSACTIONS_SEED=${SEED})`, async () => {
  const topic = await newTopic(address, 1);
  const log = await fill(topic, SEED);
  const committed = log.filter(({ isCommitted }) => isCommitted).map(({ key, value }) => ({ key, value }));
  expect(committed.length).toBeLessThan(log.length);
  const all = await bySource(topic, 0);
  expect(all.map(({ key, value }) => ({ key, value }))).toEqual(committed);
  const scan = await openTopicScan(connectionTo(address), topic);
  try {
    const end = (await scan.ends()).get(0)!.high;
    const next = chance(SEED);
    for (const from of [next(end), next(end), next(end), next(end)]) {
      const wanted = all.filter(({ offset }) => offset >= from);
      expect(await bySource(topic, from), `from ${from}`).toEqual(wanted);
      const scanned: Place[] = [];
      await scan.read(new Map([[0, [{ from, to: end }]]]), (_, { offset, key, value }) => {
        scanned.push({ offset, key: key?.toString(), value: value!.toString() });
      });
      expect(scanned, `scanned from ${from}`).toEqual(wanted);
    }
  } finally {
    await scan.close();
  }
});

// kafkajs takes such a key for the mark, and shows what was aborted behind it.
test('a key that looks like the mark of an abort is a key like any other', async () => {
  const topic = await newTopic(address, 1);
  const [plain, producer, other] = await producers(topic);
  const transaction = await producer!.transaction();
  const keys = [Buffer.alloc(4), 'behind it'];
  for (const key of keys)
    await transaction.send({ topic, messages: [{ partition: 0, key, value: 'aborted' }] });
  await transaction.abort();
  await plain!.send({ topic, messages: [{ partition: 0, key: Buffer.alloc(4), value: 'plain' }] });
  for (const each of [plain, producer, other]) await each!.disconnect();
  expect((await bySource(topic, 0)).map(({ value }) => value)).toEqual(['plain']);
});
