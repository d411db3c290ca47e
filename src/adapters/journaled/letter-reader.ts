// Reading dead letters: as they stand, by place or newest first, and what happened to them in its order.
import type { DeadLetter } from '../../core/ports/commit.js';
import type { LetterEvent } from '../../core/ports/letters.js';
import type { DeadLetterFilter } from '../../core/ports/store.js';
import { COUNTED_MARKS_MAX } from '../../core/stored-rows.js';
import type { RowDatabase } from './database.js';
import type { HeadState } from './head.js';
import { inGroups } from './ledger.js';
import {
  blockOf,
  type LetterCount,
  readBlock,
  readCounts,
  type StandingLetter,
  standingAt,
  standingBehind,
  withContents,
} from './letters.js';

/** Letters whose contents are read at a time. */
const CONTENTS_AT_ONCE = 50;

/** The letters that a filter lets through, in its order. */
export async function readLetters(
  database: RowDatabase,
  state: HeadState,
  filter: DeadLetterFilter,
): Promise<DeadLetter[]> {
  const limit = Math.max(0, Math.floor(filter.limit));
  const chosen: StandingLetter[] = [];
  const { verdict, reason, after } = filter;
  const isMeant = (one: StandingLetter): boolean =>
    (verdict === undefined || one.verdict === verdict) && (reason === undefined || one.reason === reason);
  for await (const one of inOrder(database, state, filter)) {
    if (chosen.length >= limit) break;
    if (isMeant(one)) chosen.push(one);
  }
  const letters: DeadLetter[] = [];
  // A block of events holds neighbours: they are read together.
  for (const some of inGroups(chosen, CONTENTS_AT_ONCE)) {
    for (const { letter } of await withContents(database, some)) letters.push(letter);
  }
  return after === undefined || letters.length <= limit ? letters : letters.slice(0, limit);
}

async function* inOrder(
  database: RowDatabase,
  state: HeadState,
  { at, after, verdict, reason }: DeadLetterFilter,
): AsyncGenerator<StandingLetter> {
  if (at.length > 0) {
    const found = await standingAt(database, uniquePlaces(at));
    const behind = after ? found.filter((one) => byPlace(one, after) > 0) : found;
    yield* behind.sort(after ? byPlace : (a, b) => b.sequence - a.sequence);
    return;
  }
  if (after) {
    yield* standingBehind(database, after);
    return;
  }
  for (let block = blockOf(state.letters.last); block >= 0; block--) {
    const events = await readBlock(database, block);
    const came = events.filter(
      (event) =>
        !event.withdrawn &&
        event.sequence <= state.letters.last &&
        (verdict === undefined || event.letter.verdict === verdict) &&
        (reason === undefined || event.letter.reason === reason),
    );
    const sequences = new Set(came.map(({ sequence }) => sequence));
    const standing = await standingAt(database, uniquePlaces(came.map(({ letter }) => letter)));
    // A place that was left and taken again stands under its last number.
    yield* standing.filter(({ sequence }) => sequences.has(sequence)).sort((a, b) => b.sequence - a.sequence);
  }
}

type Place = { partition: number; offset: number };

function byPlace(a: Place, b: Place): number {
  return a.partition - b.partition || a.offset - b.offset;
}

function uniquePlaces(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [`${place.partition} ${place.offset}`, place])).values()];
}

/** By verdict and reason, most first; of very many marks the rare ones are counted together. */
export async function readLetterCounts(database: RowDatabase): Promise<LetterCount[]> {
  const counts = await readCounts(database);
  const marks = counts.filter(({ verdict }) => verdict === 'invalid_traffic').sort(byCount);
  const rare = marks.slice(COUNTED_MARKS_MAX);
  const shown = counts.filter((one) => !rare.includes(one));
  if (rare.length > 0) {
    const count = rare.reduce((sum, one) => sum + one.count, 0);
    shown.push({ verdict: 'invalid_traffic', reason: '', count });
  }
  return shown.sort(byCount);
}

function byCount(a: LetterCount, b: LetterCount): number {
  return b.count - a.count || compareTexts(a.verdict, b.verdict) || compareTexts(a.reason, b.reason);
}

function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The next events behind `after`, up to the last one that was committed. */
export async function readEvents(
  database: RowDatabase,
  { letters: { last } }: HeadState,
  { after, limit }: { after: number; limit: number },
): Promise<LetterEvent[]> {
  const first = Math.max(0, Math.trunc(after) + 1);
  const end = Math.min(last + 1, first + Math.max(1, Math.trunc(limit)));
  const events: LetterEvent[] = [];
  for (let block = blockOf(first); first < end && block <= blockOf(end - 1); block++) {
    for (const event of await readBlock(database, block))
      if (event.sequence >= first && event.sequence < end) events.push(event);
  }
  return events;
}
