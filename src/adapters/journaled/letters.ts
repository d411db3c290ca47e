// Dead letters. What happened to them is written once, as numbered events in blocks; which letters there are now is kept
// by their places, each with the number of its event, where its contents are.
import { createHash } from 'node:crypto';
import type { Commit, DeadLetter } from '../../core/ports/commit.js';
import type { LetterEvent } from '../../core/ports/letters.js';
import type { Entry, RowDatabase } from './database.js';
import { allEntries, allValues, jsonEntries, keyOf } from './long-values.js';

type Place = Commit['withdrawn'][number];

/** Events of a block: the letters of a block may all have their whole bytes, and are read together. */
export const BLOCK_EVENTS = 100;
/** Offsets of a log's partition that are one partition of the database. */
const STRETCH_OFFSETS = 65_536;
/** Stretches that the writer knows to be listed. */
const LISTED_MAX = 10_000;
const READS_MAX = 16;

/** A letter that is there. */
export interface StandingLetter extends Place {
  /** Number of the event by which it came. */
  sequence: number;
  verdict: DeadLetter['verdict'];
  reason: string;
  redrivenAtMs: number | undefined;
}

/** How many letters there are of a verdict and, where it is no sentence, a reason. */
export interface LetterCount {
  verdict: string;
  reason: string;
  count: number;
}

/** The letters as the writer changes them. */
export class LetterBook {
  private counts: Map<string, LetterCount> | undefined;
  private readonly listed = new Set<string>();

  constructor(private readonly database: RowDatabase) {}

  forget(): void {
    this.counts = undefined;
    this.listed.clear();
  }

  /** What a commit does to the letters; `last` is the number of the last event. */
  async changed(
    { deadLetters, withdrawn }: Pick<Commit, 'deadLetters' | 'withdrawn'>,
    last: number,
  ): Promise<{ entries: Entry[]; last: number }> {
    if (deadLetters.length + withdrawn.length === 0) return { entries: [], last };
    // A place may be left and taken again in one commit: the later entry of a key is the one that counts.
    const standing = new Map<string, Entry>();
    const others: Entry[] = [];
    let sequence = last;
    const counted = new Map<string, LetterCount>();
    const count = async (
      letter: Pick<DeadLetter, 'verdict' | 'reason'>,
      difference: number,
    ): Promise<void> => {
      const one = await this.count(letter, difference);
      counted.set(countKey(one), one);
    };
    const gone = await standingAt(this.database, withdrawn);
    for (const { letter, one } of await withContents(this.database, gone)) {
      sequence++;
      others.push(...eventEntries({ sequence, withdrawn: true, letter }));
      standing.set(nameOf(one), standingEntry(one, undefined));
      await count(one, -1);
    }
    for (const letter of deadLetters) {
      sequence++;
      const { redrivenAtMs: _, ...asWritten } = letter;
      others.push(...eventEntries({ sequence, withdrawn: false, letter: asWritten }));
      others.push(...this.listing(letter));
      const { partition, offset, verdict, reason, redrivenAtMs } = letter;
      const one = { partition, offset, sequence, verdict, reason, redrivenAtMs };
      standing.set(nameOf(one), standingEntry(one, one));
      await count(letter, 1);
    }
    others.push(...[...counted.values()].map(countEntry));
    return { entries: [...others, ...standing.values()], last: sequence };
  }

  private async count(
    { verdict, reason }: Pick<DeadLetter, 'verdict' | 'reason'>,
    difference: number,
  ): Promise<LetterCount> {
    this.counts ??= new Map((await readCounts(this.database)).map((one) => [countKey(one), one]));
    const counted = verdict === 'invalid' || verdict === 'invalid_traffic' ? reason : '';
    const key = countKey({ verdict, reason: counted });
    const before = this.counts.get(key) ?? { verdict, reason: counted, count: 0 };
    const after = { ...before, count: before.count + difference };
    this.counts.set(key, after);
    return after;
  }

  /** The stretch of a place among those that hold letters, unless it is known to be there. */
  private listing(place: Place): Entry[] {
    const key = stretchKey(place);
    if (this.listed.has(key)) return [];
    if (this.listed.size >= LISTED_MAX) this.listed.clear();
    this.listed.add(key);
    return [{ ...STRETCHES, key, value: new Uint8Array() }];
  }
}

const STRETCHES = { kind: 'letter', partition: 'stretches' } as const;
const COUNTS = { kind: 'letter', partition: 'counts' } as const;

/** A letter that is there, or `undefined` to take it away. */
export function standingEntry(place: Place, letter: StandingLetter | undefined): Entry {
  const value = letter && [letter.sequence, letter.verdict, letter.reason, letter.redrivenAtMs ?? null];
  return {
    ...{ kind: 'letter', partition: stretchName(place), key: keyOf(place.offset) },
    value: value && Buffer.from(JSON.stringify(value)),
  };
}

/** The letters at these places, without those that have none. */
export async function standingAt(database: RowDatabase, places: readonly Place[]): Promise<StandingLetter[]> {
  const found: StandingLetter[] = [];
  for (let from = 0; from < places.length; from += READS_MAX) {
    const some = places.slice(from, from + READS_MAX).map(async ({ partition, offset }) => {
      const key = keyOf(offset);
      const [entry] = await database.readEntries('letter', stretchName({ partition, offset }), {
        // Keys are digits: none lies between the one before it and `key`.
        ...(offset > 0 ? { after: keyOf(offset - 1) } : {}),
        through: key,
        limit: 1,
      });
      return entry && standingOf(partition, entry);
    });
    found.push(...(await Promise.all(some)).flatMap((one) => one ?? []));
  }
  return found;
}

