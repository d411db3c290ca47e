// Commits that are told through Redis: at once while it lives, and no later than the next look at the store while not.
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { LiveStatus } from '../../src/core/live-status.js';
import { openVoice } from '../../src/engine/announce.js';
import type { StatusAnswer } from '../../src/serve/api.js';
import { openStore } from '../../src/stores/open-store.js';
import { dropStore, newStoreUrl } from '../adapters/postgres/shared-server.js';
import { cell, commitOf, MINUTE_MS, START_MS } from '../contract/commits.js';
import { type OwnService, ownService, SERVICE_START_MS } from '../services.js';
import { browser, committed, get, serving } from './serving.js';

const SOON = { interval: 50 };

let redis: OwnService<'redis'>;
beforeAll(async () => {
  redis = await ownService('redis');
}, SERVICE_START_MS);
const ends: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const STATUS: LiveStatus = {
  ...{
    pid: 1,
    startedAtMs: START_MS,
    source: 'topic clicks',
    methodHash: 'hash',
    records: 9,
    recordsPerSecond: 2.5,
  },
  ledger: {
    records: 9,
    invalid: 1,
    too_late: 0,
    duplicate: 0,
    invalid_traffic: 0,
    double_click: 0,
    bot: 0,
    billable: 8,
  },
  partitions: [{ partition: 0, position: 9, end: 12, watermarkMs: START_MS }],
  ...{ rssBytes: 5, horizonClicks: 3, horizonBytes: 300, lastCommitAtMs: START_MS, lastCommitMs: 1 },
};

test('two dashboards hear a run of another machine, also after Redis was killed and came back', async () => {
  const store = await newStoreUrl();
  ends.push(() => dropStore(store));
  const { url } = redis.address;
  const channel = `click-agg:live:${process.pid}`;
  // The run: its store is on a server, its voice goes to Redis.
  const writer = await openStore({ dataDir: 'none', store });
  ends.push(() => writer.close());
  const voice = await openVoice({ redis: url, liveChannel: channel }, () => {});
  ends.push(() => voice.close());
  const { announcer } = voice;
  const speaking = setInterval(() => announcer.status(STATUS), 200);
  ends.push(() => clearInterval(speaking));
  let position = 0;
  const commit = async (clicks: number, told = true) => {
    const made = committed([cell({ clicks, rewrite: position > 0 })], ++position);
    await writer.commit(made);
    if (told) announcer.committed(made);
  };

  const both = await Promise.all(
    [1, 2].map(async () => {
      const open = await serving({ store: { dataDir: 'none', store }, redis: { url, channel } });
      ends.push(() => open.end());
      const watching = await browser(open);
      ends.push(() => watching.socket.terminate());
      watching.say({ type: 'subscribe', id: 'chart', kind: 'series', question: { last: '1m' } });
      watching.say({ type: 'subscribe', id: 'how', kind: 'status', question: {} });
      return { open, watching };
    }),
  );
  const shown = () =>
    both.map(({ watching }) => (watching.state('chart') as { total?: number } | undefined)?.total);

  await commit(1);
  await expect.poll(shown, SOON).toEqual([1, 1]);
  for (const { watching } of both) {
    await expect
      .poll(() => watching.state('how'), SOON)
      .toMatchObject({
        ...{ source: 'redis', live: true, lag: 3, run: { log: 'topic clicks', records_per_second: 2.5 } },
        ledger: { billable: 8 },
      } satisfies Partial<Record<keyof StatusAnswer, unknown>>);
  }
  await commit(2);
  await expect.poll(shown, SOON).toEqual([2, 2]);

  await redis.kill();
  await commit(3);
  // Nobody told it: the store was looked at, and says itself how it is.
  await expect.poll(shown, SOON).toEqual([3, 3]);
  const { content } = await get(both[0]!.open, '/v1/totals?group_by=country');
  expect(content).toMatchObject({ rows: [{ country: 'DE', clicks: 3 }] });
  await expect
    .poll(() => both[0]!.watching.state('how'), SOON)
    .toMatchObject({ source: 'store', live: false });

  await redis.start();
  await commit(4);
  await expect.poll(shown, SOON).toEqual([4, 4]);
  await expect
    .poll(() => both[1]!.watching.state('how'), SOON)
    .toMatchObject({ source: 'redis', live: true });
  // A message that is lost while Redis lives only delays.
  await commit(5, false);
  await expect.poll(shown, SOON).toEqual([5, 5]);
});

test('what others say on the channel is not believed', async () => {
  const { url } = redis.address;
  const channel = `click-agg:live:noise:${process.pid}`;
  const open = await serving({ redis: { url, channel } }, [committed([cell({ clicks: 3 })])]);
  ends.push(() => open.end());
  const { connectRedis } = await import('../../src/adapters/redis/connection.js');
  const noisy = await connectRedis(url);
  ends.push(() => noisy.close());
  for (const text of [
    '',
    '{}',
    '[1]',
    '{"kind":"status","run":"x","status":{"ledger":{},"partitions":7}}',
    'x'.repeat(100_000),
  ])
    await noisy.publish(channel, text);
  // A change that names another minute changes nothing of what the store says.
  const invented = commitOf({ cells: [cell({ clicks: 1_000_000, minuteMs: START_MS + MINUTE_MS })] });
  const { changeOf, messageText } = await import('../../src/live/run-message.js');
  await noisy.publish(channel, messageText(changeOf(invented, { run: 'liar', sequence: 0 })));
  expect((await get(open, '/v1/totals?group_by=country')).content).toMatchObject({ rows: [{ clicks: 3 }] });
  expect((await get(open, '/v1/status')).content).toMatchObject({ live: false });
  expect(open.warnings).toEqual([]);
});
