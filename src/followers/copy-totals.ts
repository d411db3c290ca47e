// A store made the copy of another: totals, ledger, letters, positions and books, by commits that end with the number
// of the other's last one, so that it can follow from there. Only what differs is written: a copy that broke off is
// begun again, and brings the rest.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compareSnapshots, type SnapshotDifference } from '../adapters/duckdb/snapshot-difference.js';
import type { Snapshot, StoreBooks } from '../core/ports/books.js';
import type { CellColumns, DeadLetter, LedgerChange, Standing } from '../core/ports/commit.js';
import type { LetterEvent, LetterOutbox } from '../core/ports/letters.js';
import type { Store } from '../core/ports/store.js';
import { LEDGER_COLUMNS } from '../core/stored-rows.js';
import { UserError } from '../errors.js';
import { pause } from '../pause.js';
import { booksOf, copyBooks } from './copy-books.js';
import { lineageOf } from './turns.js';

type WholeStore = Store & StoreBooks & LetterOutbox;

/** Of one commit, unless the store has made too few of them for its totals. */
const COMMIT_MAX = { cells: 20_000, letters: 5_000, ledger: 50_000 };
const PAGE = 1_000;
/** A store that is counted into is looked at so often for a moment between two commits. */
const ATTEMPTS_MAX = 200;
const ALWAYS = { fromMs: undefined, toMs: undefined };

export interface CopyOptions {
  /** Nobody need stop counting into it. */
  from: WholeStore;
  to: WholeStore;
  /** As they may be shown. */
  names: { from: string; to: string };
  /** For files. */
  folder: string;
  /** Cells, letters and rows of the ledger of one commit; COMMIT_MAX where it is not given. */
  commitMax?: typeof COMMIT_MAX;
  onProgress(done: number, total: number): void;
  signal: AbortSignal;
}

export interface Copied {
  /** Of both stores now. */
  commits: number;
  /** Cells and letters that were written. */
  cells: number;
  letters: number;
}

/** Copies. UserError: the other store holds something else, or nothing was counted into the first. */
export async function copyTotals(options: CopyOptions): Promise<Copied> {
  const { from, to, names, folder } = options;
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'copy-'));
  try {
    const { id } = await from.letterStream();
    // Not its state: a copy that died may have left a commit half made, which taking over completes.
    requireFree(await to.standing(), id, names);
    // First: what they changed of the totals is in the snapshot then.
    const books = await booksOf(from);
    const moment = await momentOf(from, work, options);
    const { state } = moment.snapshot;
    if (state.method === undefined || state.commits === 0) {
      throw new UserError(`${names.from} holds no totals`, { hint: 'Check --from.' });
    }
    await to.takeOver();
    const before = await to.standing();
    const { turns: _, ...history } = lineageOf(state);
    const begin = (identity: object): Promise<void> =>
      to.begin({ method: state.method!, sourceIdentity: JSON.stringify(identity) });
    await begin({ copying: id });
    const isBehind = before.commits < state.commits;
    const written = isBehind ? await writeAll(options, moment, work) : NOTHING;
    await copyBooks(books, to, { snapshot: moment.snapshot, work });
    if (!isBehind && (await differs(options, moment, work))) {
      await begin(lineageOf(before));
      throw new UserError(`${names.to} has made as many commits as ${names.from}, and other ones`, {
        hint: 'Copy into an empty store.',
      });
    }
    await begin({ ...history, follows: id });
    return { commits: state.commits, ...written };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function requireFree(state: Standing, origin: string, { from, to }: CopyOptions['names']): void {
  const { follows, copying } = lineageOf(state);
  const isNew = state.commits === 0 && state.methodHash === undefined;
  if (isNew || copying === origin || follows === origin) return;
  throw new UserError(`${to} holds totals already, and not those of ${from}`, {
    hint: 'Give an empty store.',
  });
}

async function snapshotInto(store: WholeStore, directory: string): Promise<Snapshot> {
  await mkdir(directory, { recursive: true });
  return await store.snapshot(directory, ALWAYS);
}

/** A store at one of its commits. */
interface Moment {
  snapshot: Snapshot;
  /** The last event of letters. */
  lastEvent: number;
}

/** Of a store that is counted into, a moment must be met. */
async function momentOf(from: WholeStore, work: string, { names, signal }: CopyOptions): Promise<Moment> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX && !signal.aborted; attempt++) {
    const { commits } = await from.standing();
    const { last } = await from.letterStream();
    const snapshot = await snapshotInto(from, join(work, 'wanted'));
    if (snapshot.state.commits === commits) return { snapshot, lastEvent: last };
    await pause(50, signal);
  }
  throw new UserError(`${names.from} makes commits faster than it can be looked at`, {
    hint: 'Try again, or stop its run meanwhile.',
  });
}

