// A process ends when nothing keeps it: whoever gives up a connection, or is told to while it is being made, leaves none.
import { beforeAll, expect, test } from 'vitest';
import { openSession } from '../../src/adapters/kafka/dead-letters/publish-session.js';
import { openPositionedSender } from '../../src/adapters/kafka/positioned-sender.js';
import { TopicView } from '../../src/adapters/kafka/topic-view.js';
import { fencingProducer } from '../../src/adapters/kafka/transactions.js';
import { SERVICE_START_MS, service } from '../services.js';
import { connectionTo, newTopic } from './clusters.js';

let address: string;
beforeAll(async () => {
  address = (await service('kafka')).brokers;
}, SERVICE_START_MS);

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

async function leavesNone(use: () => Promise<unknown>): Promise<void> {
  const before = sockets();
  await use();
  await expect.poll(sockets, { timeout: 30_000 }).toBe(before);
}

test('a producer that the brokers refuse keeps no connection', async () => {
  await leavesNone(async () => {
    const timeoutMs = 24 * 3_600_000;
    const refused = fencingProducer({
      connection: connectionTo(address),
      transactionalId: 'long',
      timeoutMs,
    });
    await expect(refused).rejects.toThrow(/timeout/i);
  });
});

test('a publisher of letters that is stopped while it connects keeps no connection', async () => {
  const topic = await newTopic(address, 2);
  await leavesNone(async () => {
    const stopping = new AbortController();
    const connection = connectionTo(address);
    const opening = openSession({
      connection,
      outbox: {
        letterStream: async () => ({ id: 'a store', last: -1, published: -1 }),
        letterEvents: async () => [],
        markPublished: async () => undefined,
      },
      ...{ topic, group: topic, cutValues: false, signal: stopping.signal, warn: () => undefined },
      origin: { topic: 'clicks', methodHash: '', methodVersion: 2 },
    });
    await stoppedAmid(opening, topic, stopping);
  });
});

test('a sender that is stopped while it connects keeps no connection', async () => {
  const topic = await newTopic(address, 2);
  await leavesNone(async () => {
    const stopping = new AbortController();
    const connection = connectionTo(address);
    const opening = openPositionedSender({ connection, topic, id: topic, signal: stopping.signal });
    await stoppedAmid(opening, topic, stopping);
  });
});

/** Stops it when it has asked for the topic, about. */
async function stoppedAmid(
  opening: Promise<{ close(): Promise<void> }>,
  topic: string,
  stopping: AbortController,
): Promise<void> {
  const settled = Promise.allSettled([opening]);
  const view = new TopicView(connectionTo(address), topic);
  await view.ranges();
  await view.close();
  stopping.abort();
  const [opened] = await settled;
  if (opened.status === 'fulfilled') await opened.value.close();
}
