// Marked clicks on their way through the commands, by both versions of the method, and a store of version 1 that goes on.
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFixture } from '../oracle/fixtures.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const folder = temporaryDirectory();
afterAll(() => folder.remove());

const FIXTURE = readFixture('invalid-traffic');
const CRAWLER = 'crawler (isbot 5.1.31)';

/** Runs a command that must succeed; its JSON. */
async function jsonOf(...args: string[]) {
  const outcome = await clickAgg([...args, '--json', '-q']);
  expect(outcome.code, outcome.stderr).toBe(0);
  return JSON.parse(outcome.stdout);
}

async function countedBy(name: string, ...args: string[]): Promise<string> {
  const dataDir = join(folder.path, name);
  await jsonOf('run', '--input', FIXTURE.logFile, '--data-dir', dataDir, '--lake', ...args);
  return dataDir;
}

test('clicks that were wrongly marked are billed by records of their own, once, and all agree', async () => {
  const dataDir = join(folder.path, 'unmarked');
  const place = ['--data-dir', dataDir];
  const marked = [
    '--invalid-traffic-share',
    '0.1',
    '--bots',
    '0',
    '--duplicates',
    '0',
    '--double-clicks',
    '0',
  ];
  await jsonOf('loadgen', ...place, '--count', '2000', '--seed', '11', '--event-rate', '100', ...marked);
  const counted = async () => {
    await jsonOf('run', ...place, '--until-end', '--lake');
    expect(await jsonOf('reconcile', ...place)).toMatchObject({ agree: true });
    return await jsonOf('query', '--ledger', ...place);
  };
  const before = await counted();
  expect(before.invalid_traffic).toBeGreaterThan(100);
  const file = join(folder.path, 'marked.ndjson');
  await jsonOf('dead-letters', 'export', file, ...place, '--verdict', 'invalid_traffic');
  const redrive = (...args: string[]) => clickAgg(['dead-letters', 'redrive', ...place, ...args, '--json']);
  expect(await redrive('-i', file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has no click'),
  });
  const sent = await redrive('-i', file, '--unmark');
  expect(sent.code, sent.stderr).toBe(0);
  const after = await counted();
  const n = before.invalid_traffic;
  expect(JSON.parse(sent.stdout)).toMatchObject({ sent: n });
  // What the filter took out stays in the ledger, and each has a click beside it that is judged like any other.
  expect(after).toMatchObject({
    records: before.records + n,
    invalid_traffic: n,
    duplicate: before.duplicate,
  });
  const judged = ({ billable, double_click, bot, too_late }: typeof before) =>
    billable + double_click + bot + too_late;
  expect(judged(after)).toBe(judged(before) + n);
  expect(after.billable).toBeGreaterThan(before.billable + n / 2);
  expect(await redrive('-i', file, '--unmark')).toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('was sent again already') },
  });
  expect((await redrive('-i', file, '--unmark', '--again')).code).toBe(0);
  const twice = await counted();
  expect([twice.billable, twice.duplicate + twice.too_late]).toEqual([
    after.billable,
    after.duplicate + after.too_late + n,
  ]);
});

describe('by version 2, the default', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await countedBy('on');
  });

  test('marked clicks have a verdict of their own, in the stream and in the recomputation', async () => {
    expect(await jsonOf('query', '--ledger', '--data-dir', dataDir)).toEqual(FIXTURE.ledger);
    expect(await jsonOf('query', '--data-dir', dataDir)).toEqual(FIXTURE.totals);
    const report = await jsonOf('reconcile', '--data-dir', dataDir);
    expect(report).toMatchObject({ agree: true, ledger: FIXTURE.ledger, ledger_stream: FIXTURE.ledger });
    expect(report.method).toMatchObject({ version: 2, invalidTraffic: true });
  });

  test('they are dead letters by their mark, and stay out of what is sent again', async () => {
    const counts = await jsonOf('dead-letters', 'count', '--data-dir', dataDir);
    expect(counts).toContainEqual(
      expect.objectContaining({ verdict: 'invalid_traffic', reason: CRAWLER, count: 3 }),
    );
    const args = ['dead-letters', 'list', '--data-dir', dataDir, '--verdict', 'invalid_traffic', '--json'];
    const { stdout } = await clickAgg([...args, '--reason', 'data centre (cloud.txt)']);
    const letter = JSON.parse(stdout.trim().split('\n')[0]!);
    expect([letter].flat()[0]).toMatchObject({ verdict: 'invalid_traffic', click_id: 'm-4', ad_id: 'ad-1' });
    const again = await clickAgg(['dead-letters', 'redrive', '--at', '0:0', '--data-dir', dataDir]);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain('0:0 is marked as invalid traffic; sent again it would be a duplicate');
  });

  test('explain says what a click is marked with, and why the next one is billed', async () => {
    const explained = async (clickId: string) =>
      (await jsonOf('explain', clickId, '--data-dir', dataDir)).records;
    expect(await explained('m-1')).toMatchObject([
      {
        verdict: 'invalid_traffic',
        why: `it is marked as invalid traffic: "${CRAWLER}"`,
        facts: { mark: CRAWLER },
      },
      { verdict: 'duplicate', facts: { first_offset: 0 } },
      { verdict: 'duplicate', facts: { first_offset: 0 } },
    ]);
    expect(await explained('click-04')).toMatchObject([
      { verdict: 'double_click', facts: { opening_click_id: 'click-02' } },
    ]);
  });

  test('a backfill admits marked clicks as what they are', async () => {
    const period = ['--from', '2026-02-22T10:00', '--to', '2026-02-22T10:03'];
    const done = await jsonOf('backfill', '--data-dir', dataDir, ...period);
    expect(done.ledger_before).toMatchObject({ too_late: 2, invalid_traffic: 2 });
    expect(done.ledger_after).toMatchObject({ too_late: 0, invalid_traffic: 3 });
    expect(await jsonOf('reconcile', '--data-dir', dataDir)).toMatchObject({ agree: true });
  });
});

