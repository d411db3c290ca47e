// The worked example of docs/counting-method.md is what a newcomer learns from: the oracle must agree with it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { decide } from '../oracle.js';

const DOC = readFileSync(join(import.meta.dirname, '../../docs/counting-method.md'), 'utf8');
const ROW = /^\| (\d+) \| (\d\d:\d\d:\d\d) \| (\w+) \| [\d:a-z]+ \| `(\w+)`/gm;

test('the worked example comes out as the document says', () => {
  const rows = [...DOC.matchAll(ROW)].map(([, offset, time, id, verdict]) => ({ offset, time, id, verdict }));
  expect(rows).toHaveLength(9);
  const records = rows.map(({ offset, time, id }) => ({
    partition: 0,
    offset: Number(offset),
    value: Buffer.from(
      JSON.stringify({
        click_id: id,
        event_time: `2026-02-22T${time}Z`,
        ad_id: 'a',
        campaign_id: 'campaign',
        user_id: 'u',
        ip_address: `192.0.2.${offset}`,
        country: 'DE',
        device_type: 'mobile',
      }),
    ),
  }));
  const { verdicts, totals, ledger } = decide(records, DEFAULT_METHOD);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(rows.map(({ verdict }) => verdict));
  expect(totals.map(({ minute, clicks }) => [minute.slice(11, 16), clicks])).toEqual([
    ['10:00', 1],
    ['10:01', 1],
    ['10:09', 1],
    ['10:20', 1],
  ]);
  expect(ledger).toMatchObject({ records: 9, too_late: 2, duplicate: 1, double_click: 2, billable: 4 });
  // What the text says of the time before offset 5 came.
  const before = decide(records.slice(0, 5), DEFAULT_METHOD).verdicts;
  expect([before[0]!.verdict, before[1]!.verdict, before[3]!.verdict]).toEqual([
    'billable',
    'double_click',
    'billable',
  ]);
});
