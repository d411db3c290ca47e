// What a run says to those who watch it: every commit, with what it changed, to fast and slow listeners alike.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import type { LiveStatus } from '../../src/core/live-status.js';
import { Announcer } from '../../src/live/announcer.js';
import { connectLive } from '../../src/live/client.js';
import { CHANGED_CELLS_MAX, changeOf, messageOf, type RunMessage } from '../../src/live/run-message.js';
import { startLiveServer } from '../../src/live/server.js';
import { cell, commitOf, MINUTE_MS, START_MS } from '../contract/commits.js';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'click-agg-messages-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

async function liveRun() {
  const announcer = new Announcer();
  const store = await openStore(join(dataDir, 'store.duckdb'));
  const server = await startLiveServer({
    ...{ store, announcer, dataDir, status: () => ({}) as LiveStatus, beforeSnapshot: async () => {} },
  });
  const client = await connectLive(dataDir);
  return {
    announcer,
    client: client!,
    async end() {
      await server.close();
      await store.close();
    },
  };
}

test('a commit is told with its changed cells, absolute', () => {
  const later = cell({ minuteMs: START_MS + MINUTE_MS, country: 'US', clicks: 7 });
  const message = changeOf(commitOf({ cells: [later, cell({ clicks: 2 })] }), { run: 'r', sequence: 4 });
  expect(message).toMatchObject({
    ...{ kind: 'change', run: 'r', sequence: 4, fromMs: START_MS, toMs: START_MS + 2 * MINUTE_MS },
    changed: {
      dimensions: [
        ['ad-1', 'campaign-1', 'US', 'mobile'],
        ['ad-1', 'campaign-1', 'DE', 'mobile'],
      ],
      cells: [
        [START_MS + MINUTE_MS, 0, 7],
        [START_MS, 1, 2],
      ],
    },
  });
  expect(messageOf(JSON.stringify(message))).toEqual(message);
});

test('a commit of very many cells is told by its minutes alone', () => {
  const cells = Array.from({ length: CHANGED_CELLS_MAX + 1 }, (_, i) => cell({ adId: `ad-${i}` }));
  const message = changeOf(commitOf({ cells }), { run: 'r', sequence: 0 });
  expect(message).toMatchObject({ fromMs: START_MS, toMs: START_MS + MINUTE_MS });
  expect(message).not.toHaveProperty('changed');
});

test('what is no message is none', () => {
  for (const text of [
    '',
    '{',
    'null',
    '7',
    '[]',
    '{"kind":"change"}',
    '{"kind":"change","run":"r","fromMs":1}',
  ])
    expect(messageOf(text)).toBeUndefined();
  expect(messageOf('{"kind":"status","run":"r","status":null}')).toBeUndefined();
  expect(messageOf('{"kind":"missed"}')).toEqual({ kind: 'missed' });
});

test('listeners hear a run until it ends', async () => {
  const { announcer, client, end } = await liveRun();
  const listening = new AbortController();
  const heard: RunMessage[] = [];
  const messages = await client.messages(listening.signal);
  const listened = (async () => {
    for await (const message of messages) heard.push(message);
  })();
  announcer.committed(commitOf({ cells: [cell()] }));
  announcer.committed(commitOf({}));
  await expect.poll(() => heard.length).toBe(2);
  expect(heard).toMatchObject([
    { kind: 'change', sequence: 0 },
    { kind: 'change', sequence: 1, fromMs: 0, toMs: 0 },
  ]);
  await end();
  await listened;
});

test('a listener that does not read costs the run no memory, and is told that it missed something', async () => {
  const { announcer, client, end } = await liveRun();
  const messages = await client.messages(new AbortController().signal);
  const cells = Array.from({ length: 2_000 }, (_, i) => cell({ adId: `${'ad'.repeat(50)}-${i}` }));
  const commit = commitOf({ cells });
  // Some 400 KB each: what the sockets hold is full soon.
  for (let i = 0; i < 300; i++) {
    announcer.committed(commit);
    await new Promise(setImmediate);
  }
  const heard: string[] = [];
  for await (const { kind } of messages) {
    heard.push(kind);
    if (kind === 'missed') break;
  }
  expect(heard.length).toBeLessThan(100);
  await end();
});

test('a listener that goes away is forgotten', async () => {
  const { announcer, client, end } = await liveRun();
  // More than there may be at a time: the run notices a moment later.
  for (let i = 0; i < 100; i++) {
    const leaving = new AbortController();
    await expect.poll(() => client.messages(leaving.signal).then(() => 'listens', String)).toBe('listens');
    leaving.abort();
  }
  announcer.committed(commitOf({}));
  await end();
});
