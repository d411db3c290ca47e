// How long property tests run, and how one is repeated. They say how many logs they tried: a slow machine may try
// fewer than the default, but not so few that the test would mean nothing.
import fc from 'fast-check';

/** A property stops after so long; the seed and the path of a failure are printed in any case. */
const PROPERTY_MS = 120_000;
/** Share of the runs that must have been made by then. */
const RUNS_LEAST = 0.25;

/**
 * Tries the property `runs` times, or PROPERTY_RUNS times without a limit of time; from PROPERTY_SEED and
 * PROPERTY_PATH where they are set. Throws with seed and counterexample if it doesn't hold, or if too few were tried.
 */
export function assertProperty<T>(name: string, runs: number, property: fc.IProperty<T>): void {
  const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_PATH } = process.env;
  const asked = PROPERTY_RUNS === undefined ? runs : Number(PROPERTY_RUNS);
  const details = fc.check(property, {
    numRuns: asked,
    ...(PROPERTY_RUNS === undefined ? { interruptAfterTimeLimit: PROPERTY_MS } : {}),
    ...(PROPERTY_SEED === undefined ? {} : { seed: Number(PROPERTY_SEED) }),
    ...(PROPERTY_PATH === undefined ? {} : { path: PROPERTY_PATH }),
  });
  console.info(`${name}: ${details.numRuns} of ${asked} tried (PROPERTY_SEED=${details.seed})`);
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
  if (PROPERTY_PATH === undefined && details.numRuns < asked * RUNS_LEAST) {
    throw new Error(`only ${details.numRuns} of ${asked} were tried: the machine is too slow, or the code`);
  }
}