describe('by version 1', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await countedBy('off', '--invalid-traffic', 'off');
  });

  test('the field is an unknown one', async () => {
    expect(await jsonOf('query', '--ledger', '--data-dir', dataDir)).toEqual(FIXTURE.off!.ledger);
    expect(await jsonOf('query', '--data-dir', dataDir)).toEqual(FIXTURE.off!.totals);
    const report = await jsonOf('reconcile', '--data-dir', dataDir);
    expect(report).toMatchObject({ agree: true, ledger: FIXTURE.off!.ledger });
    expect(report.method.hash).toBe('4de2adcb38ced86a');
    const [record] = (await jsonOf('explain', 'm-1', '--data-dir', dataDir)).records;
    expect(record).toMatchObject({ verdict: 'billable' });
    expect(JSON.stringify(record)).not.toContain('crawler');
  });

  test('a store is not counted by both', async () => {
    const run = ['run', '--input', FIXTURE.logFile, '--data-dir', dataDir, '--invalid-traffic', 'on'];
    const on = await clickAgg(run);
    expect(on).toMatchObject({ code: 2 });
    expect(on.stderr).toContain('this data directory was counted with --invalid-traffic off');
    const reconcile = await clickAgg(['reconcile', '--data-dir', dataDir, '--invalid-traffic', 'on']);
    expect(reconcile).toMatchObject({ code: 2 });
    expect(reconcile.stderr).toContain('--invalid-traffic on: the store was counted with off');
  });
});

test('a store that version 1 counted goes on by it, says so, and agrees', async () => {
  const load = (dataDir: string, seed: number) =>
    clickAgg([
      ...['loadgen', '-n', '4000', '--seed', String(seed), '--event-rate', '20', '--users', '200', '-q'],
      ...['--ads', '50', '--campaigns', '5', '--invalid-traffic-share', '20%', '--data-dir', dataDir],
    ]);
  const inTwo = join(folder.path, 'in-two');
  await load(inTwo, 1);
  await jsonOf('run', '--until-end', '--data-dir', inTwo, '--lake', '--invalid-traffic', 'off');
  await makeOld(join(inTwo, 'store.duckdb'));
  await load(inTwo, 2);
  const goesOn = await clickAgg(['run', '--until-end', '--data-dir', inTwo, '--lake']);
  expect(goesOn).toMatchObject({ code: 0 });
  expect(goesOn.stderr).toContain('counted by version 1 of the method until now, and so it goes on');

  const atOnce = join(folder.path, 'at-once');
  await load(atOnce, 1);
  await load(atOnce, 2);
  await jsonOf('run', '--until-end', '--data-dir', atOnce, '--invalid-traffic', 'off');
  for (const what of [[], ['--ledger']])
    expect(await jsonOf('query', ...what, '--data-dir', inTwo)).toEqual(
      await jsonOf('query', ...what, '--data-dir', atOnce),
    );
  const report = await jsonOf('reconcile', '--data-dir', inTwo);
  expect(report).toMatchObject({ agree: true, method: { version: 1, hash: '4de2adcb38ced86a' } });
  expect(report.ledger).toMatchObject({ records: 8000, invalid_traffic: 0 });
  const lake = await jsonOf('lake', 'status', '--data-dir', inTwo);
  expect(lake).toMatchObject({ method_hash: '4de2adcb38ced86a' });
});

/** Takes the store's file back to how it was made before there was invalid traffic. */
async function makeOld(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await connection.run(`ALTER TABLE ledger DROP COLUMN invalid_traffic;
    DELETE FROM meta WHERE name = 'commits';
    UPDATE meta SET value = '2' WHERE name = 'schema_version'`);
  connection.closeSync();
  instance.closeSync();
}
