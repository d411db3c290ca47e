// Revisions, closed periods and adjustments as entries. How many there are stands in the head, and so two who add one at
// the same time can't both believe to be the first.
import type { AdjustmentLine, BillingLine, ClosedPeriod, Revision } from '../../core/ports/books.js';
import type { DeadLetter } from '../../core/ports/commit.js';
import { revisionOf } from '../../core/stored-rows.js';
import { UserError } from '../../errors.js';
import { entryParts } from './commit.js';
import type { Entry, RowDatabase } from './database.js';
import type { HeadState } from './head.js';
import { inGroups } from './ledger.js';
import { standingAt, standingEntry } from './letters.js';
import { allValues, jsonEntries, keyOf } from './long-values.js';
import type { Work } from './writer.js';

/** Letters that are looked up at a time. */
const LETTERS_AT_ONCE = 1000;

type Books = 'revisions' | 'closed' | 'adjustments';

/** Values of a book with numbers up to `last`: those behind it are not decided yet. */
async function* valuesOf(database: RowDatabase, partition: Books, last: number): AsyncGenerator<unknown> {
  const range = { through: `${keyOf(last)}/9999` };
  for await (const { value } of allValues(database, { kind: 'book', partition }, range)) {
    yield JSON.parse(Buffer.from(value).toString());
  }
}

function bookEntries(partition: Books, number: number, value: unknown): Entry[] {
  return jsonEntries({ kind: 'book', partition, key: keyOf(number) }, value);
}

/** Backfills in their order. */
export async function readRevisions(database: RowDatabase, state: HeadState): Promise<Revision[]> {
  const revisions: Revision[] = [];
  for await (const value of valuesOf(database, 'revisions', state.revisions)) {
    const { revision, fromMs, toMs, recordedAtMs, methodHash, ...rest } = value as Revision;
    const { positions, tooLateAdmitted, adjustments } = rest;
    const times = [revision, fromMs, toMs, recordedAtMs, methodHash];
    revisions.push(revisionOf([...times, positions, tooLateAdmitted, adjustments], (json) => json));
  }
  return revisions;
}

/** The entries of the next revision. UserError: another backfill came between. */
export function revisionEntries(revision: Revision, state: HeadState): Entry[] {
  if (revision.revision !== state.revisions + 1) {
    throw new UserError(`another backfill became revision ${state.revisions} meanwhile`, {
      hint: 'Run it again.',
    });
  }
  return bookEntries('revisions', revision.revision, revision);
}

/** Closed periods by their beginning. */
export async function readClosedPeriods(database: RowDatabase, state: HeadState): Promise<ClosedPeriod[]> {
  const periods: ClosedPeriod[] = [];
  for await (const value of valuesOf(database, 'closed', state.closedPeriods))
    periods.push(value as ClosedPeriod);
  return periods.sort((a, b) => a.fromMs - b.fromMs);
}

/** Closes a period. UserError: it overlaps one that is closed. */
export async function planClosing(
  database: RowDatabase,
  period: ClosedPeriod,
  state: HeadState,
): Promise<Work> {
  const overlapping = (await readClosedPeriods(database, state)).find(
    ({ periodId, fromMs, toMs }) =>
      periodId === period.periodId || (fromMs < period.toMs && toMs > period.fromMs),
  );
  if (overlapping) {
    throw new UserError(`period ${period.periodId} overlaps ${overlapping.periodId}, which is closed`, {
      hint: 'A closed period never changes; what changed since is in its adjustments.',
    });
  }
  const closedPeriods = state.closedPeriods + 1;
  const lines = period.lines.map(moneyOf);
  const entries = bookEntries('closed', closedPeriods, { ...period, lines });
  return { head: { closedPeriods }, parts: [...entryParts(entries)] };
}

/** Adjustment lines in the order in which they were added. */
export async function readAdjustments(database: RowDatabase, state: HeadState): Promise<AdjustmentLine[]> {
  const lines: AdjustmentLine[] = [];
  for await (const some of valuesOf(database, 'adjustments', state.adjustments))
    for (const line of some as AdjustmentLine[]) lines.push(line);
  return lines;
}

/** Lines that are added, and the head's count of them. */
export function addedAdjustments(
  lines: readonly AdjustmentLine[],
  state: HeadState,
): { entries: Entry[]; head: Pick<HeadState, 'adjustments'> } {
  if (lines.length === 0) return { entries: [], head: { adjustments: state.adjustments } };
  const adjustments = state.adjustments + 1;
  const kept = lines.map((line): AdjustmentLine => {
    const { periodId, cause, recordedAtMs } = line;
    return { periodId, ...moneyOf(line), cause, recordedAtMs };
  });
  return { entries: bookEntries('adjustments', adjustments, kept), head: { adjustments } };
}

/** Adds adjustment lines. */
export function planAdjustments(lines: readonly AdjustmentLine[], state: HeadState): Work | undefined {
  const { entries, head } = addedAdjustments(lines, state);
  return entries.length === 0 ? undefined : { head, parts: [...entryParts(entries)] };
}

function moneyOf({ campaignId, clicks, pricePerClick, amount, currency }: BillingLine): BillingLine {
  return { campaignId, clicks, pricePerClick, amount, currency };
}

/** Remembers that letters were sent again. */
export async function planRedriven(
  database: RowDatabase,
  places: readonly Pick<DeadLetter, 'partition' | 'offset'>[],
  atMs: number,
): Promise<Work | undefined> {
  const entries = new Map<string, Entry>();
  for (const some of inGroups(places, LETTERS_AT_ONCE)) {
    for (const one of await standingAt(database, some)) {
      const name = `${one.partition} ${one.offset}`;
      entries.set(name, standingEntry(one, { ...one, redrivenAtMs: Math.trunc(atMs) }));
    }
  }
  return entries.size === 0 ? undefined : { head: {}, parts: [...entryParts([...entries.values()])] };
}
