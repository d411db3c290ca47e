// The proof after a storm finds what it is there to find: from a sound end, each promise is broken once by hand.
import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteOldRecords } from '../../src/torture/old-records.js';
import { type Evidence, prove } from '../../src/torture/proof.js';
import { newCensus, quietKafka, readWhole } from '../../src/torture/topic-census.js';
import { clickAgg, temporaryDirectory } from '../cli/click-agg.js';
import { SERVICE_START_MS, service } from '../services.js';

const folder = temporaryDirectory();
const topic = `proof-${randomUUID().slice(0, 8)}`;
const schema = topic.replace('-', '_');
let evidence: Evidence;

beforeAll(async () => {
  const { brokers } = await service('kafka');
  const { url: store } = await service('postgres');
  const lake = join(folder.path, 'lake');
  const place = { dataDir: join(folder.path, 'data-dir'), store: `${store}?schema=${schema}` };
  evidence = { brokers, store: place, lake, topic, letterTopic: `${topic}.dead-letters` };
  const env = {
    CLICK_AGG_BROKERS: brokers,
    CLICK_AGG_TOPIC: topic,
    CLICK_AGG_STORE: place.store,
    CLICK_AGG_GROUP: topic,
    CLICK_AGG_DATA_DIR: place.dataDir,
  };
  for (const args of [
    ['topics', 'create', '--partitions', '2'],
    ['loadgen', '-n', '3000', '--event-rate', '2', '--malformed', '5%', '--seed', '5'],
    ['run', '--until-end'],
    ['lake', '--until-end', '--lake', lake],
  ]) {
    const { code, stderr } = await clickAgg([...args, '--quiet'], { env });
    expect({ args, code }, stderr).toEqual({ args, code: 0 });
  }
}, SERVICE_START_MS);

afterAll(async () => {
  await sql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  folder.remove();
});

test('a sound end has no problems; a record, letter, verdict or file too many or too few is one', async () => {
  const sound = await prove(evidence);
  expect(sound).toMatchObject({ problems: [], records: 3000, partitions: 2 });
  expect(sound.deadLetters).toBeGreaterThan(100);

  // Retention changes nothing of it, if the topic was looked at before.
  const census = newCensus();
  expect(await deleteOldRecords(evidence, census)).toBeGreaterThan(0);
  expect(await prove(evidence, census)).toEqual(sound);

  await sql(`UPDATE ${schema}.ledger SET billable = billable + 1
             WHERE (partition, minute) = (SELECT partition, minute FROM ${schema}.ledger WHERE partition = 1 AND billable > 0 LIMIT 1)`);
  await sql(`DELETE FROM ${schema}.dead_letters
             WHERE (partition, "offset") = (SELECT partition, "offset" FROM ${schema}.dead_letters LIMIT 1)`);
  await doubleOneLetter();
  await produceOneMore();
  removeOneFile();

  const broken = (await prove(evidence, census)).problems.join('\n');
  expect(broken).toMatch(/partition 1 holds \d+ records, the ledger has \d+/);
  expect(broken).toMatch(/the totals hold \d+ clicks, the ledger \d+ billable ones/);
  expect(broken).toMatch(/\d+ dead letters are \w+, of \d+ such records/);
  expect(broken).toMatch(/1 dead letters are in the topic alone/);
  expect(broken).toMatch(/1 dead letters have other bytes than their records/);
  expect(broken).toMatch(/holds event \w+:\d+ 2 times/);
  expect(broken).toMatch(/partition 0 ends at \d+, the position is \d+/);
  expect(broken).toMatch(/the lake has records \d+ of partition \d, the topic \d+/);
});

/** The first letter of the topic once more, with another key. */
async function doubleOneLetter(): Promise<void> {
  const letters: { partition: number; value: Buffer | null; headers: Record<string, string> }[] = [];
  await readWhole(evidence.brokers, evidence.letterTopic, (partition, { value, headers = {} }) => {
    const texts = Object.entries(headers).map(([name, header]) => [name, String(header)]);
    letters.push({ partition, value, headers: Object.fromEntries(texts) as Record<string, string> });
  });
  // In the partition of the first one, so that it is read behind it.
  await send(evidence.letterTopic, { ...letters[0]!, key: 'another key' });
}

function produceOneMore(): Promise<void> {
  return send(topic, { value: Buffer.from('one more'), partition: 0 });
}

async function send(
  to: string,
  message: { key?: string; value: Buffer | null; headers?: Record<string, string>; partition?: number },
): Promise<void> {
  const producer = quietKafka(evidence.brokers).producer();
  await producer.connect();
  await producer.send({ topic: to, messages: [message] });
  await producer.disconnect();
}

function removeOneFile(): void {
  const files = readdirSync(evidence.lake, { recursive: true, encoding: 'utf8' });
  rmSync(join(evidence.lake, files.find((name) => /^dt=.*\.parquet$/.test(name))!));
}

async function sql(text: string): Promise<void> {
  const client = new pg.Client((await service('postgres')).url);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
