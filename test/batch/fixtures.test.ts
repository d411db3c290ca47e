// The hard cases of fixtures/, judged by the recomputation: whole, and with their backfill.
import { expect, test } from 'vitest';
import { endsOf } from '../../src/batch/lake-reader.js';
import { openSession } from '../../src/batch/session.js';
import { recomputeUniverse } from '../../src/batch/universe.js';
import { DEFAULT_METHOD, VERDICTS, withInvalidTraffic } from '../../src/core/method.js';
import type { Revision } from '../../src/core/ports/books.js';
import { readFixtures } from '../oracle/fixtures.js';
import { recomputed, withLake } from './recomputed.js';

const fixtures = readFixtures();

test.each(fixtures)('$name: the recomputation decides what was worked out by hand', async (fixture) => {
  await withLake(fixture.records, async (files) => {
    const found = await recomputed(files, { method: DEFAULT_METHOD });
    const dropped = fixture.verdicts.filter(({ verdict }) => verdict !== 'invalid' && verdict !== 'billable');
    expect(Object.fromEntries(found.verdicts)).toEqual(
      Object.fromEntries(
        dropped.map(({ partition, offset, verdict }) => [`${partition}:${offset}`, verdict]),
      ),
    );
    expect(found.totals).toEqual(fixture.totals);
    const { records: _, ...sums } = fixture.ledger;
    const sumOf = (verdict: (typeof VERDICTS)[number]) =>
      found.ledgerRows.reduce((sum, { counts }) => sum + counts[verdict], 0);
    expect(Object.fromEntries(VERDICTS.map((verdict) => [verdict, sumOf(verdict)]))).toEqual(sums);
  });
});

const withMarks = fixtures.flatMap(({ name, records, off }) => (off ? [{ name, records, off }] : []));
test.each(withMarks)('$name: and what version 1 makes of it', async ({ records, off }) => {
  await withLake(records, async (files) => {
    const found = await recomputed(files, { method: withInvalidTraffic(DEFAULT_METHOD, false) });
    expect(found.totals).toEqual(off.totals);
    const dropped = [...found.verdicts.values()];
    const { records: _, invalid: __, billable: ___, ...counts } = off.ledger;
    for (const [verdict, count] of Object.entries(counts))
      expect(dropped.filter((one) => one === verdict)).toHaveLength(count);
  });
});

const backfilled = fixtures.flatMap(({ name, records, backfill }) =>
  backfill ? [{ name, records, backfill }] : [],
);
test.each(backfilled)('$name: and what a backfill makes of it', async ({ records, backfill }) => {
  await withLake(records, async (files) => {
    const positions = endsOf(files);
    const revision: Revision = {
      ...{ revision: 1, fromMs: Date.parse(backfill.from), toMs: Date.parse(backfill.to), recordedAtMs: 0 },
      ...{ methodHash: '', tooLateAdmitted: 0, adjustments: [] },
      positions: [...positions].map(([partition, position]) => ({ partition, position })),
    };
    const session = await openSession({ threads: 1 });
    try {
      await recomputeUniverse(session, {
        ...{ files, positions, method: DEFAULT_METHOD, revisions: [revision] },
        ...{ period: undefined, watermarks: undefined },
      });
      expect(await session.number('SELECT sum(clicks) FROM batch_cells')).toBe(backfill.ledger.billable);
      expect(await session.number('SELECT count(*) FROM batch_cells')).toBe(backfill.totals.length);
      expect(await session.number('SELECT sum(too_late) FROM batch_ledger')).toBe(backfill.ledger.too_late);
    } finally {
      await session.close();
    }
  });
});
