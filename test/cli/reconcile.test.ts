// `click-agg reconcile` as people use it: zero difference, differences found, reports, bills and closed periods.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { envelopes, FIRST_HOUR, SECOND_HOUR } from '../batch/story.js';
import { BIN, clickAgg, temporaryDirectory } from './click-agg.js';

const folder = temporaryDirectory();
afterAll(() => folder.remove());

/** Counts and keeps these records in a data directory of its own. */
async function countedIn(name: string, lines: string): Promise<string> {
  const dataDir = join(folder.path, name);
  const input = join(folder.path, `${name}.ndjson`);
  writeFileSync(input, lines);
  const run = await clickAgg(['run', '--input', input, '--data-dir', dataDir, '--lake', '-q']);
  expect(run, run.stderr).toMatchObject({ code: 0 });
  return dataDir;
}

async function reconciled(dataDir: string, ...args: string[]) {
  const outcome = await clickAgg(['reconcile', '--data-dir', dataDir, '--json', '-q', ...args]);
  return { ...outcome, report: outcome.stdout === '' ? undefined : JSON.parse(outcome.stdout) };
}

describe('a store that counted right', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await countedIn('right', envelopes([...FIRST_HOUR, ...SECOND_HOUR]));
  });

  test('agrees, with the whole ledger', async () => {
    const { code, report } = await reconciled(dataDir);
    expect(code).toBe(0);
    expect(report).toMatchObject({
      agree: true,
      differing: 0,
      differences: [],
      ledger_differences: [],
      open: 0,
    });
    expect(report.ledger).toEqual({
      ...{ records: 43, invalid: 1, too_late: 2, duplicate: 1, invalid_traffic: 0 },
      ...{ double_click: 2, bot: 31, billable: 6 },
    });
    expect(report.ledger_stream).toEqual(report.ledger);
    expect(report.clicks).toEqual({ stream: 6, batch: 6 });
    expect(report.method.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(report.positions).toHaveLength(2);
  });

  test('agrees on a period, whose ledger leaves out what has no time', async () => {
    const { code, report } = await reconciled(
      dataDir,
      '--from',
      '2026-02-22T10:01',
      '--to',
      '2026-02-22T10:06',
    );
    expect(code).toBe(0);
    expect(report.ledger).toEqual({
      ...{ records: 35, invalid: 0, too_late: 1, duplicate: 1, invalid_traffic: 0 },
      ...{ double_click: 1, bot: 31, billable: 1 },
    });
    expect(report.period).toEqual({ from: '2026-02-22T10:01:00Z', to: '2026-02-22T10:06:00Z' });
  });

  test('is billed in exact decimals, a campaign at its own price', async () => {
    const prices = join(folder.path, 'prices.csv');
    writeFileSync(prices, 'campaign_id,price,currency\ncamp-1,0.333,USD\n');
    const { code, report } = await reconciled(dataDir, '--prices', prices, '--price', '0.10');
    expect(code).toBe(0);
    expect(report.billing).toEqual([
      { campaign_id: 'camp-1', clicks: 6, price_per_click: '0.333', amount: '1.998', currency: 'USD' },
    ]);
    for (const [file, why] of [
      ['/nowhere.csv', 'there is none'],
      [folder.path, 'it is a folder'],
    ] as const) {
      const { code, stderr } = await clickAgg(['reconcile', '--data-dir', dataDir, '--prices', file]);
      expect([code, stderr]).toEqual([2, `click-agg: can't read --prices ${file}: ${why}\n`]);
    }
  });

  test('is told to a person as tables and a verdict', async () => {
    const { code, stdout } = await clickAgg(['reconcile', '--data-dir', dataDir, '--price', '0.10', '-q']);
    expect(code).toBe(0);
    expect(stdout).toContain('Stream and batch agree to the click: 4 cells, 6 clicks, difference 0.');
    expect(stdout).toMatch(/double click\s+2\s+2\s+0/);
    expect(stdout).toMatch(/camp-1\s+6\s+0\.10\s+0\.60\s+EUR/);
  });

  test('is reported as JSON, CSV and a page of its own', async () => {
    for (const extension of ['json', 'csv', 'html']) {
      const path = join(folder.path, `report.${extension}`);
      const args = ['--report', path, '--price', '0.10'];
      expect((await reconciled(dataDir, ...args)).code).toBe(0);
      const content = readFileSync(path, 'utf8');
      if (extension === 'json') expect(JSON.parse(content).agree).toBe(true);
      if (extension === 'csv') expect(content).toContain(',camp-1,,,,6,0.10,0.60,EUR,');
      if (extension === 'html') {
        expect(content).toContain('Stream and batch agree on all 4 cells');
        expect(content).not.toMatch(/<script|src=|href=/);
      }
    }
  });

  test.each([
    [['--from', '2026-02-22T10:00:30Z'], 'is not a whole minute'],
    [['--from', '2026-02-23', '--to', '2026-02-22'], '--from must be before --to'],
    [['--report', 'report.pdf'], 'must end with .json, .csv or .html'],
    [['--close', '--price', '0.10'], '--close needs --from and --to'],
    [['--close', '--from', '2026-02-22', '--to', '2026-02-23'], '--close needs --price or --prices'],
    [['--price', '0,10'], 'is no price'],
    [['--price', '1', '--currency', 'euro'], 'is no currency'],
    [['--bot-threshold', '50'], 'the store was counted with 30'],
    [['--watermark-delay', '1m'], 'the store was counted with 3m'],
  ])('refuses misuse: %j', async (args, line) => {
    const outcome = await clickAgg(['reconcile', '--data-dir', dataDir, ...args]);
    expect(outcome.code).toBe(2);
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr).toContain(line);
  });

  test('accepts the options of the method when they are those of the store', async () => {
    expect((await reconciled(dataDir, '--bot-threshold', '30', '--watermark-delay', '180s')).code).toBe(0);
  });
});

