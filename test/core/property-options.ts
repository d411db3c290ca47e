// How long property tests run, and how one is repeated: fast-check prints the seed and the path of a failure.
import type { Parameters } from 'fast-check';

/** `runs` of them, or PROPERTY_RUNS; from PROPERTY_SEED and PROPERTY_PATH where they are set. */
export function propertyOptions<T>(runs: number): Parameters<T> {
  const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_PATH } = process.env;
  return {
    numRuns: PROPERTY_RUNS === undefined ? runs : Number(PROPERTY_RUNS),
    // A failing log is made smaller for so long; what was found until then is reported.
    ...(PROPERTY_RUNS === undefined ? { interruptAfterTimeLimit: 25_000 } : {}),
    ...(PROPERTY_SEED === undefined ? {} : { seed: Number(PROPERTY_SEED) }),
    ...(PROPERTY_PATH === undefined ? {} : { path: PROPERTY_PATH }),
  };
}
