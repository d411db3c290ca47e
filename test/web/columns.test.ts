// What a chart draws of an answer, and how numbers are written beside it.
import { expect, test } from 'vitest';
import type { SeriesAnswer } from '../../src/serve/api.js';
import { columnsOf, meanClosed, newestClosed, stackOf } from '../../src/web/chart/columns.js';
import { amount, duration, nameOf, percent, span, unbilledOf } from '../../src/web/format.js';
import { requestPath } from '../../src/web/questions.js';

const answer: SeriesAnswer = {
  as_of: {
    watermark: '2026-02-22T10:03:10Z',
    complete_to: '2026-02-22T10:02:30Z',
    newest: '2026-02-22T10:04:00Z',
    method_hash: '4de2adcb38ced86a',
  },
  from: '2026-02-22T10:00:00Z',
  to: '2026-02-22T10:04:00Z',
  step: 'minute',
  step_ms: 60_000,
  by: 'country',
  series: [
    { name: 'DE', total: 20, clicks: [8, 6, 4, 2] },
    { name: 'ZZ', total: 4, clicks: [1, 1, 1, 1] },
  ],
  other: { name: null, total: 3, clicks: [0, 3, 0, 0] },
  total: 27,
};

test('parts lie on each other, and the top edge is the sum', () => {
  const columns = columnsOf(answer, 'country')!;
  expect(columns.parts.map(({ name, colour }) => [name, colour])).toEqual([
    ['Germany', 0],
    ['Unknown country', 1],
    ['All others', undefined],
  ]);
  expect(columns.clicks).toEqual([9, 10, 5, 3]);
  expect(stackOf(columns).at(-1)).toEqual(columns.clicks);
  expect(columns.times.map((ms) => new Date(ms).toISOString().slice(11, 16))).toEqual([
    '10:00',
    '10:01',
    '10:02',
    '10:03',
  ]);
});

test('minutes that one partition has not left are open, and the newest closed one is before them', () => {
  const columns = columnsOf(answer, 'country')!;
  expect(columns.openFromMs).toBe(Date.parse('2026-02-22T10:02:00Z'));
  expect(newestClosed(columns)).toEqual({ startMs: Date.parse('2026-02-22T10:01:00Z'), clicks: 10 });
  expect(meanClosed(columns)).toBe(9.5);
});

test('when all is closed nothing is open; when nothing is known of it, all is', () => {
  const closed = { ...answer, as_of: { ...answer.as_of, complete_to: answer.to } };
  expect(columnsOf(closed, undefined)!.openFromMs).toBeUndefined();
  const unknown = { ...answer, as_of: { ...answer.as_of, complete_to: null } };
  expect(newestClosed(columnsOf(unknown, undefined)!)).toBeUndefined();
  expect(columnsOf({ ...answer, from: null, to: null, series: [], other: null }, undefined)).toBeUndefined();
});

test('the address of a request says the same as the question, commas within names too', () => {
  const question = {
    campaign: ['a,b', 'c'],
    last: '60m',
    group_by: ['country' as const, 'day' as const],
    top: 5,
  };
  const { pathname, searchParams } = new URL(requestPath('totals', question), 'http://dashboard.example');
  expect(pathname).toBe('/v1/totals');
  expect(searchParams.getAll('campaign')).toEqual(['a\\,b', 'c']);
  expect(Object.fromEntries(searchParams)).toMatchObject({ last: '60m', group_by: 'country,day', top: '5' });
  expect(requestPath('status', {})).toBe('/v1/status');
});

test('shares, money and times are written so that nothing is hidden', () => {
  expect([
    percent(1, 3),
    percent(1, 100_000),
    percent(99_999, 100_000),
    percent(0, 5),
    percent(0, 0),
  ]).toEqual(['33.3 %', '< 0.1 %', '> 99.9 %', '0.0 %', '–']);
  expect([amount('1234567.8901'), amount('-42'), amount('0.05')]).toEqual(['1,234,567.8901', '-42', '0.05']);
  expect([duration(900), duration(90_000), duration(3 * 86_400_000)]).toEqual(['1 s', '2 min', '3 days']);
  expect(span(Date.parse('2026-02-22T23:30:00Z'), Date.parse('2026-02-23T00:30:00Z'))).toBe(
    '22 Feb, 23:30 – 23 Feb, 00:30 UTC',
  );
  expect([nameOf('country', 'DE'), nameOf('country', 'ZZ'), nameOf('ad', 'DE')]).toEqual([
    'Germany',
    'Unknown country',
    'DE',
  ]);
});

test('only verdicts that some records got are listed, most first, those that are new to this page too', () => {
  const counts = {
    records: 100,
    billable: 90,
    bot: 2,
    duplicate: 7,
    invalid: 0,
    too_late: 0,
    double_click: 0,
  };
  const ledger = { ...counts, from_mars: 1 } as unknown as Parameters<typeof unbilledOf>[0];
  expect(unbilledOf(ledger)).toEqual([
    { verdict: 'duplicate', records: 7 },
    { verdict: 'bot', records: 2 },
    { verdict: 'from_mars', records: 1 },
  ]);
});