describe('a store that does not agree', () => {
  test('is shown cell by cell, with the clicks that explain it', async () => {
    const dataDir = await countedIn('wrong', envelopes([...FIRST_HOUR, ...SECOND_HOUR]));
    const instance = await DuckDBInstance.create(join(dataDir, 'store.duckdb'));
    const connection = await instance.connect();
    const minute = Date.UTC(2026, 1, 22, 10) / 60_000;
    await connection.run(`UPDATE cells SET clicks = clicks + 1 WHERE minute = ${minute};
      UPDATE ledger SET double_click = double_click - 1, billable = billable + 1 WHERE minute = ${minute * 60_000};`);
    connection.closeSync();
    instance.closeSync();
    const { code, report } = await reconciled(dataDir);
    expect(code).toBe(1);
    expect(report).toMatchObject({ agree: false, differing: 1, ledger_differing: 1 });
    expect(report.differences[0]).toMatchObject({
      ...{ minute: '2026-02-22T10:00:00Z', ad_id: 'ad-1', campaign_id: 'camp-1', country: 'DE' },
      ...{ device_type: 'mobile', stream: 2, batch: 1, click_ids: ['double', 'first'] },
    });
    const shown = await clickAgg(['reconcile', '--data-dir', dataDir, '-q']);
    expect(shown.code).toBe(1);
    expect(shown.stdout).toContain('double (double_click) first (billable)');
    const close = ['--close', '--from', '2026-02-22T10:00', '--to', '2026-02-22T11:00', '--price', '1'];
    const closing = await clickAgg(['reconcile', '--data-dir', dataDir, '-q', ...close]);
    expect(closing.code).toBe(1);
    expect(closing.stderr).toContain('the period was not closed: stream and batch do not agree');
  });
});

describe('a lake that can not be compared', () => {
  test('is missing, lags behind, or is garbled: one clear line', async () => {
    const dataDir = await countedIn('lagging', envelopes(FIRST_HOUR));
    const empty = join(folder.path, 'empty-lake');
    const none = await clickAgg(['reconcile', '--data-dir', dataDir, '--lake', empty, '-q']);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain(`there is no lake in ${empty}`);
    expect(none.stderr).toContain('click-agg lake');

    const more = join(folder.path, 'more.ndjson');
    writeFileSync(more, envelopes(SECOND_HOUR, [100, 100]));
    const run = await clickAgg(['run', '--input', more, '--append', '--data-dir', dataDir, '-q']);
    expect(run, run.stderr).toMatchObject({ code: 0 });
    const lagging = await clickAgg(['reconcile', '--data-dir', dataDir, '-q']);
    expect(lagging.code).toBe(1);
    expect(lagging.stderr).toMatch(/partition 0 is at offset \d+, the store at 101/);

    const dir = await countedIn('garbled', envelopes(FIRST_HOUR));
    const lake = join(dir, 'lake');
    const names = readdirSync(lake, { recursive: true }) as string[];
    const file = names.find((name) => name.endsWith('.parquet'))!;
    writeFileSync(
      join(lake, file),
      'no parquet at all, but long enough to be looked at by a reader of Parquet',
    );
    const garbled = await clickAgg(['reconcile', '--data-dir', dir, '-q']);
    expect(garbled.code).toBe(1);
    expect(garbled.stderr).toContain('the recomputation failed');
    expect(garbled.stderr).not.toContain('    at ');
  });

  test('nothing was counted yet', async () => {
    const { code, stderr } = await reconciled(join(folder.path, 'nothing'));
    expect(code).toBe(1);
    expect(stderr).toContain('click-agg run');
  });
});