interface Lacking {
  difference: SnapshotDifference;
  ledger: LedgerChange[];
  letters: LettersToCopy;
  /** Commits of the copy so far. */
  commits: number;
}

/** What the copy has not as the store was at that moment. The difference is to be closed. */
async function lackingOf(
  { from, to }: CopyOptions,
  { snapshot, lastEvent }: Moment,
  work: string,
): Promise<Lacking> {
  const found = await snapshotInto(to, join(work, 'found'));
  const difference = await compareSnapshots(snapshot, found, work);
  return {
    difference,
    ledger: (await difference.ledgerRows()).map(ledgerChangeOf),
    letters: await lettersToCopy(from, to, lastEvent),
    commits: found.state.commits,
  };
}

/** Whether the copy is another store than this was at that moment. */
async function differs(options: CopyOptions, moment: Moment, work: string): Promise<boolean> {
  const { difference, ledger, letters } = await lackingOf(options, moment, work);
  difference.close();
  return difference.cells + ledger.length + letters.count + letters.withdrawn.length > 0;
}

interface Written {
  cells: number;
  letters: number;
}
const NOTHING: Written = { cells: 0, letters: 0 };

async function writeAll(options: CopyOptions, moment: Moment, work: string): Promise<Written> {
  const lacking = await lackingOf(options, moment, work);
  try {
    return await writeLacking(options, moment.snapshot, lacking);
  } finally {
    lacking.difference.close();
  }
}

/** Writes what the copy lacks, in commits the last of which has the number of the snapshot's. */
async function writeLacking(
  { to, commitMax: most = COMMIT_MAX, onProgress, signal }: CopyOptions,
  { state, complete }: Snapshot,
  { difference, ledger, letters, commits: before }: Lacking,
): Promise<Written> {
  const wanted = Math.max(
    ...[difference.cells / most.cells, letters.count / most.letters, ledger.length / most.ledger, 1],
  );
  const count = Math.min(state.commits - before, Math.ceil(wanted));
  const cells = chunksOf(difference, Math.ceil(difference.cells / count));
  let done = 0;
  for (let at = 1; at <= count; at++) {
    if (signal.aborted) throw new UserError('the copy was broken off', { hint: 'Run it again: it goes on.' });
    const next = await cells.next();
    const part: CellColumns = next.done ? columnsOf([]) : next.value;
    const isLast = at === count;
    await to.commit({
      withdrawn: at === 1 ? letters.withdrawn : [],
      deadLetters: await letters.next(Math.ceil(letters.count / count)),
      cells: part,
      ledger: shareOf(ledger, at, count),
      positions: isLast ? state.positions : [],
      checkpoint: isLast ? state.checkpoint : undefined,
      complete: isLast ? complete : false,
      number: isLast ? state.commits : before + at,
    });
    done += part.count;
    onProgress(done, difference.cells);
  }
  return { cells: difference.cells, letters: letters.count };
}

function shareOf<T>(items: readonly T[], at: number, count: number): T[] {
  const size = Math.ceil(items.length / count);
  return items.slice((at - 1) * size, at * size);
}

interface LettersToCopy {
  count: number;
  /** Of the copy, which the first store has not any more. */
  withdrawn: { partition: number; offset: number }[];
  /** Those that the copy has not, some at a time. */
  next(size: number): Promise<DeadLetter[]>;
}

