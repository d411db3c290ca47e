// Which turns a store was counted in, remembered in the store beside what it has counted: by that a process knows what
// became of a commit that it had under way when it lost the store, or its life.
import type { StoredState } from '../core/ports/commit.js';

/** A process made itself the store's writer when it had made so many commits. */
export interface Turn {
  epoch: number;
  commits: number;
}

/** What else than the history of the log is in a store's `sourceIdentity`. */
export interface Lineage {
  /** The last turns, the newest last. */
  turns?: readonly Turn[];
  /** The store that this one follows, by the name of its stream of letters. */
  follows?: string | undefined;
  /** That store, while its totals are copied here. */
  copying?: string | undefined;
}

/** More turns are not remembered. */
const TURNS_MAX = 50;

/** What a store says of where it comes from. */
export function lineageOf({ sourceIdentity }: Pick<StoredState, 'sourceIdentity'>): Lineage {
  if (sourceIdentity === undefined || !sourceIdentity.startsWith('{')) return {};
  return JSON.parse(sourceIdentity) as Lineage;
}

/** The turns of a store, the one that begins now behind those that were. */
export function turnsWith(state: Pick<StoredState, 'sourceIdentity' | 'commits'>, epoch: number): Turn[] {
  const before = (lineageOf(state).turns ?? []).filter((turn) => turn.epoch < epoch);
  return [...before, { epoch, commits: state.commits }].slice(-TURNS_MAX);
}

/**
 * Whether a store has made the commit of this number that was under way in the turn of this epoch. Undefined: it may
 * still be made, or was so long ago that nobody knows.
 */
export function wasMade(
  commit: { number: number; epoch: number },
  store: { turns: readonly Turn[]; commits: number },
): boolean | undefined {
  const turn = store.turns.findIndex(({ epoch }) => epoch === commit.epoch);
  if (turn < 0) return undefined;
  const next = store.turns[turn + 1];
  if (next) return commit.number <= next.commits;
  return commit.number <= store.commits ? true : undefined;
}
