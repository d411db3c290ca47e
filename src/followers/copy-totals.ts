// A store made the copy of another: totals, ledger, letters, positions and books, by commits that end with the number
// of the other's last one, so that it can follow from there. Only what differs is written: a copy that broke off is
// begun again, and brings the rest.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareSnapshots, type SnapshotDifference } from '../adapters/duckdb/snapshot-difference.js';
import { parquetOfCsv, TOTALS_COLUMNS } from '../adapters/duckdb/table-files.js';
import type { Snapshot, StoreBooks } from '../core/ports/books.js';
import type { CellColumns, DeadLetter, LedgerChange, Standing } from '../core/ports/commit.js';
import type { LetterEvent, LetterOutbox } from '../core/ports/letters.js';
import type { Store } from '../core/ports/store.js';
import { LEDGER_COLUMNS } from '../core/stored-rows.js';
import { UserError } from '../errors.js';
import { pause } from '../pause.js';
import { lineageOf } from './turns.js';

type WholeStore = Store & StoreBooks & LetterOutbox;

/** Of one commit, unless the store has made too few of them for its totals. */
const CELLS_MAX = 100_000;
const LETTERS_MAX = 5_000;
const LEDGER_MAX = 50_000;
const PAGE = 1_000;
/** A store that is counted into is looked at so often for a moment between two commits. */
const ATTEMPTS_MAX = 200;
const EVERYTHING = { fromMs: undefined, toMs: undefined };

export interface CopyOptions {
  /** Nobody need stop counting into it. */
  from: WholeStore;
  to: WholeStore;
  /** As they may be shown. */
  names: { from: string; to: string };
  /** For files. */
  folder: string;
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
    const { snapshot, lastEvent } = await momentOf(from, work, options);
    const { state } = snapshot;
    if (state.method === undefined || state.commits === 0) {
      throw new UserError(`${names.from} holds no totals`, { hint: 'Check --from.' });
    }
    await to.takeOver();
    await to.begin({ method: state.method, sourceIdentity: JSON.stringify({ copying: id }) });
    await copyBooks(from, to, work);
    const found = await snapshotInto(to, join(work, 'found'));
    const difference = await compareSnapshots(snapshot, found, work);
    try {
      const copied = await writeAll(options, {
        snapshot,
        lastEvent,
        before: found.state.commits,
        difference,
      });
      const { turns: _, ...history } = lineageOf(state);
      await to.begin({ method: state.method, sourceIdentity: JSON.stringify({ ...history, follows: id }) });
      return { commits: state.commits, ...copied };
    } finally {
      difference.close();
    }
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
  return await store.snapshot(directory, EVERYTHING);
}

/** A snapshot, and the last event of letters at its commit: of a store that is counted into, a moment must be met. */
async function momentOf(
  from: WholeStore,
  work: string,
  { names, signal }: CopyOptions,
): Promise<{ snapshot: Snapshot; lastEvent: number }> {
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

/** Invoices, adjustments and revisions that the copy has not. */
async function copyBooks(from: WholeStore, to: WholeStore, work: string): Promise<void> {
  const known = (await to.revisions()).length;
  for (const revision of (await from.revisions()).slice(known)) {
    const empty = await emptyFiles(work);
    const { fromMs, toMs } = revision;
    // The period's totals come with all others.
    await to.replacePeriod({ fromMs, toMs, ...empty, revision, adjustments: [] });
  }
  const closed = new Set((await to.closedPeriods()).map(({ periodId }) => periodId));
  for (const period of await from.closedPeriods()) {
    if (!closed.has(period.periodId)) await to.closePeriod(period);
  }
  const adjusted = (await to.adjustments()).length;
  const lines = (await from.adjustments()).slice(adjusted);
  if (lines.length > 0) await to.addAdjustments(lines);
}

async function emptyFiles(work: string): Promise<{ totalsFile: string; ledgerFile: string }> {
  const csv = join(work, 'empty.csv');
  await writeFile(csv, '');
  const [totalsFile, ledgerFile] = [join(work, 'no-totals.parquet'), join(work, 'no-ledger.parquet')];
  await parquetOfCsv(csv, totalsFile, TOTALS_COLUMNS);
  await parquetOfCsv(csv, ledgerFile, [
    { name: 'partition', type: 'INTEGER' },
    { name: 'minute', type: 'BIGINT' },
    ...LEDGER_COLUMNS.map((name) => ({ name, type: 'BIGINT' as const })),
  ]);
  return { totalsFile, ledgerFile };
}

interface Difference {
  snapshot: Snapshot;
  lastEvent: number;
  /** Commits of the copy so far. */
  before: number;
  difference: SnapshotDifference;
}

/** Writes what differs, in commits the last of which has the number of the snapshot's. */
async function writeAll(
  { from, to, names, onProgress, signal }: CopyOptions,
  { snapshot, lastEvent, before, difference }: Difference,
): Promise<{ cells: number; letters: number }> {
  const { state, complete } = snapshot;
  const ledger = (await difference.ledgerRows()).map(ledgerChangeOf);
  const letters = await lettersToCopy(from, to, lastEvent);
  const free = state.commits - before;
  if (free <= 0) {
    if (difference.cells + ledger.length + letters.count + letters.withdrawn.length === 0)
      return { cells: 0, letters: 0 };
    throw new UserError(`${names.to} has made as many commits as ${names.from}, and other ones`, {
      hint: 'Copy into an empty store.',
    });
  }
  const wanted = Math.max(
    ...[difference.cells / CELLS_MAX, letters.count / LETTERS_MAX, ledger.length / LEDGER_MAX, 1],
  );
  const count = Math.min(free, Math.ceil(wanted));
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
