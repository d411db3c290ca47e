// Backfills one upon the other: which too-late clicks are admitted, and up to where.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { endsOf } from '../../src/batch/lake-reader.js';
import { openSession } from '../../src/batch/session.js';
import { layersOf, recomputeUniverse } from '../../src/batch/universe.js';
import type { Revision } from '../../src/core/ports/books.js';
import { decide, type OracleRecord } from '../oracle.js';
import { withLake } from './recomputed.js';
import { recordsOf, START_MS, smallClick, smallMethod } from './small-logs.js';

const minute = (index: number): number => START_MS + index * 60_000;

function revision(
  number: number,
  fromMs: number,
  toMs: number,
  partitions: number[],
  position: number,
): Revision {
  return {
    ...{
      revision: number,
      fromMs,
      toMs,
      recordedAtMs: 0,
      methodHash: '',
      tooLateAdmitted: 0,
      adjustments: [],
    },
    positions: partitions.map((partition) => ({ partition, position })),
  };
}

describe('layers', () => {
  test('give each minute to the last backfill that covers it', () => {
    const revisions = [
      revision(1, 0, 600, [0], 9),
      revision(2, 300, 900, [0], 9),
      revision(3, 400, 500, [0], 9),
    ];
    expect(layersOf(revisions, undefined)).toEqual([
      { fromMs: 0, toMs: 300, revision: 1 },
      { fromMs: 300, toMs: 400, revision: 2 },
      { fromMs: 400, toMs: 500, revision: 3 },
      { fromMs: 500, toMs: 900, revision: 2 },
    ]);
    expect(layersOf(revisions, { fromMs: 100, toMs: 350 })).toEqual([
      { fromMs: 100, toMs: 300, revision: 1 },
      { fromMs: 300, toMs: 350, revision: 2 },
    ]);
    expect(layersOf([], { fromMs: 0, toMs: 60 })).toEqual([]);
  });
});

/** What the store holds after backfills at the end of the log, by the oracle: a world for each. */
function expectedLines(
  log: readonly OracleRecord[],
  method: Parameters<typeof decide>[1],
  revisions: Revision[],
) {
  const worlds = [{ fromMs: -1, toMs: Number.POSITIVE_INFINITY }, ...revisions].map((layer, index) => ({
    layer,
    decisions: decide(log, method, { admit: revisions.slice(0, index) }),
  }));
  const worldOf = (minuteMs: number) =>
    worlds.findLast(({ layer }) => minuteMs >= layer.fromMs && minuteMs < layer.toMs)!;
  const cells = worlds.flatMap((world) =>
    world.decisions.totals
      .filter(({ minute }) => worldOf(Date.parse(minute)) === world)
      .map(({ minute, ad_id, campaign_id, country, device_type, clicks }) =>
        JSON.stringify([Date.parse(minute), ad_id, campaign_id, country, device_type, clicks]),
      ),
  );
  const ledger = worlds.flatMap((world) =>
    world.decisions.ledgerRows
      .filter(({ minuteMs }) => worldOf(minuteMs) === world)
      .map(({ partition, minuteMs, counts }) =>
        JSON.stringify([partition, minuteMs, counts.too_late, counts.duplicate, counts.billable]),
      ),
  );
  return { cells: cells.sort(), ledger: ledger.sort() };
}

describe('after several backfills', () => {
  test('the recomputation gives what each of them left, on random logs', async () => {
    const period = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 15 }));
    const clicks = fc.array(smallClick(3), { minLength: 20, maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(
        clicks,
        smallMethod,
        fc.array(period, { maxLength: 3 }),
        async (list, method, periods) => {
          const log = recordsOf(list);
          const revisions = periods.map(([from, length], index) =>
            revision(index + 1, minute(from), minute(from + length), [0, 1, 2], 1000),
          );
          await withLake(log, async (files) => {
            const session = await openSession({ threads: 1 });
            try {
              const positions = endsOf(files);
              await recomputeUniverse(session, {
                ...{ files, method, positions, revisions, period: undefined, watermarks: undefined },
              });
              const cells =
                await session.rows(`SELECT minute, ad_id, campaign_id, country, device_type, clicks
              FROM batch_cells JOIN ads USING (ad) JOIN places USING (place)`);
              const ledger = await session.rows(
                'SELECT "partition", minute, too_late, duplicate, billable FROM batch_ledger',
              );
              const lines = (rows: typeof cells): string[] =>
                rows
                  .map((row) =>
                    JSON.stringify(Object.values(row).map((v) => (typeof v === 'bigint' ? Number(v) : v))),
                  )
                  .sort();
              expect({ cells: lines(cells), ledger: lines(ledger) }).toEqual(
                expectedLines(log, method, revisions),
              );
            } finally {
              await session.close();
            }
          });
        },
      ),
      { numRuns: Number(process.env.CLICK_AGG_TEST_RUNS ?? 4) * 5, endOnFailure: true },
    );
  });
});
