// The stream against the oracle on thousands of random logs: in any interleaving of the partitions, any
// batches, any commits and kills, the same totals, ledger and dead letters.
// PROPERTY_RUNS=20000 runs longer; PROPERTY_SEED=… repeats a run whose seed was printed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_METHOD, withInvalidTraffic } from '../../src/core/method.js';
import { readFixtures } from '../oracle/fixtures.js';
import { growingPlanArbitrary, planArbitrary } from './plans.js';
import { assertProperty } from './property-options.js';
import { randomLog } from './random-log.js';
import { LETTERED, replay, type Step } from './replay.js';
import { within } from './within.js';

test('in one go: as the oracle', () => {
  assertProperty(
    'in one go',
    1500,
    fc.property(randomLog(60), (log) => {
      within(() => replay(log, []));
    }),
  );
});

test('interleaved, committed and killed at random: as the oracle at every commit', () => {
  assertProperty(
    'by a plan',
    1500,
    fc.property(randomLog(60), planArbitrary, (log, plan) => {
      within(() => replay(log, plan, { checkEachCommit: true }));
    }),
  );
});

test('longer logs, with memory that forgets and partitions that fall quiet: as the oracle', () => {
  assertProperty(
    'longer logs',
    300,
    fc.property(
      randomLog(300),
      planArbitrary,
      fc.constantFrom(3, 20, 1000),
      (log, plan, quietAfterRecords) => {
        within(() => replay(log, plan, { quietAfterRecords }));
      },
    ),
  );
});

test('partitions that are added while it runs, told of or found by their records: as the oracle', () => {
  assertProperty(
    'partitions added',
    120,
    fc.property(
      randomLog(200),
      growingPlanArbitrary,
      fc.constantFrom(0, 1, 2),
      fc.constantFrom(3, 20, 1000),
      (log, plan, partitionsAtFirst, quietAfterRecords) => {
        const options = { partitionsAtFirst, quietAfterRecords, checkEachCommit: log.records.length < 60 };
        within(() => replay(log, plan, options));
      },
    ),
  );
});

test('a log of marks counted by version 1: as if the field had another name', () => {
  const renamed = (value: Uint8Array): Uint8Array =>
    Buffer.from(
      Buffer.from(value).toString('latin1').replaceAll('invalid_traffic', 'nvalid_trafficx'),
      'latin1',
    );
  assertProperty(
    'marks renamed',
    300,
    fc.property(randomLog(100), planArbitrary, ({ method, ...log }, plan) => {
      const version1 = withInvalidTraffic(method, false);
      const records = log.records.map((record) => ({ ...record, value: renamed(record.value) }));
      const [marked, other] = [log, { ...log, records }].map((one) =>
        replay({ ...one, method: version1 }, plan),
      );
      expect(marked!.totals()).toEqual(other!.totals());
      expect(marked!.ledgerRows()).toEqual(other!.ledgerRows());
      expect(marked!.state()).toEqual(other!.state());
    }),
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
        .filter(({ verdict }) => LETTERED.includes(verdict))
        .map(({ partition, offset }) => ({ partition, offset })),
    );
  }
  const { off } = fixture;
  if (off === undefined) return;
  const version1 = replay({ ...log, method: withInvalidTraffic(DEFAULT_METHOD, false) }, plan);
  expect(version1.totals()).toEqual(off.totals);
});