/** All letters behind a place, in the order of places. */
export async function* standingBehind(database: RowDatabase, after: Place): AsyncGenerator<StandingLetter> {
  const { partition: first, offset } = after;
  const begun = first < 0 ? '' : stretchKey({ partition: first, offset: Math.max(0, offset) });
  for await (const { key } of allEntries(database, STRETCHES)) {
    if (key < begun) continue;
    const [partition, stretch] = key.split('.').map(Number) as [number, number];
    const name = `${partition}.${stretch}`;
    const range = key === begun && offset >= 0 ? { after: keyOf(offset) } : {};
    for await (const entry of allEntries(database, { kind: 'letter', partition: name }, range)) {
      yield standingOf(partition, entry);
    }
  }
}

function standingOf(partition: number, { key, value }: { key: string; value: Uint8Array }): StandingLetter {
  const [sequence, verdict, reason, redrivenAtMs] = JSON.parse(Buffer.from(value).toString()) as [
    number,
    DeadLetter['verdict'],
    string,
    number | null,
  ];
  return {
    ...{ partition, offset: Number(key), sequence, verdict, reason },
    redrivenAtMs: redrivenAtMs ?? undefined,
  };
}

/** Letters with what their events say, in the same order. */
export async function withContents(
  database: RowDatabase,
  letters: readonly StandingLetter[],
): Promise<{ one: StandingLetter; letter: DeadLetter }[]> {
  const contents = new Map<number, DeadLetter>();
  const blocks = [...new Set(letters.map(({ sequence }) => blockOf(sequence)))];
  const wanted = new Set(letters.map(({ sequence }) => sequence));
  for (const block of blocks) {
    for (const { sequence, letter } of await readBlock(database, block))
      if (wanted.has(sequence)) contents.set(sequence, letter);
  }
  return letters.flatMap((one) => {
    const letter = contents.get(one.sequence);
    return letter ? [{ one, letter: { ...letter, redrivenAtMs: one.redrivenAtMs } }] : [];
  });
}

/** The block that an event lies in. */
export function blockOf(sequence: number): number {
  return Math.floor(sequence / BLOCK_EVENTS);
}

/** The events of a block in order. */
export async function readBlock(database: RowDatabase, block: number): Promise<LetterEvent[]> {
  const events: LetterEvent[] = [];
  for await (const { key, value } of allValues(database, { kind: 'event', partition: String(block) })) {
    events.push({ sequence: Number(key), ...eventOf(value) });
  }
  return events;
}

function eventEntries({ sequence, withdrawn, letter }: LetterEvent): Entry[] {
  const place = { kind: 'event', partition: String(blockOf(sequence)), key: keyOf(sequence) } as const;
  const { key, value, ...texts } = letter;
  const base64 = (bytes: Uint8Array | undefined): string | undefined =>
    bytes && Buffer.from(bytes).toString('base64');
  const json = { withdrawn, ...texts, key: base64(key), value: base64(value) };
  return jsonEntries(place, json);
}

function eventOf(bytes: Uint8Array): Omit<LetterEvent, 'sequence'> {
  const { withdrawn, key, value, ...texts } = JSON.parse(Buffer.from(bytes).toString()) as Omit<
    DeadLetter,
    'key' | 'value'
  > & { withdrawn: boolean; key?: string; value?: string };
  const bytesOf = (text: string | undefined): Uint8Array | undefined =>
    text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'base64'));
  return { withdrawn, letter: { ...NO_LETTER, ...texts, key: bytesOf(key), value: bytesOf(value) } };
}

/** What JSON left out is undefined again. */
const NO_LETTER = {
  ...{ eventTimeMs: undefined, appendTimeMs: undefined, clickId: undefined, adId: undefined },
  ...{ campaignId: undefined, ipAddress: undefined, valueBytes: undefined, redrivenAtMs: undefined },
};

/** The counts of letters, in no order. */
export async function readCounts(database: RowDatabase): Promise<LetterCount[]> {
  const counts: LetterCount[] = [];
  for await (const { value } of allEntries(database, COUNTS)) {
    counts.push(JSON.parse(Buffer.from(value).toString()) as LetterCount);
  }
  return counts;
}

function countEntry(one: LetterCount): Entry {
  const value = one.count === 0 ? undefined : Buffer.from(JSON.stringify(one));
  return { ...COUNTS, key: countKey(one), value };
}

/** A reason is as long as whoever marks clicks likes. */
function countKey({ verdict, reason }: Pick<LetterCount, 'verdict' | 'reason'>): string {
  return createHash('sha256')
    .update(JSON.stringify([verdict, reason]))
    .digest('hex')
    .slice(0, 32);
}

function nameOf({ partition, offset }: Place): string {
  return `${partition} ${offset}`;
}

function stretchName({ partition, offset }: Place): string {
  return `${partition}.${Math.floor(offset / STRETCH_OFFSETS)}`;
}

/** Stretches are listed in the order of places. */
function stretchKey({ partition, offset }: Place): string {
  const stretch = Math.floor(offset / STRETCH_OFFSETS);
  return `${String(partition).padStart(10, '0')}.${String(stretch).padStart(12, '0')}`;
}
