// The stream against the oracle on thousands of random logs: in any interleaving of the partitions, any
// batches, any commits and kills, the same totals, ledger and dead letters.
// PROPERTY_RUNS=20000 runs longer; PROPERTY_SEED=… repeats a run whose seed was printed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { readFixtures } from '../oracle/fixtures.js';
import { growingPlanArbitrary, planArbitrary } from './plans.js';
import { propertyOptions } from './property-options.js';
import { randomLog } from './random-log.js';
import { replay, type Step } from './replay.js';
import { within } from './within.js';

test('in one go: as the oracle', () => {
  fc.assert(
    fc.property(randomLog(60), (log) => {
      within(2000, () => replay(log, []));
    }),
    propertyOptions(1500),
  );
});

test('interleaved, committed and killed at random: as the oracle at every commit', () => {
  fc.assert(
    fc.property(randomLog(60), planArbitrary, (log, plan) => {
      within(5000, () => replay(log, plan, { checkEachCommit: true }));
    }),
    propertyOptions(1500),
  );
});

test('longer logs, with memory that forgets and partitions that fall quiet: as the oracle', () => {
  fc.assert(
    fc.property(
      randomLog(300),
      planArbitrary,
      fc.constantFrom(3, 20, 1000),
      (log, plan, quietAfterRecords) => {
        within(5000, () => replay(log, plan, { quietAfterRecords }));
      },
    ),
    propertyOptions(300),
  );
});

test('partitions that are added while it runs, told of or found by their records: as the oracle', () => {
  fc.assert(
    fc.property(
      randomLog(200),
      growingPlanArbitrary,
      fc.constantFrom(0, 1, 2),
      fc.constantFrom(3, 20, 1000),
      (log, plan, partitionsAtFirst, quietAfterRecords) => {
        const options = { partitionsAtFirst, quietAfterRecords, checkEachCommit: log.records.length < 60 };
        within(5000, () => replay(log, plan, options));
      },
    ),
    propertyOptions(120),
  );
});

test.each(readFixtures())('fixture $name: record by record, committed and killed each time', (fixture) => {
  const partitions = [...new Set(fixture.records.map(({ partition }) => partition))];
  const log = { method: DEFAULT_METHOD, partitionCount: 6, records: fixture.records };
  const plan = fixture.records.flatMap((_, i): Step[] => {
    const picks = [{ partition: partitions[i % partitions.length]!, count: 1 }];
    return [
      { picks, after: 'go on' },
      { picks, after: i % 3 === 0 ? 'commit all' : 'commit' },
      { picks: [], after: 'kill' },
    ];
  });
  for (const store of [replay(log, []), replay(log, plan, { checkEachCommit: true })]) {
    expect(store.totals()).toEqual(fixture.totals);
    expect(store.deadLetters().map(({ partition, offset }) => ({ partition, offset }))).toEqual(
      fixture.verdicts
        .filter(({ verdict }) => ['invalid', 'too_late', 'bot'].includes(verdict))
        .map(({ partition, offset }) => ({ partition, offset })),
    );
  }
});
