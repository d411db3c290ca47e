// The journal of a write: what it is going to do to the rows, written down before it is decided, so that anybody can
// finish it. Parts are lines of JSON, packed, and cut into entries of the database.
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ENTRY_BYTES_MAX, type Entry, type RowDatabase, type TotalsTableName } from './database.js';
import { type HeadState, jsonOf, ofJson, type Pending } from './head.js';
import type { Dimension } from './places.js';

/** Entries that are written or read at a time. */
const ENTRIES_AT_ONCE = 8;
/** A journal of so many bytes rides in the head. */
const INLINE_BYTES_MAX = 4096;
/** The first byte of an entry says whether its line goes on in the next one. */
const PIECE = { last: 0, goesOn: 1 } as const;
const PIECE_BYTES_MAX = ENTRY_BYTES_MAX - 1;

/** Cells of one table as columns; those of `by_ad` are meant for every table of minutes. */
export interface TotalsPart {
  totals: TotalsTableName;
  dimensions: readonly Dimension[];
  /** Index of each cell's texts. */
  dimension: readonly number[];
  /** Start of each cell's minute, hour or day, epoch ms. */
  atMs: readonly number[];
  clicks: readonly number[];
}

export interface EntriesPart {
  entries: readonly Entry[];
}

/** Some of what a write does to rows. Parts may be carried out in any order: no row is in two of them. */
export type Part = TotalsPart | EntriesPart;

/** What a write does to the head, once its rows are written. */
export type HeadChange = Partial<
  Omit<HeadState, 'layout' | 'store' | 'shards' | 'epoch' | 'version' | 'pending' | 'hold'>
>;

/** A line of the journal. The head's change is the last one. */
type Line = Part | { head: HeadChange };

const pack = promisify(gzip);
const unpack = promisify(gunzip);

/** Writes the journal of a write that would follow the head of `revision`. */
export async function writeJournal(
  database: RowDatabase,
  { revision, version }: { revision: number; version: number },
  parts: Iterable<Part> | AsyncIterable<Part>,
  head: HeadChange,
): Promise<Pending> {
  const pending: Pending = {
    ...{ journal: String(revision), prefix: `${version}.${randomBytes(6).toString('hex')}` },
    ...{ entries: 0, inline: undefined },
  };
  let waiting: Entry[] = [];
  const add = async (line: Line): Promise<void> => {
    for (const piece of piecesOf(await pack(lineText(line), { level: 1 }))) {
      waiting.push(journalEntry(pending, pending.entries++, piece));
    }
    if (waiting.length < ENTRIES_AT_ONCE) return;
    await database.writeEntries(waiting, version);
    waiting = [];
  };
  for await (const part of parts) await add(part);
  await add({ head });
  const values = waiting.map(({ value }) => value!);
  const bytes = values.reduce((sum, value) => sum + value.length, 0);
  if (values.length === pending.entries && bytes <= INLINE_BYTES_MAX) {
    const inline = values.map((value) => Buffer.from(value).toString('base64'));
    return { ...pending, entries: 0, inline };
  }
  await database.writeEntries(waiting, version);
  return pending;
}

/**
 * What a journal holds, given to `carryOut` part by part; gives the head's change, or undefined where entries are missing:
 * somebody else has finished the write and removed them.
 */
export async function readJournal(
  database: RowDatabase,
  pending: Pending,
  carryOut: (part: Part) => Promise<void>,
): Promise<HeadChange | undefined> {
  const pieces: Uint8Array[] = [];
  for await (const value of journalValues(database, pending)) {
    pieces.push(value.subarray(1));
    if (value[0] === PIECE.goesOn) continue;
    const line = lineOf((await unpack(Buffer.concat(pieces))).toString());
    if ('head' in line) return line.head;
    await carryOut(line);
    pieces.length = 0;
  }
  return undefined;
}

/** Values of the journal's entries in order, up to the first that is missing. */
async function* journalValues(database: RowDatabase, pending: Pending): AsyncGenerator<Uint8Array> {
  for (const value of pending.inline ?? []) yield Buffer.from(value, 'base64');
  for (let first = 0; first < pending.entries; first += ENTRIES_AT_ONCE) {
    const last = Math.min(first + ENTRIES_AT_ONCE, pending.entries) - 1;
    const entries = await database.readEntries('journal', pending.journal, {
      after: first > 0 ? keyOf(pending, first - 1) : `${pending.prefix}/`,
      through: keyOf(pending, last),
      limit: ENTRIES_AT_ONCE,
    });
    for (const [index, { key, value }] of entries.entries()) {
      if (key !== keyOf(pending, first + index)) return;
      yield value;
    }
    if (entries.length <= last - first) return;
  }
}

/** Removes the entries of a journal; whoever writes it again with its own version does not bring it back. */
export async function dropJournal(database: RowDatabase, pending: Pending, version: number): Promise<void> {
  for (let next = 0; next < pending.entries; next += ENTRIES_AT_ONCE) {
    const count = Math.min(ENTRIES_AT_ONCE, pending.entries - next);
    const gone = Array.from({ length: count }, (_, index) => journalEntry(pending, next + index, undefined));
    await database.writeEntries(gone, version + 1);
  }
}

/** Removes what was written of journals for the head of `revision`, none of which can be decided any more. */
export async function dropJournals(database: RowDatabase, revision: number): Promise<void> {
  const partition = String(revision);
  let after: string | undefined;
  for (;;) {
    const found = await database.readEntries('journal', partition, { after, limit: ENTRIES_AT_ONCE });
    if (found.length === 0) return;
    after = found.at(-1)!.key;
    // Each was written with the version in its name, which may be greater than any that was decided.
    for (const { key } of found) {
      const gone: Entry = { kind: 'journal', partition, key, value: undefined };
      await database.writeEntries([gone], Number.parseInt(key, 10) + 1);
    }
  }
}

function journalEntry(pending: Pending, number: number, value: Uint8Array | undefined): Entry {
  return { kind: 'journal', partition: pending.journal, key: keyOf(pending, number), value };
}

function keyOf({ prefix }: Pending, number: number): string {
  return `${prefix}/${String(number).padStart(8, '0')}`;
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX) {
    const end = at + PIECE_BYTES_MAX;
    const flag = Uint8Array.of(end < bytes.length ? PIECE.goesOn : PIECE.last);
    yield Buffer.concat([flag, bytes.subarray(at, end)]);
  }
}

/** An entry in JSON: kind, partition, key, and Base64 of its value or null. */
type EntryJson = readonly [Entry['kind'], string, string, string | null];

function lineText(line: Line): string {
  if ('head' in line) return jsonOf(line);
  if ('totals' in line) return JSON.stringify(line);
  const entries = line.entries.map(
    ({ kind, partition, key, value }): EntryJson => [
      ...([kind, partition, key] as const),
      value === undefined ? null : Buffer.from(value).toString('base64'),
    ],
  );
  return JSON.stringify({ entries });
}

function lineOf(text: string): Line {
  // Only the head's change may hold what JSON can't: looking for it in a million numbers takes its time.
  if (text.startsWith('{"head"')) return ofJson(text) as { head: HeadChange };
  const line = JSON.parse(text) as TotalsPart | { entries: EntryJson[] };
  if ('totals' in line) return line;
  const entries = line.entries.map(
    ([kind, partition, key, value]): Entry => ({
      ...{ kind, partition, key },
      value: value === null ? undefined : Buffer.from(value, 'base64'),
    }),
  );
  return { entries };
}
