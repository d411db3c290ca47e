// A store is counted by one method from its first click on: totals of two methods in one store could be
// neither explained nor reconciled.
import type { Method } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import type { StoredState } from '../core/ports/commit.js';
import { UsageError } from '../errors.js';

/** The options by the parameters they set. */
const FLAGS: Readonly<Record<Exclude<keyof Method, 'version'>, string>> = {
  watermarkDelayMs: '--watermark-delay',
  allowedLatenessMs: '--allowed-lateness',
  doubleClickMs: '--double-click',
  botWindowMs: '--bot-window',
  botThreshold: '--bot-threshold',
  clockSkewMs: '--clock-skew',
  invalidTraffic: '--invalid-traffic',
};

/** Throws a UsageError that names the options if the store was counted by another method. */
export function checkSameMethod(state: StoredState, method: Method): void {
  const { method: stored } = state;
  if (stored === undefined || methodHash(stored) === methodHash(method)) return;
  const differing = (Object.keys(FLAGS) as (keyof typeof FLAGS)[])
    .filter((name) => stored[name] !== method[name])
    .map((name) => `${FLAGS[name]} ${valueText(stored, name)}`);
  const what = differing.length > 0 ? differing.join(' ') : `version ${stored.version} of the method`;
  throw new UsageError(`this data directory was counted with ${what}`, {
    hint: 'Give the same, or another --data-dir.',
  });
}

function valueText(method: Method, name: keyof typeof FLAGS): string {
  if (name === 'invalidTraffic') return method.invalidTraffic ? 'on' : 'off';
  return name.endsWith('Ms') ? `${method[name]}ms` : String(method[name]);
}
