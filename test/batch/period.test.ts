// What a period's answer depends on outside of it: each of these logs is judged wrongly by who reads too little.
import { expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { recordsOfEnvelopes } from '../oracle/fixtures.js';
import { decide, type OracleRecord } from '../oracle.js';
import { recomputed, withLake } from './recomputed.js';
import { envelopes, type StoryClick, TEN_MS } from './story.js';

const HOUR_S = 3600;

function recordsOf(clicks: readonly StoryClick[]): OracleRecord[] {
  return recordsOfEnvelopes(Buffer.from(envelopes(clicks)));
}

/** Clicks of one user on one ad, `gap` seconds apart. */
function chain(count: number, gap: number, from = 0): StoryClick[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ second: from + index * gap, id: `chain-${from}-${index}`, user: 'u', ip: `192.0.2.${index % 250}` },
  }));
}

const LOGS: [name: string, clicks: StoryClick[], fromS: number, toS: number][] = [
  ['a chain of double clicks that began six hours before', chain(370, 59), 6 * HOUR_S, 6 * HOUR_S + 240],
  [
    'a chain that began just before the hours that are read at first, and whose parity depends on it',
    [...chain(1, 1, 2 * HOUR_S - 50), ...chain(80, 50, 2 * HOUR_S)],
    3 * HOUR_S,
    3 * HOUR_S + 300,
  ],
  [
    "a bot's burst that goes on in the next hour",
    Array.from({ length: 40 }, (_, i) => ({
      second: HOUR_S - 20 + i,
      id: `b${i}`,
      ad: `ad-${i}`,
      user: `${i}`,
    })),
    HOUR_S - 60,
    HOUR_S,
  ],
  [
    "a bot's burst that began in the hour before",
    Array.from({ length: 40 }, (_, i) => ({
      second: HOUR_S - 39 + i,
      id: `b${i}`,
      ad: `ad-${i}`,
      user: `${i}`,
    })),
    HOUR_S,
    HOUR_S + 60,
  ],
  [
    'clicks that are late by a record of hours later, and in time by one of hours before',
    [
      { second: 30, id: 'in-time' },
      { second: -5 * HOUR_S, id: 'old' },
      { second: 40, id: 'in-time-too' },
      { second: 7 * HOUR_S, id: 'far' },
      { second: 50, id: 'too-late' },
      { second: 8 * HOUR_S, id: 'farther' },
    ],
    0,
    60,
  ],
];

test.each(LOGS)('%s', async (_, clicks, fromS, toS) => {
  const log = recordsOf(clicks);
  const period = { fromMs: TEN_MS + fromS * 1000, toMs: TEN_MS + toS * 1000 };
  const expected = decide(log, DEFAULT_METHOD).ledgerRows.filter(
    ({ minuteMs }) => minuteMs >= period.fromMs && minuteMs < period.toMs,
  );
  expect(expected.length).toBeGreaterThan(0);
  await withLake(log, async (files) => {
    const found = await recomputed(files, { method: DEFAULT_METHOD, period });
    expect(found.ledgerRows).toEqual(expected);
  });
});
