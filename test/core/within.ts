// Ends a computation that goes on for ever, so that a hanging engine is a counterexample with a seed and not a
// test run without an end.
import { Script } from 'node:vm';

const script = new Script('globalThis.computeWithin()');

/** Each takes some milliseconds, and many times that on a busy machine. */
const LIMIT_MS = 30_000;

/** The result of `compute`; throws if it goes on for longer than anything would that ends. */
export function within<T>(compute: () => T): T {
  Object.assign(globalThis, { computeWithin: compute });
  return script.runInThisContext({ timeout: LIMIT_MS }) as T;
}
