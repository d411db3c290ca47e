// Whether a change can alter the answer to a question. It may say yes too often, never no.
import type { ChangeMessage } from '../live/run-message.js';
import type { Scope } from './answer.js';
import type { FilterLists, Meant } from './question.js';

/** What is known of an answer: its scope and the end of its period. */
export interface Answered {
  meant: Meant;
  scope: Scope;
  /** Where `last` ended when it was answered. */
  newestMs: number | undefined;
}

/** True: the question must be asked again. */
export function touches(change: ChangeMessage, { meant, scope, newestMs }: Answered): boolean {
  if (meant.kind === 'ledger') return true;
  if (meant.kind !== 'totals' && meant.kind !== 'series') return false;
  if (change.fromMs >= change.toMs) return false;
  // The window moves on, whoever's click moves it.
  if (meant.lastMs !== undefined && (newestMs === undefined || change.toMs > newestMs)) return true;
  const fromMs = meant.lastMs === undefined ? meant.fromMs : newestMs! - meant.lastMs;
  if (fromMs !== undefined && change.toMs <= startOfStep(fromMs, meant)) return false;
  if (meant.toMs !== undefined && change.fromMs >= endOfStep(meant.toMs, meant)) return false;
  return change.changed === undefined || change.changed.dimensions.some((one) => matches(one, meant, scope));
}

/** Steps of a series are whole, so that the first and the last may reach beyond the period. */
const STEP_LONGEST_MS = 86_400_000;

function startOfStep(ms: number, meant: Meant): number {
  return meant.kind === 'series' ? ms - STEP_LONGEST_MS : ms;
}

function endOfStep(ms: number, meant: Meant): number {
  return meant.kind === 'series' ? ms + STEP_LONGEST_MS : ms;
}

function matches(
  [adId, campaignId, country, deviceType]: readonly [string, string, string, string],
  filters: FilterLists,
  scope: Scope,
): boolean {
  const passes = (list: readonly string[], value: string): boolean =>
    list.length === 0 || list.includes(value);
  return (
    passes(filters.adIds, adId) &&
    passes(filters.campaignIds, campaignId) &&
    passes(filters.countries, country) &&
    passes(filters.deviceTypes, deviceType) &&
    (scope === undefined || scope.includes(campaignId))
  );
}
