// What a commit does: its cells and the hours and days they are summed up in, ledger rows, letters and the checkpoint as
// absolute values, and the head as it will be.
import type { CellColumns, Checkpoint, Commit, PartitionPosition } from '../../core/ports/commit.js';
import { packOpenPeriods } from '../../core/stored-rows.js';
import type { Entry, RowDatabase } from './database.js';
import { dayOf, withDays } from './days.js';
import type { HeadState } from './head.js';
import type { EntriesPart, HeadChange, Part } from './journal.js';
import { LedgerBook } from './ledger.js';
import { LetterBook } from './letters.js';
import { allEntries, entriesOf, keyOf } from './long-values.js';
import { type Dimension, GRAIN_MS, rowOf } from './places.js';
import { RememberedClicks } from './remembered-clicks.js';
import { type ChangedCells, cellParts, PART_CELLS, rollupParts } from './rollups.js';
import type { Work } from './writer.js';

/** Entries of one part, and bytes of their values. */
const PART_ENTRIES = 1000;
const PART_BYTES = 1024 * 1024;

/** What a writer remembers of the store's rows, so that it need not read them again. */
export class Memory {
  readonly clicks: RememberedClicks;
  readonly ledger: LedgerBook;
  readonly letters: LetterBook;

  constructor(database: RowDatabase) {
    this.clicks = new RememberedClicks(database);
    this.ledger = new LedgerBook(database);
    this.letters = new LetterBook(database);
  }

  forget(): void {
    this.clicks.forget();
    this.ledger.forget();
    this.letters.forget();
  }
}

/** The write of a commit; undefined: the store has it already. */
export async function planCommit(
  database: RowDatabase,
  memory: Memory,
  commit: Commit,
  state: HeadState,
): Promise<Work | undefined> {
  const number = commit.number ?? state.commits + 1;
  if (number <= state.commits) return undefined;
  const cells = await changesOf(database, memory, commit.cells, state);
  const ledger = await memory.ledger.changed(commit.ledger, state);
  const letters = await memory.letters.changed(commit, state.letters.last);
  const entries = [...ledger.entries, ...letters.entries];
  const head: HeadChange = {
    commits: number,
    complete: commit.complete,
    positions: moved(state.positions, commit.positions),
    letters: { ...state.letters, last: letters.last },
    ...ledger.head,
    ...daysOf(cells, state),
  };
  if (commit.checkpoint) {
    const checkpoint = await replacedCheckpoint(database, state, commit.checkpoint);
    entries.push(...checkpoint.entries);
    head.checkpoint = checkpoint.head;
  }
  const parts = [...(await totalsParts(database, memory, cells, state)), ...entryParts(entries)];
  return parts.length > 0 ? { head, parts } : { head };
}

/** The parts of changed cells, hours and days among them. */
export async function totalsParts(
  database: RowDatabase,
  memory: Memory,
  cells: ChangedCells,
  { shards }: HeadState,
): Promise<Part[]> {
  const rollups = await rollupParts(database, cells, { remembered: memory.clicks, shards });
  return [...cellParts(cells), ...rollups];
}

/** Cells with what they gain. Only those that are rewritten may have been there. */
async function changesOf(
  database: RowDatabase,
  { clicks: remembered }: Memory,
  columns: CellColumns,
  state: HeadState,
): Promise<ChangedCells> {
  remembered.emptyFrom(state.cellsEndMs);
  const gain = Float64Array.from(columns.clicks);
  const { minuteMs, clicks, dimension, dimensions, rewrite, count } = columns;
  const changes = { dimensions, count, dimension, minuteMs, clicks, gain };
  const [table] = database.tables;
  // Nothing is summed up where the database does it by itself.
  if (database.tables.length === 1) return changes;
  for (let from = 0; from < count; from += PART_CELLS) {
    const some = Array.from({ length: Math.min(PART_CELLS, count - from) }, (_, index) => from + index);
    const rewritten = some.filter((index) => rewrite[index] === 1);
    const row = (index: number) =>
      rowOf(table!, dimensions[dimension[index]!] as Dimension, {
        ...{ atMs: minuteMs[index]!, clicks: clicks[index]!, shards: state.shards },
      });
    const before = await remembered.clicksOf(table!, rewritten.map(row));
    for (const [number, index] of rewritten.entries()) gain[index]! -= before[number]!;
    for (const index of some) remembered.put(table!, row(index), clicks[index]!);
  }
  return changes;
}

/** The days of the store with those of changed cells. */
export function daysOf(cells: ChangedCells, state: HeadState): Pick<HeadState, 'cellDays' | 'cellsEndMs'> {
  let { cellsEndMs } = state;
  const days = new Set<number>();
  for (let index = 0; index < cells.count; index++) {
    const ms = cells.minuteMs[index]!;
    days.add(dayOf(ms));
    if (ms >= cellsEndMs) cellsEndMs = ms + GRAIN_MS.minute;
  }
  return { cellDays: withDays(state.cellDays, days), cellsEndMs };
}

function moved(
  before: readonly PartitionPosition[],
  positions: readonly PartitionPosition[],
): PartitionPosition[] {
  const all = new Map(before.map((one) => [one.partition, one]));
  for (const one of positions) all.set(one.partition, one);
  return [...all.values()].sort((a, b) => a.partition - b.partition);
}

/** Where the open periods are. */
export const CHECKPOINTS = { kind: 'book', partition: 'checkpoint' } as const;

/** The open periods under a number of their own: who reads the old head finds the old ones, or none. */
async function replacedCheckpoint(
  database: RowDatabase,
  state: HeadState,
  { floorMs, openPeriods }: Checkpoint,
): Promise<{ entries: Entry[]; head: NonNullable<HeadState['checkpoint']> }> {
  const number = (state.checkpoint?.number ?? 0) + 1;
  const entries = entriesOf({ ...CHECKPOINTS, key: keyOf(number) }, packOpenPeriods(openPeriods));
  for await (const { key } of allEntries(database, CHECKPOINTS)) {
    entries.push({ ...CHECKPOINTS, key, value: undefined });
  }
  return { entries, head: { floorMs, number } };
}

/** Entries as parts that can be packed and written at a time. */
export function* entryParts(entries: readonly Entry[]): Generator<EntriesPart> {
  let some: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    some.push(entry);
    bytes += entry.value?.length ?? 0;
    if (some.length < PART_ENTRIES && bytes < PART_BYTES) continue;
    yield { entries: some };
    some = [];
    bytes = 0;
  }
  if (some.length > 0) yield { entries: some };
}
