// `click-agg explain`: one click's verdict, in words with numbers.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { envelopes, FIRST_HOUR, SECOND_HOUR } from '../batch/story.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const folder = temporaryDirectory();
afterAll(() => folder.remove());
const dataDir = join(folder.path, 'data');

beforeAll(async () => {
  const input = join(folder.path, 'clicks.ndjson');
  writeFileSync(input, envelopes([...FIRST_HOUR, ...SECOND_HOUR]));
  const run = await clickAgg(['run', '--input', input, '--data-dir', dataDir, '--lake', '-q']);
  expect(run, run.stderr).toMatchObject({ code: 0 });
});

async function explained(clickId: string) {
  const outcome = await clickAgg(['explain', clickId, '--data-dir', dataDir, '--json', '-q']);
  expect(outcome.code, outcome.stderr).toBe(0);
  return JSON.parse(outcome.stdout).records;
}

describe('explain', () => {
  test('tells why a click is billed', async () => {
    expect(await explained('first')).toMatchObject([
      { partition: 0, offset: 0, verdict: 'billable', facts: { minute: '2026-02-22T10:00:00.000Z' } },
    ]);
  });

  test('names the click that opened the double-click period', async () => {
    const [record] = await explained('double-too');
    expect(record).toMatchObject({
      verdict: 'double_click',
      facts: { opening_click_id: 'first', opened_at: '2026-02-22T10:00:05.000Z', after_ms: 59_000 },
    });
    expect(record.why).toContain('it came 59 s after click "first"');
  });

  test('names the first of a redelivery, and explains both', async () => {
    expect(await explained('second')).toMatchObject([
      { offset: 3, verdict: 'billable' },
      { offset: 4, verdict: 'duplicate', facts: { first_offset: 3 } },
    ]);
  });

  test('shows the window of a bot with its count, whatever the spelling of the address', async () => {
    for (const clickId of ['burst-0', 'burst-30']) {
      expect(await explained(clickId)).toMatchObject([
        {
          verdict: 'bot',
          facts: {
            ...{ clicks_in_window: 31, bot_threshold: 30, canonical_ip: '2001:db8::b07' },
            ...{ window_from: '2026-02-22T10:05:00.000Z', window_to: '2026-02-22T10:06:00.000Z' },
          },
        },
      ]);
    }
  });

  test('shows the watermark that a too-late click met', async () => {
    const [record] = await explained('too-late');
    expect(record).toMatchObject({
      verdict: 'too_late',
      facts: {
        watermark: '2026-02-22T10:17:00.000Z',
        minute_end: '2026-02-22T10:01:00.000Z',
        late_ms: 960_000,
      },
    });
    expect(record.why).toContain('960 s before; up to 600 s counts');
  });

  test('finds a malformed record by its bytes', async () => {
    const [record] = await explained('broken');
    expect(record).toMatchObject({ verdict: 'invalid', offset: 5, facts: { reason: 'not_json' } });
  });

  test('follows a backfill', async () => {
    const period = ['--from', '2026-02-22T10:00', '--to', '2026-02-22T11:00'];
    const backfill = await clickAgg(['backfill', '--data-dir', dataDir, ...period, '-q']);
    expect(backfill.code, backfill.stderr).toBe(0);
    const [record] = await explained('too-late');
    expect(record.verdict).toBe('billable');
    expect(record.why).toContain('it came too late and a backfill admitted it');
    const [double] = await explained('too-late-double');
    expect(double).toMatchObject({ verdict: 'double_click', facts: { opening_click_id: 'second' } });
  });

  test('is a table for people', async () => {
    const { stdout } = await clickAgg(['explain', 'double', '--data-dir', dataDir]);
    expect(stdout).toContain('Record at offset 1 of partition 0: double click');
    expect(stdout).toMatch(/opening_click_id\s+first/);
  });

  test('fails with one line for an id that is not there, and for another method', async () => {
    const unknown = await clickAgg(['explain', "no'such", '--data-dir', dataDir]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain(`no record with click_id "no'such" is in the lake`);
    const misuse = await clickAgg(['explain', 'first', '--data-dir', dataDir, '--double-click', '30s']);
    expect(misuse.code).toBe(2);
  });
});