/** The letters that stand after the last event, less those that the copy has. */
async function lettersToCopy(from: WholeStore, to: WholeStore, last: number): Promise<LettersToCopy> {
  const wanted = await standingOf(from, last);
  const found = await standingOf(to, Number.POSITIVE_INFINITY);
  const withdrawn = [...found.keys()].filter((place) => !wanted.has(place)).map(placeOf);
  for (const place of found.keys()) wanted.delete(place);
  const letters = standingLetters(from, last, wanted);
  return {
    ...{ count: wanted.size, withdrawn },
    async next(size) {
      const some: DeadLetter[] = [];
      while (some.length < size) {
        const { value, done } = await letters.next();
        if (done) break;
        some.push(value);
      }
      return some;
    },
  };
}

/** By place, the number of the event that wrote the letter which stands there. */
async function standingOf(store: LetterOutbox, last: number): Promise<Map<string, number>> {
  const standing = new Map<string, number>();
  for await (const page of eventsOf(store, last)) {
    for (const { sequence, withdrawn, letter } of page) {
      if (withdrawn) standing.delete(nameOf(letter));
      else standing.set(nameOf(letter), sequence);
    }
  }
  return standing;
}

async function* standingLetters(
  store: LetterOutbox,
  last: number,
  wanted: ReadonlyMap<string, number>,
): AsyncGenerator<DeadLetter, undefined> {
  for await (const page of eventsOf(store, last)) {
    for (const { sequence, letter } of page) if (wanted.get(nameOf(letter)) === sequence) yield letter;
  }
  return undefined;
}

function nameOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}:${offset}`;
}

function placeOf(name: string): { partition: number; offset: number } {
  const [partition, offset] = name.split(':').map(Number) as [number, number];
  return { partition, offset };
}

async function* eventsOf(store: LetterOutbox, last: number): AsyncGenerator<LetterEvent[]> {
  for (let after = -1; ; ) {
    const page = (await store.letterEvents(after, PAGE)).filter(({ sequence }) => sequence <= last);
    if (page.length === 0) return;
    yield page;
    after = page.at(-1)!.sequence;
  }
}

function ledgerChangeOf([partition, minute, ...counts]: readonly unknown[]): LedgerChange {
  const named = LEDGER_COLUMNS.map((name, index) => [name, Number(counts[index])]);
  return {
    partition: Number(partition),
    minuteMs: Number(minute),
    counts: Object.fromEntries(named) as LedgerChange['counts'],
  };
}

/** The cells in chunks of this size. */
async function* chunksOf(
  difference: SnapshotDifference,
  size: number,
): AsyncGenerator<CellColumns, undefined> {
  let rows: (readonly unknown[])[] = [];
  for await (const page of difference.cellRows()) {
    for (const row of page) {
      rows.push(row);
      if (rows.length < size) continue;
      yield columnsOf(rows);
      rows = [];
    }
  }
  if (rows.length > 0) yield columnsOf(rows);
  return undefined;
}

function columnsOf(rows: readonly (readonly unknown[])[]): CellColumns {
  const dimensions: [string, string, string, string][] = [];
  const numbers = new Map<string, number>();
  const dimension = Int32Array.from(rows, ([, ...texts]) => {
    const [ad, campaign, country, device] = texts.map(String) as [string, string, string, string];
    const key = JSON.stringify([ad, campaign, country, device]);
    let number = numbers.get(key);
    if (number === undefined) {
      number = dimensions.push([ad, campaign, country, device]) - 1;
      numbers.set(key, number);
    }
    return number;
  });
  return {
    count: rows.length,
    minuteMs: Float64Array.from(rows, ([minute]) => Number(minute)),
    dimension,
    clicks: Int32Array.from(rows, (row) => Number(row[5])),
    rewrite: Uint8Array.from(rows, (row) => (row[6] === true ? 1 : 0)),
    dimensions,
  };
}
