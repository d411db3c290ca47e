// Clicks into the embedded log, one by one: each is in its partition when it is acknowledged, in order, once.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { logSource } from '../../src/adapters/embedded/log-source.js';
import { murmur2, partitionOf } from '../../src/core/murmur2.js';
import { SYNC_MODES } from '../../src/spool/click-log.js';
import { embeddedClickLog } from '../../src/spool/embedded-click-log.js';
import { temporaryDirectory } from '../adapters/embedded-logs.js';
import { readAll } from '../contract/source-contract.js';

const PARTITIONS = 3;

test.each(SYNC_MODES)('every click that is acknowledged can be read, sync %s', async (sync) => {
  const { path, remove } = await temporaryDirectory();
  const logDir = join(path, 'log');
  const log = await embeddedClickLog({ logDir, partitions: PARTITIONS, sync });
  const sent = Array.from({ length: 5000 }, (_, i) => ({
    key: `ad_${i % 17} ä`,
    value: `{"click_id":"${i}","x":"${'ü'.repeat(i % 300)}"}`,
  }));
  for (let i = 0; i < sent.length; i += 100) {
    await Promise.all(sent.slice(i, i + 100).map((click) => log.append(click)));
    if (i % 1000 === 0) {
      const read = await readAll(await logSource(logDir));
      expect(read.length).toBe(i + 100);
    }
  }
  expect(log.status()).toMatchObject({ taken: sent.length, refused: 0, waitingRecords: 0 });
  await log.close();

  const read = await readAll(await logSource(logDir));
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const wanted = sent.filter(({ key }) => {
      const bytes = Buffer.from(key);
      return partitionOf(murmur2(bytes, 0, bytes.length), PARTITIONS) === partition;
    });
    const there = read.filter((record) => record.partition === partition);
    expect(there.map(({ key, value }) => ({ key, value }))).toEqual(wanted);
  }
  await remove();
});

test('clicks that are on their way when the log is closed are written', async () => {
  const { path, remove } = await temporaryDirectory();
  const log = await embeddedClickLog({ logDir: path, partitions: PARTITIONS, sync: 'always' });
  const appends = [1, 2, 3].map((i) => log.append({ key: 'ad', value: Buffer.from(`{"click_id":"${i}"}`) }));
  await Promise.all([log.close(), ...appends]);
  expect(await readAll(await logSource(path))).toHaveLength(3);
  await remove();
});
