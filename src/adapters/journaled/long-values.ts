// Values of any length as entries: cut into pieces that lie one behind the other in their partition.
import {
  ENTRY_BYTES_MAX,
  type Entry,
  type EntryKind,
  type EntryRange,
  type RowDatabase,
} from './database.js';

/** Entries that are read at a time. */
const PAGE = 100;

/** A number as a key, so that keys are in the order of their numbers. */
export function keyOf(number: number): string {
  return String(number).padStart(16, '0');
}

/** The entries of a value. `key` must not hold a slash. */
export function entriesOf(place: Pick<Entry, 'kind' | 'partition' | 'key'>, value: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at === 0 || at < value.length; at += ENTRY_BYTES_MAX) {
    const key = `${place.key}/${String(entries.length).padStart(4, '0')}`;
    entries.push({ ...place, key, value: value.subarray(at, at + ENTRY_BYTES_MAX) });
  }
  return entries;
}

/** As `entriesOf`, of a value as JSON. */
export function jsonEntries(place: Pick<Entry, 'kind' | 'partition' | 'key'>, value: unknown): Entry[] {
  return entriesOf(place, Buffer.from(JSON.stringify(value)));
}

/** All entries of a partition in a range, in order, whatever their number. */
export async function* allEntries(
  database: RowDatabase,
  { kind, partition }: { kind: EntryKind; partition: string },
  range: Pick<EntryRange, 'after' | 'through'> = {},
): AsyncGenerator<{ key: string; value: Uint8Array }> {
  let { after } = range;
  for (;;) {
    const page = await database.readEntries(kind, partition, { ...range, after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.key;
  }
}

/** The values that `entriesOf` cut, in the order of their keys. */
export async function* allValues(
  database: RowDatabase,
  place: { kind: EntryKind; partition: string },
  range: Pick<EntryRange, 'after' | 'through'> = {},
): AsyncGenerator<{ key: string; value: Uint8Array }> {
  let whole: { key: string; pieces: Uint8Array[] } | undefined;
  for await (const { key, value } of allEntries(database, place, range)) {
    const [name = ''] = key.split('/');
    if (whole && whole.key !== name) yield { key: whole.key, value: Buffer.concat(whole.pieces) };
    if (whole?.key !== name) whole = { key: name, pieces: [] };
    whole.pieces.push(value);
  }
  if (whole) yield { key: whole.key, value: Buffer.concat(whole.pieces) };
}
