// The recomputation in SQL against the oracle, on random logs and on the hard cases. A failure prints its seed.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Method } from '../../src/core/method.js';
import { type Decisions, decide, type OracleRecord } from '../oracle.js';
import { type Recomputed, recomputed, withLake } from './recomputed.js';
import { recordsOf, type SmallClick, START_MS, smallClick, smallMethod } from './small-logs.js';

/** Logs in one lake: each is a world of its own, so the oracle may judge them one by one. */
const WORLDS = Number(process.env.CLICK_AGG_TEST_WORLDS ?? 60);
const RUNS = Number(process.env.CLICK_AGG_TEST_RUNS ?? 10);

/** Random logs by a seed, so that a failure names the seed and not thousands of records. */
function logsOf(seed: number): SmallClick[][] {
  const log = fc.array(smallClick(3), { minLength: 4, maxLength: 40, size: 'max' });
  return fc.sample(log, { seed, numRuns: WORLDS });
}

function judgeWorlds(seed: number, method: Method, admit: { fromMs: number; toMs: number }[] = []) {
  const records = logsOf(seed).map((clicks, world) => recordsOf(clicks, world));
  const expected = records.map((log) => decide(log, method, { admit }));
  return { all: records.flat(), expected };
}

function verdictsOf(expected: Decisions[]): Map<string, string> {
  return new Map(
    expected.flatMap(({ verdicts }) =>
      verdicts
        .filter(({ verdict }) => verdict !== 'invalid' && verdict !== 'billable')
        .map(({ partition, offset, verdict }) => [`${partition}:${offset}`, verdict] as const),
    ),
  );
}

function sortedLines(verdicts: Map<string, string>): string[] {
  return [...verdicts].map(([place, verdict]) => `${place} ${verdict}`).sort();
}

/** Ads and campaigns are shared by the worlds, so their cells are summed. */
function totalsOf(expected: Decisions[]): string[] {
  const sums = new Map<string, number>();
  for (const { clicks, ...cell } of expected.flatMap(({ totals }) => totals)) {
    const key = JSON.stringify(cell);
    sums.set(key, (sums.get(key) ?? 0) + clicks);
  }
  return [...sums].map(([key, clicks]) => `${key} ${clicks}`).sort();
}

function cellLines(totals: Recomputed['totals']): string[] {
  return totals.map(({ clicks, ...cell }) => `${JSON.stringify(cell)} ${clicks}`).sort();
}

function ledgerLines(rows: Recomputed['ledgerRows']): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

const property = { numRuns: RUNS, endOnFailure: true, verbose: false };

describe('the recomputation agrees with the oracle', () => {
  test(`on every verdict, total and ledger row of ${RUNS * WORLDS} random small logs`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), smallMethod, async (seed, method) => {
        const { all, expected } = judgeWorlds(seed, method);
        await withLake(all, async (files) => {
          const found = await recomputed(files, { method });
          expect(sortedLines(found.verdicts)).toEqual(sortedLines(verdictsOf(expected)));
          expect(cellLines(found.totals)).toEqual(totalsOf(expected));
          expect(ledgerLines(found.ledgerRows)).toEqual(ledgerLines(expected.flatMap((d) => d.ledgerRows)));
        });
      }),
      property,
    );
  });

  test('when nearly all hashes collide', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), smallMethod, async (seed, method) => {
        const { all, expected } = judgeWorlds(seed, method);
        await withLake(all, async (files) => {
          const found = await recomputed(files, { method, hashes: 3 });
          expect(sortedLines(found.verdicts)).toEqual(sortedLines(verdictsOf(expected)));
        });
      }),
      { ...property, numRuns: 2 },
    );
  });

  test('on a period, whatever lies around it, with its too-late clicks admitted or not', async () => {
    const minute = fc.integer({ min: 0, max: 140 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        smallMethod,
        minute,
        minute,
        fc.boolean(),
        async (seed, method, a, b, admits) => {
          const period = {
            fromMs: START_MS + Math.min(a, b) * 60_000,
            toMs: START_MS + (Math.max(a, b) + 1) * 60_000,
          };
          const { all, expected } = judgeWorlds(seed, method, admits ? [period] : []);
          const inPeriod = (minuteMs: number) => minuteMs >= period.fromMs && minuteMs < period.toMs;
          await withLake(all, async (files) => {
            const positions = new Map(files.map(({ partition }) => [partition, 1_000_000]));
            const admissions = admits ? [{ ...period, positions }] : [];
            const found = await recomputed(files, { method, period, admissions });
            const expectedCells = expected.map((decisions) => ({
              ...decisions,
              totals: decisions.totals.filter((cell) => inPeriod(Date.parse(cell.minute))),
            }));
            expect(cellLines(found.totals)).toEqual(totalsOf(expectedCells));
            const rows = expected.flatMap((d) => d.ledgerRows).filter(({ minuteMs }) => inPeriod(minuteMs));
            expect(ledgerLines(found.ledgerRows)).toEqual(ledgerLines(rows));
          });
        },
      ),
      { ...property, numRuns: RUNS * 2 },
    );
  });

  test('up to positions in the middle of the log', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        smallMethod,
        fc.integer({ min: 0, max: 12 }),
        async (seed, method, end) => {
          const logs = logsOf(seed);
          const records = logs.map((clicks, world) =>
            recordsOf(clicks, world).filter(({ offset }) => offset < end),
          );
          const all: OracleRecord[] = logs.flatMap((clicks, world) => recordsOf(clicks, world));
          const expected = records.map((log) => decide(log, method));
          await withLake(all, async (files) => {
            const positions = new Map(files.map(({ partition }) => [partition, end]));
            const found = await recomputed(files, { method, positions });
            expect(sortedLines(found.verdicts)).toEqual(sortedLines(verdictsOf(expected)));
            expect(ledgerLines(found.ledgerRows)).toEqual(ledgerLines(expected.flatMap((d) => d.ledgerRows)));
          });
        },
      ),
      { ...property, numRuns: 3 },
    );
  });
});
