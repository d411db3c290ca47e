// `click-agg dead-letters`: looked at, counted, taken out, mended and sent again.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import { openLogWriter } from '../../src/adapters/embedded/log-writer.js';
import { readRecords } from '../../src/adapters/embedded/read-records.js';
import { openParquet } from '../../src/lake/parquet-file.js';
import { commitOf, deadLetter, START_MS } from '../contract/commits.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const CLICK = {
  click_id: 'c-1',
  event_time: '2026-02-22T10:00:00Z',
  ad_id: 'ad-1',
  campaign_id: 'campaign-1',
  user_id: 'u-1',
  ip_address: '192.0.2.1',
  country: 'DE',
  device_type: 'mobile',
};
const bytes = (text: string): Uint8Array => Buffer.from(text);
const WRONG_COUNTRY = JSON.stringify({ ...CLICK, country: 'Germany' }, null, 1);
const LETTERS = [
  deadLetter({ partition: 0, offset: 1, value: bytes(WRONG_COUNTRY), valueBytes: WRONG_COUNTRY.length }),
  deadLetter({ partition: 0, offset: 2, reason: 'not_json', value: bytes('\u001b[2J{"a":'), valueBytes: 9 }),
  deadLetter({
    partition: 1,
    offset: 3,
    reason: 'not_json',
    value: Uint8Array.of(0xff, 0, 10),
    valueBytes: 3,
  }),
  deadLetter({
    partition: 2,
    offset: 4,
    reason: 'from_the_future',
    eventTimeMs: START_MS,
    appendTimeMs: START_MS - 600_000,
    value: bytes(JSON.stringify(CLICK)),
    valueBytes: 170,
    key: bytes('ad-1'),
  }),
  deadLetter({
    partition: 2,
    offset: 5,
    verdict: 'too_late',
    reason: 'late',
    value: bytes(JSON.stringify(CLICK)),
  }),
  deadLetter({
    partition: 1,
    offset: 0,
    verdict: 'bot',
    reason: 'many clicks',
    clickId: 'bot-click',
    adId: 'ad-1',
  }),
];

let directory: ReturnType<typeof temporaryDirectory>;
let dataDir: string;
const letters = (...args: string[]) =>
  clickAgg(['dead-letters', args[0]!, '--data-dir', dataDir, ...args.slice(1)]);
const file = (name: string) => join(dataDir, name);

beforeEach(async () => {
  directory = temporaryDirectory();
  dataDir = directory.path;
  const store = await openStore(file('store.duckdb'));
  await store.commit(commitOf({ deadLetters: LETTERS }));
  await store.close();
});
afterEach(() => directory.remove());

async function makeLog(): Promise<void> {
  const log = await openLogWriter(file('log'), { partitions: 2 });
  const value = bytes(JSON.stringify({ ...CLICK, click_id: 'bot-click' }));
  await log.append({
    count: 1,
    bytes: value,
    valueStart: Int32Array.of(0),
    valueEnd: Int32Array.of(value.length),
    partition: Int32Array.of(1),
    appendTimeMs: Float64Array.of(START_MS),
  });
  await log.close();
}

