// Random plans for a replay: which partitions are read when and in what batches, when it commits, when it is killed.
import fc from 'fast-check';
import type { Step } from './replay.js';

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  picks: fc.array(fc.record({ partition: fc.nat(2), count: fc.constantFrom(1, 1, 2, 5, 20) }), {
    minLength: 1,
    maxLength: 4,
  }),
  after: fc.constantFrom('go on', 'go on', 'commit', 'commit', 'commit idle', 'commit all', 'kill'),
});

const growingStepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: stepArbitrary },
  { weight: 1, arbitrary: fc.constant<Step>({ picks: [], after: 'tell' }) },
);

export const planArbitrary: fc.Arbitrary<Step[]> = fc.array(stepArbitrary, { maxLength: 40, size: 'max' });

/** Plans in which the engine hears of more partitions now and then. */
export const growingPlanArbitrary: fc.Arbitrary<Step[]> = fc.array(growingStepArbitrary, {
  maxLength: 40,
  size: 'max',
});
