// `click-agg query` as people and programs use it, on a small store.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import type { LiveStatus } from '../../src/core/live-status.js';
import { startLiveServer } from '../../src/live/server.js';
import { cell, commitOf, ledgerChange, MINUTE_MS, START_MS } from '../contract/commits.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const directory = temporaryDirectory();
const dataDir = directory.path;
const query = (...args: string[]) => clickAgg(['query', '--data-dir', dataDir, ...args]);
const hostile = 'ad,"\u001b[2J\u202e\r\n';

beforeAll(async () => {
  const store = await openStore(join(dataDir, 'store.duckdb'));
  await store.commit(
    commitOf({
      cells: [
        cell({ clicks: 1 }),
        cell({ clicks: 2, minuteMs: START_MS + MINUTE_MS, country: 'US', deviceType: 'tv' }),
        cell({ clicks: 4, adId: hostile, campaignId: 'campaign-2', minuteMs: START_MS + 60 * MINUTE_MS }),
      ],
      ledger: [ledgerChange(0, START_MS, { billable: 7, bot: 1 }), ledgerChange(1, -1, { invalid: 2 })],
    }),
  );
  await store.close();
});
afterAll(() => directory.remove());

describe('query', () => {
  test('prints every cell as JSON, sorted, with the fields in their order', async () => {
    const { code, stdout, stderr } = await query('--format', 'json');
    expect([code, stderr]).toEqual([0, '']);
    const first = '{"minute":"2026-02-22T10:00:00Z","ad_id":"ad-1","campaign_id":"campaign-1",';
    expect(stdout.startsWith(`[${first}"country":"DE","device_type":"mobile","clicks":1},\n`)).toBe(true);
    const rows = JSON.parse(stdout) as { minute: string; ad_id: string; clicks: number }[];
    expect(rows.map(({ minute, ad_id, clicks }) => [minute, ad_id, clicks])).toEqual([
      ['2026-02-22T10:00:00Z', 'ad-1', 1],
      ['2026-02-22T10:01:00Z', 'ad-1', 2],
      ['2026-02-22T11:00:00Z', hostile, 4],
    ]);
    expect((await query('--json')).stdout).toBe(stdout);
  });

  test('prints CSV by RFC 4180', async () => {
    const { stdout } = await query('--format', 'csv', '--group-by', 'ad_id,hour');
    expect(stdout).toBe(
      'ad_id,hour,clicks\r\n"ad,""\u001b[2J\u202e\r\n",2026-02-22T11:00:00Z,4\r\n' +
        'ad-1,2026-02-22T10:00:00Z,3\r\n',
    );
  });

  test('prints a table in which nothing acts on the terminal', async () => {
    const { stdout } = await query('--group-by', 'ad_id', '--group-by', 'campaign_id', '--top', '1');
    expect(stdout).toContain('\\x1b[2J\\u202e\\r\\n');
    expect(stdout).not.toContain('\u001b');
    expect(stdout.split('\n')[0]).toMatch(/^ad_id +campaign_id +clicks$/);
  });

  test('filters by lists and by repeated options', async () => {
    const clicks = async (...args: string[]) =>
      (JSON.parse((await query('--json', ...args)).stdout) as { clicks: number }[]).map((row) => row.clicks);
    expect(await clicks('--ad', 'ad-1,none')).toEqual([1, 2]);
    expect(await clicks('--ad', hostile.replaceAll(',', '\\,'))).toEqual([4]);
    expect(await clicks('--country', 'us', '--country', 'FR')).toEqual([2]);
    expect(await clicks('--device', 'tv,mobile', '--campaign', 'campaign-2')).toEqual([4]);
    expect(await clicks('--from', '2026-02-22T10:01Z', '--to', '2026-02-22T11:00Z')).toEqual([2]);
    expect(await clicks('--limit', '1')).toEqual([1]);
    expect(await clicks('--ad', 'none')).toEqual([]);
  });

  test('shows the ledger', async () => {
    const { stdout } = await query('--ledger', '--json');
    expect(JSON.parse(stdout)).toEqual({
      records: 10,
      invalid: 2,
      too_late: 0,
      duplicate: 0,
      invalid_traffic: 0,
      double_click: 0,
      bot: 1,
      billable: 7,
    });
    const period = await query(
      '--ledger',
      '--json',
      '--from',
      '2026-02-22T10:00Z',
      '--to',
      '2026-02-22T10:01Z',
    );
    expect(JSON.parse(period.stdout)).toMatchObject({ records: 8, invalid: 0 });
    expect((await query('--ledger', '--format', 'csv')).stdout).toMatch(/^verdict,records\r\nrecords,10\r\n/);
    expect((await query('--ledger')).stdout).toMatch(/billable +7/);
  });

  test('refuses what it can not answer with exit code 2', async () => {
    for (const [args, words] of [
      [['--group-by', 'user_id'], 'must be one of minute, hour, day'],
      [['--group-by', 'hour,hour'], 'twice'],
      [['--device', 'phone'], 'mobile, desktop, tablet'],
      [['--country', 'GERMANY'], 'two letters'],
      [['--from', '2026-02-23', '--to', '2026-02-22'], '--from must be before --to'],
      [['--top', '3', '--limit', '3'], '--top or --limit'],
      [['--ledger', '--ad', 'x'], '--ledger goes with'],
      [['--format', 'xml'], 'table, json, csv'],
    ] as const) {
      const { code, stdout, stderr } = await query(...args);
      expect([code, stdout], args.join(' ')).toEqual([2, '']);
      expect(stderr).toContain(words);
    }
  });

  test('says what to do where nothing was counted yet', async () => {
    const { code, stderr } = await clickAgg(['query', '--data-dir', join(dataDir, 'none')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^click-agg: no totals in .* yet: run `click-agg run` first\n/);
  });

  test('asks the run while one lives', async () => {
    const store = await openStore(join(dataDir, 'store.duckdb'));
    const server = await startLiveServer({
      store,
      status: () => ({}) as LiveStatus,
      beforeSnapshot: async () => {},
      dataDir,
    });
    try {
      const { stdout } = await query('--json', '--group-by', 'country');
      expect(JSON.parse(stdout)).toEqual([
        { country: 'DE', clicks: 5 },
        { country: 'US', clicks: 2 },
      ]);
    } finally {
      await server.close();
      await store.close();
    }
  });
});