describe('dead letters', () => {
  test('are listed without acting on the terminal, newest first', async () => {
    const { stdout } = await letters('list');
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^record +verdict +reason/);
    expect(lines.slice(1, 7).map((line) => line.split(' ')[0])).toEqual([
      '1:0',
      '2:5',
      '2:4',
      '1:3',
      '0:2',
      '0:1',
    ]);
    expect(stdout).toContain('\\x1b[2J{"a":');
    expect(stdout).not.toContain('\u001b');
    const json = JSON.parse((await letters('list', '--json', '--reason', 'not_json')).stdout) as object[];
    expect(json).toMatchObject([
      { partition: 1, offset: 3, base64: '/wAK' },
      { partition: 0, offset: 2, text: '\u001b[2J{"a":' },
    ]);
    expect((await letters('list', '--json', '--limit', '1')).stdout).toContain('"click_id":"bot-click"');
    expect((await letters('list', '--verdict', 'duplicate')).code).toBe(2);
  });

  test('are counted by verdict and reason', async () => {
    const { stdout } = await letters('count', '--json');
    const none = { admitted_by_backfill: 0 };
    expect(JSON.parse(stdout)).toEqual([
      { verdict: 'invalid', reason: 'not_json', count: 2, ...none },
      { verdict: 'bot', reason: '', count: 1, ...none },
      { verdict: 'invalid', reason: 'country', count: 1, ...none },
      { verdict: 'invalid', reason: 'from_the_future', count: 1, ...none },
      { verdict: 'too_late', reason: '', count: 1, ...none },
    ]);
    expect((await letters('count')).stdout).toMatch(/invalid +not_json +2/);
  });

  test('are shown byte by byte', async () => {
    const { stdout, stderr } = await letters('show', '0:1');
    expect(stdout).toBe(WRONG_COUNTRY);
    expect(stderr).toContain('reason: country');
    expect(JSON.parse((await letters('show', '1:3', '--json')).stdout)).toMatchObject({ base64: '/wAK' });
    expect(await letters('show', '7:7')).toMatchObject({ code: 1 });
    expect(await letters('show', 'seven')).toMatchObject({ code: 2 });
  });

  test('of bots are shown from the log, where it has them', async () => {
    expect((await letters('show', '1:0')).stderr).toMatch(/neither in the log nor in the lake/);
    await makeLog();
    const { stdout, stderr } = await letters('show', '1:0');
    expect(JSON.parse(stdout)).toEqual({ ...CLICK, click_id: 'bot-click' });
    expect(stderr).toContain('bytes from: the log');
  });

  test('of bots are shown from a lake that is elsewhere', async () => {
    const payload = JSON.stringify({ ...CLICK, click_id: 'bot-click', invalid_traffic: 'crawler' });
    const envelope = { topic: 'clicks', partition: 1, offset: 0, ts: START_MS, key: 'ad-1', payload };
    writeFileSync(file('log.ndjson'), `${JSON.stringify(envelope)}\n`);
    const lake = ['--lake', file('another-lake')];
    const input = ['--input', file('log.ndjson'), '--data-dir', file('data')];
    const written = await clickAgg(['lake', ...input, ...lake]);
    expect(written).toMatchObject({ code: 0 });
    const { stdout, stderr } = await letters('show', '1:0', ...lake);
    expect(JSON.parse(stdout)).toMatchObject({ ad_id: 'ad-1', invalid_traffic: 'crawler' });
    expect(stderr).toContain('bytes from: the lake');
  });

  test('are exported as NDJSON and as Parquet, and never over another file', async () => {
    expect(await letters('export', file('all.ndjson'))).toMatchObject({ code: 0 });
    const lines = readFileSync(file('all.ndjson'), 'utf8').trim().split('\n');
    const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(read.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 3],
      [2, 4],
      [2, 5],
    ]);
    expect(read[0]).toMatchObject({ reason: 'country', click: { country: 'Germany' } });
    expect(read[4]).toMatchObject({ event_time: '2026-02-22T10:00:00.000Z', click: CLICK });
    const again = await letters('export', file('all.ndjson'));
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') });
    expect((await letters('export', '-')).stdout).toBe(`${lines.join('\n')}\n`);

    await letters('export', file('bad.parquet'), '--verdict', 'invalid');
    const parquet = await openParquet(file('bad.parquet'));
    const rows: Record<string, unknown>[] = [];
    for await (const group of parquet.rowGroups()) rows.push(...group);
    await parquet.close();
    expect(rows).toHaveLength(4);
    expect(rows[0]).toMatchObject({ partition: 0, offset: 1n, reason: 'country' });
    expect(Buffer.from(rows[2]!.value as Uint8Array)).toEqual(Buffer.of(0xff, 0, 10));
    expect(rows[3]).toMatchObject({ event_time: BigInt(START_MS), append_time: BigInt(START_MS - 600_000) });
    expect(await letters('export', 'letters.csv')).toMatchObject({ code: 2 });
  });

  test('are mended, sent again to the log once, and marked', async () => {
    await makeLog();
    await letters('export', file('bad.ndjson'), '--reason', 'country');
    const mended = readFileSync(file('bad.ndjson'), 'utf8').replace('"Germany"', '"DE"');
    writeFileSync(
      file('mended.ndjson'),
      `\n${mended}${JSON.stringify({ ...CLICK, click_id: 'c-2', ad_id: 'ä' })}\n`,
    );
    const sent = await letters('redrive', '--input', file('mended.ndjson'), '--json');
    expect([sent.code, sent.stderr]).toEqual([0, '']);
    expect(JSON.parse(sent.stdout)).toEqual({ sent: 2, to: file('log') });

    const records = [
      ...(await readRecords(file('log'), 0, [0, 1])),
      ...(await readRecords(file('log'), 1, [1, 2])),
    ];
    const clicks = records.map(({ value, key }) => {
      const click = JSON.parse(Buffer.from(value).toString()) as typeof CLICK;
      expect(Buffer.from(key!).toString()).toBe(click.ad_id);
      return click;
    });
    expect(clicks.map(({ click_id }) => click_id).sort()).toEqual(['c-1', 'c-2']);
    expect(clicks).toContainEqual(CLICK);

    const twice = await letters('redrive', '--input', file('mended.ndjson'));
    expect([twice.code, twice.stderr]).toEqual([
      1,
      expect.stringMatching(/line 2 of .* was sent again already/),
    ]);
    expect((await letters('list', '--reason', 'country')).stdout).toContain('sent again');
    expect(await letters('redrive', '--input', file('mended.ndjson'), '--again')).toMatchObject({ code: 0 });
  });

  test('that are still invalid are refused by their line, and nothing is sent', async () => {
    await makeLog();
    await letters('export', file('bad.ndjson'), '--verdict', 'invalid');
    const half = readFileSync(file('bad.ndjson'), 'utf8').replace('"Germany"', '"DE"');
    writeFileSync(file('half.ndjson'), half);
    const { code, stderr } = await letters('redrive', '--input', file('half.ndjson'));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/line 2 of .* is still invalid: not_json; nothing was/),
    ]);
    expect((await readRecords(file('log'), 0, [0, 1])).length).toBe(0);
    expect((await letters('list')).stdout).not.toContain('sent again');
  });

  test('from the future are sent as they are when their time has come; others say why not', async () => {
    const { code, stdout } = await letters('redrive', '--at', '2:4', '--output', '-');
    expect([code, stdout]).toEqual([0, `${JSON.stringify(CLICK)}\n`]);
    for (const [at, words] of [
      ['0:1', 'still invalid: country'],
      ['2:5', 'backfill'],
      ['1:0', "a bot's click"],
      ['2:4', 'sent again already'],
      ['9:9', 'no dead letter'],
    ] as const) {
      const refused = await letters('redrive', '--at', at, '--output', file('out.ndjson'));
      expect([refused.code, refused.stdout], at).toEqual([1, '']);
      expect(refused.stderr).toContain(words);
    }
    expect(await letters('redrive', '--at', 'x')).toMatchObject({ code: 2 });
    expect(await letters('redrive')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--input or --at'),
    });
  });

  test('ahead of all that was counted are refused, and too late ones are warned of', async () => {
    await makeLog();
    const position = (maxEventTimeMs: number) => ({
      partition: 0,
      position: 1,
      maxEventTimeMs,
      rewindOffset: 0,
      rewindMaxEventTimeMs: -Infinity,
    });
    const count = async (maxEventTimeMs: number) => {
      const store = await openStore(file('store.duckdb'));
      const positions = [position(maxEventTimeMs), { ...position(maxEventTimeMs), partition: 1 }];
      await store.commit(commitOf({ positions }));
      await store.close();
    };
    await count(START_MS - 3_600_000);
    const { code, stderr } = await letters('redrive', '--at', '2:4');
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('record 2:4 is 3600 s ahead of the newest click'),
    ]);
    await count(START_MS + 3_600_000);
    const late = await letters('redrive', '--at', '2:4');
    expect([late.code, late.stderr]).toEqual([0, expect.stringContaining('1 of 1 will be too late by now')]);
  });

  test('can not be sent into a log that is not there, or from a file that is not', async () => {
    expect(await letters('redrive', '--at', '2:4')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no embedded log'),
    });
    expect(await letters('redrive', '--input', file('none'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("can't read"),
    });
    const piped = await clickAgg(
      ['dead-letters', 'redrive', '--data-dir', dataDir, '-i', '-', '--output', '-'],
      {
        input: '{"partition":0,"offset":77,"verdict":"invalid","click":{}}\n',
      },
    );
    expect([piped.code, piped.stderr]).toEqual([1, expect.stringContaining('there is no dead letter 0:77')]);
  });
});
