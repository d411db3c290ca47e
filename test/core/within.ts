// Ends a computation that goes on for ever, so that a hanging engine is a counterexample with a seed and not a
// test run without an end.
import { Script } from 'node:vm';

const script = new Script('globalThis.computeWithin()');

/** The result of `compute`; throws if it takes longer than `timeoutMs`. */
export function within<T>(timeoutMs: number, compute: () => T): T {
  Object.assign(globalThis, { computeWithin: compute });
  return script.runInThisContext({ timeout: timeoutMs }) as T;
}