describe('while run is running', () => {
  test('agrees up to the positions of the store', async () => {
    const dataDir = join(folder.path, 'living');
    const loadgen = ['loadgen', '--count', '4000', '--data-dir', dataDir, '-q'];
    expect((await clickAgg(loadgen)).code).toBe(0);
    const run = spawn(process.execPath, [BIN, 'run', '--data-dir', dataDir, '-q'], { stdio: 'ignore' });
    try {
      expect((await clickAgg(['lake', '--until-end', '--data-dir', dataDir, '-q'])).code).toBe(0);
      let records = 0;
      for (let attempt = 0; attempt < 50 && records < 4000; attempt++) {
        const { code, report } = await reconciled(dataDir);
        // At the very start there is nothing counted yet.
        if (report === undefined) continue;
        expect(code).toBe(0);
        expect(report).toMatchObject({ agree: true, open: 0 });
        records = report.ledger.records;
      }
      expect(records).toBe(4000);
      expect(run.exitCode).toBeNull();
    } finally {
      run.kill('SIGINT');
      await once(run, 'exit');
    }
  });
});

describe('closing a period', () => {
  test('freezes its bill; what changes afterwards is an adjustment', async () => {
    // The watermarks stand at 10:17, so late clicks of 10:07 and after still count.
    const dataDir = await countedIn('closing', envelopes(FIRST_HOUR));
    const hour = ['--from', '2026-02-22T10:00', '--to', '2026-02-22T10:10', '--price', '0.10'];
    const early = await reconciled(
      dataDir,
      '--from',
      '2026-02-22T10:00',
      '--to',
      '2026-02-22T10:20',
      '--price',
      '1',
      '--close',
    );
    expect(early.code).toBe(1);
    expect(early.stderr).toContain("can't be closed yet: the watermark of partition");

    const closed = await reconciled(dataDir, ...hour, '--close');
    expect(closed.code, closed.stderr).toBe(0);
    const [invoice] = closed.report.closed_periods;
    expect(invoice.period).toBe('2026-02-22T10:00Z/2026-02-22T10:10Z');
    expect(invoice.billing).toEqual([
      { campaign_id: 'camp-1', clicks: 2, price_per_click: '0.10', amount: '0.20', currency: 'EUR' },
    ]);
    const again = await reconciled(dataDir, ...hour, '--close');
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('which is closed already');

    // A late click that opens the double-click period of `second` earlier: one click more, one less, one more.
    const late = join(folder.path, 'late.ndjson');
    const lines = [
      { second: 480, id: 'late', partition: 1, ip: '192.0.2.9' },
      { second: 490, id: 'late-other', partition: 1, ad: 'ad-3', campaign: 'camp-3', ip: '192.0.2.9' },
    ];
    writeFileSync(late, envelopes(lines, [100, 100]));
    const run = await clickAgg(['run', '--input', late, '--append', '--data-dir', dataDir, '--lake', '-q']);
    expect(run, run.stderr).toMatchObject({ code: 0 });
    const adjusted = await reconciled(dataDir, '--price', '0.25');
    expect(adjusted.code, adjusted.stderr).toBe(0);
    const lineOf = (campaign_id: string, price_per_click: string, amount: string) => ({
      ...{ period: invoice.period, campaign_id, clicks: 1, price_per_click, amount, currency: 'EUR' },
      cause: 'late clicks',
    });
    expect(adjusted.report.adjustments).toMatchObject([
      lineOf('camp-1', '0.10', '0.10'),
      lineOf('camp-3', '0.25', '0.25'),
    ]);
    expect(adjusted.report.closed_periods[0].billing).toEqual(invoice.billing);
    // Recorded once.
    expect((await reconciled(dataDir)).report.adjustments).toHaveLength(2);
  });
});
