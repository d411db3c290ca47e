// What a store knows of itself, in the database's one register: who may write, how far it has counted, and which commit
// is half made. Everything that must be true together is in here, and changes by one compare-and-set.
import { randomBytes } from 'node:crypto';
import type { Method, Verdict } from '../../core/method.js';
import type { PartitionPosition } from '../../core/ports/commit.js';
import { invariant, UserError } from '../../errors.js';
import type { Head, RowDatabase } from './database.js';
import type { Days } from './days.js';

/** How heads and rows are laid out. Another number is another click-agg's. */
const LAYOUT = 1;

/** Over so many shards the minutes of a campaign or country are spread; each question about one reads all of them. */
const SHARDS = 8;

/** A commit that is decided and perhaps not in all tables yet. */
export interface Pending {
  /** Partition of its journal's entries, and what their keys begin with. */
  journal: string;
  prefix: string;
  entries: number;
  /** The values of a small journal's entries in Base64: then they are here alone. */
  inline: readonly string[] | undefined;
}

export interface HeadState {
  layout: number;
  /** Names the store: another one's letters are numbered by themselves. */
  store: string;
  /** Fixed when the store is made. */
  shards: number;
  /** How often the store was taken over. */
  epoch: number;
  /** Of the last write, and of all its rows: microseconds since 1970, or more. */
  version: number;
  commits: number;
  /** All cells are written, those of minutes still open too. */
  complete: boolean;
  identity: { method: Method; sourceIdentity: string } | undefined;
  positions: PartitionPosition[];
  /** The ledger's sums. */
  ledger: { partition: number; counts: Record<Verdict, number> }[];
  /** Its open periods are in the entries of this number. */
  checkpoint: { floorMs: number; number: number } | undefined;
  letters: { last: number; published: number };
  /** How many there are. */
  revisions: number;
  closedPeriods: number;
  /** How often adjustment lines were added. */
  adjustments: number;
  /** Days that hold cells, and days that hold rows of the ledger; perhaps a few more. */
  cellDays: Days;
  /** End of the newest minute that ever had a cell, epoch ms. */
  cellsEndMs: number;
  ledgerDays: Days;
  pending: Pending | undefined;
  /** Somebody reads all of it: writers wait. */
  hold: string | undefined;
}

/** The head as it was read. */
export interface KnownHead {
  revision: number;
  state: HeadState;
}

/** What the database's register holds; undefined where there is no store. UserError: it is of another version. */
export async function readHead(database: RowDatabase): Promise<KnownHead | undefined> {
  const head = await database.readHead();
  return head && { revision: head.revision, state: stateOf(head, database) };
}

/** As `readHead`, for those who only read: a swap that is under way may be in it or not. */
export async function glanceAtHead(database: RowDatabase): Promise<KnownHead | undefined> {
  const head = await (database.glanceAtHead ?? database.readHead)();
  return head && { revision: head.revision, state: stateOf(head, database) };
}

/** Makes `state` the head if `known` still is; undefined: it is not. */
export async function swapHead(
  database: RowDatabase,
  known: KnownHead | undefined,
  state: HeadState,
): Promise<KnownHead | undefined> {
  const expected = known?.revision ?? 0;
  const revision = expected + 1;
  const swapped = await database.swapHead(expected, { revision, text: textOf(state) });
  return swapped ? { revision, state } : undefined;
}

/** The head of the store, which is made if there is none. UserError: it is of another version. */
export async function openHead(database: RowDatabase): Promise<KnownHead> {
  for (;;) {
    const head = (await readHead(database)) ?? (await swapHead(database, undefined, newState()));
    if (head) return head;
  }
}

function newState(): HeadState {
  return {
    layout: LAYOUT,
    store: randomBytes(8).toString('hex'),
    shards: SHARDS,
    ...{ epoch: 0, version: 0, commits: 0, complete: false },
    ...{ identity: undefined, positions: [], ledger: [], checkpoint: undefined },
    letters: { last: -1, published: -1 },
    ...{ revisions: 0, closedPeriods: 0, adjustments: 0, cellDays: [], cellsEndMs: 0, ledgerDays: [] },
    pending: undefined,
    hold: undefined,
  };
}

/** No other head has this text: after an answer that was lost it tells whose swap it was. */
function textOf(state: HeadState): string {
  return jsonOf({ ...state, swap: randomBytes(8).toString('hex') });
}

function stateOf({ text }: Head, { name }: RowDatabase): HeadState {
  const { swap: _, ...state } = ofJson(text) as HeadState & { swap: string };
  if (state.layout !== LAYOUT) {
    throw new UserError(`the store in ${name} has layout ${state.layout}; this click-agg knows ${LAYOUT}`, {
      hint: 'Use the click-agg that wrote it, or a new place.',
    });
  }
  invariant(Number.isSafeInteger(state.version), 'a head without a version');
  return { ...newState(), ...state };
}

/** JSON, in which a time may be -Infinity. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (one === Number.NEGATIVE_INFINITY ? '-Infinity' : one));
}

/** What `jsonOf` wrote; what it left out because it is undefined is missing. */
export function ofJson(text: string): unknown {
  return JSON.parse(text, (name, one: unknown) =>
    one === '-Infinity' && name.endsWith('Ms') ? Number.NEGATIVE_INFINITY : one,
  );
}
