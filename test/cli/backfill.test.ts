// `click-agg backfill` as people use it: too-late clicks billed once, as adjustments, and never twice.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { envelopes, FIRST_HOUR, SECOND_HOUR } from '../batch/story.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const folder = temporaryDirectory();
afterAll(() => folder.remove());

async function counted(dataDir: string, name: string, lines: string, ...args: string[]): Promise<void> {
  const input = join(folder.path, name);
  writeFileSync(input, lines);
  const run = await clickAgg(['run', '--input', input, '--data-dir', dataDir, '--lake', '-q', ...args]);
  expect(run, run.stderr).toMatchObject({ code: 0 });
}

interface Letter {
  admitted_by_revision: number | null;
}

async function answer(command: string, dataDir: string, ...args: string[]) {
  const outcome = await clickAgg([...command.split(' '), '--data-dir', dataDir, '--json', '-q', ...args]);
  return { ...outcome, json: outcome.stdout === '' ? undefined : JSON.parse(outcome.stdout) };
}

const HOUR = ['--from', '2026-02-22T10:00', '--to', '2026-02-22T11:00'];

describe('a backfill', () => {
  test('admits the too-late clicks of a closed period, once, and reconcile knows it', async () => {
    const dataDir = join(folder.path, 'once');
    await counted(dataDir, 'hours.ndjson', envelopes([...FIRST_HOUR, ...SECOND_HOUR]));
    const dry = await answer('backfill', dataDir, ...HOUR, '--dry-run', '--price', '0.10');
    expect(dry.code, dry.stderr).toBe(0);
    // Of the two too-late clicks one is good; the other is a double click of `second` at 10:01:05.
    const change = {
      ...{ changed: true, revision: 1, too_late_admitted: 2, cells: 1 },
      campaigns: [{ campaign_id: 'camp-2', clicks: 1, amount: '0.10', currency: 'EUR' }],
      ledger_before: { records: 40, too_late: 2, double_click: 2, billable: 4 },
      ledger_after: { records: 40, too_late: 0, double_click: 3, billable: 5 },
    };
    expect(dry.json).toMatchObject({ ...change, dry_run: true });
    expect((await answer('reconcile', dataDir)).json.revisions).toEqual([]);

    const first = await answer('backfill', dataDir, ...HOUR, '--price', '0.10');
    expect(first.json).toMatchObject({ ...change, dry_run: false });
    const totals = await clickAgg([
      'query',
      '--data-dir',
      dataDir,
      '--format',
      'json',
      '--campaign',
      'camp-2',
    ]);
    expect(JSON.parse(totals.stdout)).toMatchObject([
      { minute: '2026-02-22T10:00:00Z', ad_id: 'ad-2', clicks: 1 },
    ]);

    // What was admitted stays a dead letter, and says that it counts now.
    const letters = await answer('dead-letters list', dataDir, '--verdict', 'too_late');
    expect(letters.json.map((letter: Letter) => letter.admitted_by_revision)).toEqual([1, 1]);
    const counts = await answer('dead-letters count', dataDir);
    expect(counts.json).toContainEqual({
      verdict: 'too_late',
      reason: '',
      count: 2,
      admitted_by_backfill: 2,
    });

    const second = await answer('backfill', dataDir, ...HOUR);
    expect(second.code).toBe(0);
    expect(second.json).toMatchObject({ changed: false, revision: null, campaigns: [], cells: 0 });

    const reconciled = await answer('reconcile', dataDir);
    expect(reconciled.code).toBe(0);
    expect(reconciled.json).toMatchObject({
      agree: true,
      revisions: [{ revision: 1, too_late_admitted: 2 }],
    });
    expect(reconciled.json.ledger).toMatchObject({ records: 43, too_late: 0, double_click: 3, billable: 7 });
    const part = await answer('reconcile', dataDir, '--from', '2026-02-22T10:01', '--to', '2026-02-22T10:02');
    expect(part.json).toMatchObject({ agree: true, ledger: { too_late: 0, double_click: 2 } });

    // Too-late clicks that come after the backfill wait for the next one.
    const later = [
      { second: 15, id: 'very-late', ad: 'ad-2', campaign: 'camp-2', user: 'x' },
      { second: 16, id: 'very-late-2', ad: 'ad-2', campaign: 'camp-2', user: 'y', partition: 1 },
    ];
    await counted(dataDir, 'later.ndjson', envelopes(later, [100, 100]), '--append');
    const between = await answer('reconcile', dataDir);
    expect(between.code, between.stdout).toBe(0);
    expect(between.json.ledger).toMatchObject({ too_late: 2, billable: 7 });
    const newest = await answer('dead-letters list', dataDir, '--verdict', 'too_late');
    const admitted = newest.json.map((letter: Letter) => letter.admitted_by_revision);
    expect(admitted.sort()).toEqual([1, 1, null, null]);
    const third = await answer('backfill', dataDir, ...HOUR);
    expect(third.json).toMatchObject({ changed: true, revision: 2, too_late_admitted: 2 });
    expect(third.json.campaigns).toEqual([
      { campaign_id: 'camp-2', clicks: 2, amount: null, currency: null },
    ]);
    expect((await answer('reconcile', dataDir)).json).toMatchObject({ agree: true, ledger: { too_late: 0 } });
  });

  test('of an invoiced period becomes an adjustment, and the invoice stays as it was', async () => {
    const dataDir = join(folder.path, 'invoiced');
    await counted(dataDir, 'invoiced.ndjson', envelopes([...FIRST_HOUR, ...SECOND_HOUR]));
    const closed = await answer('reconcile', dataDir, ...HOUR, '--price', '0.125', '--close');
    expect(closed.code, closed.stderr).toBe(0);
    const [invoice] = closed.json.closed_periods;

    const unpriced = await answer('backfill', dataDir, ...HOUR);
    expect(unpriced.code).toBe(2);
    expect(unpriced.stderr).toContain('campaign camp-2 has no price');
    const { json } = await answer('backfill', dataDir, ...HOUR, '--price', '0.15');
    const adjustment = {
      ...{
        period: invoice.period,
        campaign_id: 'camp-2',
        clicks: 1,
        price_per_click: '0.15',
        amount: '0.15',
      },
      ...{ currency: 'EUR', cause: 'backfill revision 1' },
    };
    expect(json.adjustments).toMatchObject([adjustment]);
    const after = await answer('reconcile', dataDir);
    expect(after.json.adjustments).toMatchObject([adjustment]);
    expect(after.json.closed_periods).toEqual([invoice]);
  });

  test('is refused while late clicks of the period still count, and without a period', async () => {
    const dataDir = join(folder.path, 'early');
    await counted(dataDir, 'early.ndjson', envelopes(FIRST_HOUR));
    const early = await clickAgg(['backfill', '--data-dir', dataDir, ...HOUR]);
    expect(early.code).toBe(1);
    expect(early.stderr).toContain('it must be past 2026-02-22T11:11:00Z');
    const endless = await clickAgg(['backfill', '--data-dir', dataDir, '--from', '2026-02-22']);
    expect(endless.code).toBe(2);
    expect(endless.stderr).toContain('backfill needs --from and --to');
  });
});
