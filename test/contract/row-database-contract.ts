// What every database must do that a journaled store is made of: one register, and rows that keep their highest
// version, whoever writes them and however late. A database joins by a line that calls `describeRowDatabase`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ENTRY_BYTES_MAX,
  type Entry,
  type EntryKind,
  type EntryRange,
  type PlacedCell,
  type RowDatabase,
  type TotalsTable,
} from '../../src/adapters/journaled/database.js';
import type { Cell } from '../../src/core/ports/commit.js';
import { randomBy } from './commits.js';

export interface RowDatabaseUnderTest {
  /** Opens the database that belongs to `directory`, empty on the first call. */
  open(directory: string): Promise<RowDatabase>;
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const DAY = '2026-02-22';
const START_MS = Date.UTC(2026, 1, 22);
const ALWAYS = { fromMs: 0, toMs: Date.UTC(10_000, 0, 1) };
/** Near the greatest that can be, and as great as they are in life: microseconds since 1970. */
const VERSION = 1_800_000_000_000_000;
const SEED = Number(process.env.ROWS_SEED ?? Date.now() % 1_000_000);

/** Texts that a database might sort, cut or escape in a way of its own. */
const TEXTS = [
  'a',
  'a:b',
  'ä',
  "it's",
  '"q"',
  '%',
  '#1',
  '/',
  '\\',
  '日本',
  '\uff5e',
  '😀',
  '\u001b[2J',
  ' ',
  'A',
];

/** The contract's tests for one kind of database. */
export function describeRowDatabase(name: string, { open }: RowDatabaseUnderTest): void {
  describe(`${name} keeps the contract of databases of rows`, () => {
    let directory: string;
    let database: RowDatabase;
    let byAd: TotalsTable;
    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'click-agg-rows-'));
      database = await open(directory);
      byAd = database.tables.find((table) => table.name === 'by_ad')!;
    });
    afterEach(async () => {
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const write = (rows: readonly PlacedCell[], version: number) => database.writeTotals(byAd, rows, version);
    const read = (owner = 'ad-1', period = ALWAYS) =>
      collected(database.readTotals(byAd, { owner, bucket: DAY, shard: 0 }, period));
    const clicks = async (): Promise<number[]> => (await read()).map((cell) => cell.clicks);

    describeHead(
      () => database,
      () => open(directory),
    );

    test('rows are read by partition and time, in its order', async () => {
      const minutes = [5, 3, 1439, 0, 4];
      const rows = minutes.map((minute) =>
        row({ minuteMs: START_MS + minute * MINUTE_MS, clicks: minute + 1 }),
      );
      const elsewhere = [
        row({ adId: 'ad-2' }),
        row({ minuteMs: START_MS + DAY_MS, bucket: '2026-02-23' }),
        row({ minuteMs: START_MS - DAY_MS, bucket: '2026-02-21' }),
      ];
      await write([...rows, ...elsewhere], VERSION);
      expect(await clicks()).toEqual([1, 4, 5, 6, 1440]);
      const some = { fromMs: START_MS + 3 * MINUTE_MS, toMs: START_MS + 5 * MINUTE_MS };
      expect((await read('ad-1', some)).map((cell) => cell.clicks)).toEqual([4, 5]);
      expect(await read('nobody')).toEqual([]);
      const [first] = await read();
      expect(first).toEqual(cellOf(row({ clicks: 1 }), byAd));
    });

    test('every table keeps its own rows, with its own columns', async () => {
      for (const [index, table] of database.tables.entries()) {
        await database.writeTotals(table, [placed(table, { clicks: index + 1 })], VERSION);
      }
      for (const [index, table] of database.tables.entries()) {
        const one = placed(table, { clicks: index + 1 });
        const partition = { owner: one[table.owner], bucket: one.bucket, shard: one.shard };
        const expected = [cellOf(one, table)];
        expect(await collected(database.readTotals(table, partition, ALWAYS)), table.name).toEqual(expected);
        expect(await collected(database.scanTotals(table, ALWAYS)), table.name).toEqual(expected);
        expect(await database.clicksOf(table, [one]), table.name).toEqual([index + 1]);
      }
    });

    test('shards of one owner are apart', async () => {
      for (const table of database.tables.filter(({ sharded }) => sharded)) {
        const rows = [0, 1, 7].map((shard) => placed(table, { shard, clicks: shard + 1 }));
        await database.writeTotals(table, rows, VERSION);
        for (const one of rows) {
          const partition = { owner: one[table.owner], bucket: one.bucket, shard: one.shard };
          const found = await collected(database.readTotals(table, partition, ALWAYS));
          expect(found.map((cell) => cell.clicks)).toEqual([one.clicks]);
        }
        expect(await collected(database.scanTotals(table, ALWAYS))).toHaveLength(rows.length);
      }
    });

    test('rows differ by every one of their columns, and hold any text', async () => {
      const rows = TEXTS.flatMap((text, index) => [
        row({ adId: text, clicks: index + 1 }),
        row({ adId: 'x', campaignId: text, clicks: index + 1 }),
        row({ adId: 'y', country: text, clicks: index + 1 }),
        row({ adId: 'z', deviceType: text, clicks: index + 1 }),
        // What is put together must not be one with what is put together otherwise.
        row({ adId: `x${text}`, campaignId: `${text}x`, clicks: index + 1 }),
        row({ adId: `x`, campaignId: `${text}${text}x`, clicks: index + 1 }),
      ]);
      await write(rows, VERSION);
      expect(await database.clicksOf(byAd, rows)).toEqual(rows.map((one) => one.clicks));
      const found = await collected(database.scanTotals(byAd, ALWAYS));
      expect(found.map(textOf).sort()).toEqual(rows.map((one) => textOf(cellOf(one, byAd))).sort());
      for (const text of TEXTS) expect(await read(text)).toHaveLength(text === 'x' ? 30 : 1);
    });

    test('ids of the greatest length', async () => {
      const long = ['ä'.repeat(64), '日'.repeat(42), 'x'.repeat(128)];
      const rows = long.map((text) => row({ adId: text, campaignId: text }));
      await write(rows, VERSION);
      expect(await database.clicksOf(byAd, rows)).toEqual([1, 1, 1]);
    });

    test('the highest version stays, whatever comes when', async () => {
      await write([row({ clicks: 2 })], VERSION + 2);
      await write([row({ clicks: 1 })], VERSION + 1);
      expect(await clicks()).toEqual([2]);
      await write([row({ clicks: 2 })], VERSION + 2);
      expect(await clicks()).toEqual([2]);
      await write([row({ clicks: 3 })], VERSION + 3);
      expect(await clicks()).toEqual([3]);
    });

    test('a deletion has a version as well', async () => {
      await write([row({ clicks: 5 })], VERSION + 5);
      await write([row({ clicks: 0 })], VERSION + 4);
      expect(await clicks(), 'an older deletion').toEqual([5]);
      await write([row({ clicks: 0 })], VERSION + 6);
      await write([row({ clicks: 0 })], VERSION + 6);
      expect(await clicks()).toEqual([]);
      expect(await database.clicksOf(byAd, [row()])).toEqual([0]);
      expect(await collected(database.scanTotals(byAd, ALWAYS))).toEqual([]);
      await write([row({ clicks: 5 })], VERSION + 5);
      expect(await clicks(), 'an older write behind the deletion').toEqual([]);
      await write([row({ clicks: 7 })], VERSION + 7);
      expect(await clicks()).toEqual([7]);
      await write([row({ minuteMs: START_MS + MINUTE_MS, clicks: 0 })], VERSION + 9);
      expect(await clicks(), 'what was never there').toEqual([7]);
    });

    test(`several who write the same rows at once leave the highest versions (seed ${SEED})`, async () => {
      const random = randomBy(SEED);
      const other = await open(directory);
      const known = new Map<string, { version: number; clicks: number }>();
      const rounds = Array.from({ length: 12 }, (_, round) => {
        const version = VERSION + round;
        const rows = Array.from({ length: 20 }, (_, minute) =>
          row({ minuteMs: START_MS + minute * MINUTE_MS, clicks: Math.floor(random() * 4) }),
        ).filter(() => random() < 0.6);
        for (const one of rows) {
          const key = textOf({ ...one, clicks: 0 });
          if ((known.get(key)?.version ?? 0) <= version) known.set(key, { version, clicks: one.clicks });
        }
        return { version, rows };
      });
      const shuffled = rounds.map((round) => ({ round, at: random() })).sort((a, b) => a.at - b.at);
      await Promise.all(
        shuffled.flatMap(({ round: { rows, version } }, index) => {
          const once = (index % 2 ? other : database).writeTotals(byAd, rows, version);
          return random() < 0.3 ? [once, other.writeTotals(byAd, rows, version)] : [once];
        }),
      );
      await other.close();
      const expected = [...known.values()].map((one) => one.clicks).filter((count) => count > 0);
      expect((await clicks()).sort()).toEqual(expected.sort());
    });

    test('thousands of rows in one call, and clicks of thousands', async () => {
      const rows = Array.from({ length: 6000 }, (_, index) =>
        row({
          adId: `ad-${index % 97}`,
          minuteMs: START_MS + (index % 1440) * MINUTE_MS,
          campaignId: `campaign-${index}`,
          clicks: index + 1,
        }),
      );
      await write(rows, VERSION);
      const found = await collected(database.scanTotals(byAd, ALWAYS));
      expect(found.length).toBe(rows.length);
      const asked = rows.filter((_, index) => index % 3 === 0);
      const absent = row({ adId: 'nobody' });
      expect(await database.clicksOf(byAd, [...asked, absent])).toEqual([
        ...asked.map((one) => one.clicks),
        0,
      ]);
      expect(await database.clicksOf(byAd, [])).toEqual([]);
      await write([], VERSION);
      const hour = { fromMs: START_MS, toMs: START_MS + 60 * MINUTE_MS };
      const within = rows.filter(({ minuteMs }) => minuteMs < hour.toMs);
      expect(await collected(database.scanTotals(byAd, hour))).toHaveLength(within.length);
      expect(await read('ad-5')).toHaveLength(rows.filter(({ adId }) => adId === 'ad-5').length);
    });

    describeEntries(() => database);
  });
}

function describeHead(database: () => RowDatabase, open: () => Promise<RowDatabase>): void {
  test('the head is compared and set', async () => {
    expect(await database().readHead()).toBeUndefined();
    expect(await database().swapHead(3, { revision: 4, text: 'too early' })).toBe(false);
    expect(await database().readHead()).toBeUndefined();
    expect(await database().swapHead(0, { revision: 1, text: 'first' })).toBe(true);
    expect(await database().swapHead(0, { revision: 1, text: 'again' })).toBe(false);
    const second = { revision: 2, text: `second ${'ä😀"'.repeat(20_000)}` };
    expect(await database().swapHead(1, second)).toBe(true);
    expect(await database().swapHead(1, { revision: 2, text: 'late' })).toBe(false);
    expect(await database().readHead()).toEqual(second);
    expect(await (database().glanceAtHead ?? database().readHead)()).toEqual(second);
    const other = await open();
    expect(await other.readHead()).toEqual(second);
    await other.close();
  });

  test('of all who swap the head at once, one does', async () => {
    const others = await Promise.all([open(), open()]);
    const all = [database(), ...others];
    for (let revision = 0; revision < 5; revision++) {
      const swaps = await Promise.all(
        Array.from({ length: 6 }, (_, number) =>
          all[number % 3]!.swapHead(revision, { revision: revision + 1, text: `${revision} by ${number}` }),
        ),
      );
      expect(swaps.filter(Boolean)).toHaveLength(1);
      const text = `${revision} by ${swaps.indexOf(true)}`;
      for (const one of all) {
        const head = { revision: revision + 1, text };
        expect(await (one.glanceAtHead ?? one.readHead)(), 'the answer says that it is there').toEqual(head);
        expect(await one.readHead()).toEqual(head);
      }
    }
    for (const one of others) await one.close();
  });
}

function describeEntries(database: () => RowDatabase): void {
  const entry = (key: string, value: string | undefined, parts: Partial<Entry> = {}): Entry => ({
    ...{ kind: 'book', partition: 'p', key },
    value: value === undefined ? undefined : Buffer.from(value),
    ...parts,
  });
  const read = async (range: Partial<EntryRange> = {}, kind: EntryKind = 'book', partition = 'p') =>
    (await database().readEntries(kind, partition, { limit: 1000, ...range })).map(
      ({ key, value }) => `${key}=${Buffer.from(value).toString()}`,
    );

  test('entries are read in the order of their keys, by range, forwards and backwards', async () => {
    const entries = ['b', 'a', 'd', 'c', 'aa'].map((key) => entry(key, key.toUpperCase()));
    await database().writeEntries(entries, VERSION);
    expect(await read()).toEqual(['a=A', 'aa=AA', 'b=B', 'c=C', 'd=D']);
    expect(await read({ limit: 2 })).toEqual(['a=A', 'aa=AA']);
    expect(await read({ after: 'aa' })).toEqual(['b=B', 'c=C', 'd=D']);
    expect(await read({ after: 'a0', through: 'c' })).toEqual(['aa=AA', 'b=B', 'c=C']);
    expect(await read({ descending: true, limit: 2 })).toEqual(['d=D', 'c=C']);
    expect(await read({ descending: true, after: 'aa', through: 'c0' })).toEqual(['c=C', 'b=B']);
    expect(await read({ after: 'd' })).toEqual([]);
    expect(await read({ after: 'c', through: 'b' })).toEqual([]);
  });

  test('kinds and partitions are apart, and texts are any', async () => {
    const kinds: EntryKind[] = ['journal', 'ledger', 'letter', 'event', 'book'];
    await database().writeEntries(
      kinds.flatMap((kind) =>
        TEXTS.map((partition) => entry('k', `${kind} ${partition}`, { kind, partition })),
      ),
      VERSION,
    );
    for (const kind of kinds) {
      for (const partition of TEXTS)
        expect(await read({}, kind, partition)).toEqual([`k=${kind} ${partition}`]);
    }
    await database().writeEntries(
      TEXTS.map((key) => entry(key, '', { partition: 'keys' })),
      VERSION,
    );
    const byBytes = [...TEXTS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await read({}, 'book', 'keys'), 'an empty value is one').toEqual(byBytes.map((key) => `${key}=`));
  });

  test('entries keep their highest version, deletions too', async () => {
    await database().writeEntries([entry('a', 'new'), entry('b', 'b')], VERSION + 2);
    await database().writeEntries([entry('a', 'old'), entry('b', undefined)], VERSION + 1);
    expect(await read()).toEqual(['a=new', 'b=b']);
    await database().writeEntries([entry('a', undefined)], VERSION + 3);
    await database().writeEntries([entry('a', undefined)], VERSION + 3);
    await database().writeEntries([entry('a', 'new')], VERSION + 2);
    expect(await read()).toEqual(['b=b']);
    await database().writeEntries([entry('a', 'anew'), entry('c', undefined)], VERSION + 4);
    expect(await read()).toEqual(['a=anew', 'b=b']);
    await database().writeEntries([entry('a', 'anew')], VERSION + 4);
    expect(await read()).toEqual(['a=anew', 'b=b']);
    await database().writeEntries([], VERSION);
  });

  test('entries of all bytes and the greatest size, many of them in one call', async () => {
    const value = Uint8Array.from({ length: ENTRY_BYTES_MAX }, (_, index) => index ^ (index >> 8));
    const large = Array.from({ length: 24 }, (_, index) => ({
      ...{ kind: 'journal' as const, partition: 'large' },
      ...{ key: String(index).padStart(4, '0'), value },
    }));
    await database().writeEntries(large, VERSION);
    const found = await database().readEntries('journal', 'large', { limit: 1000 });
    expect(found.map(({ key }) => key)).toEqual(large.map(({ key }) => key));
    for (const one of found) expect(Buffer.compare(one.value, value)).toBe(0);
    const small = Array.from({ length: 3000 }, (_, index) =>
      entry(String(index).padStart(6, '0'), `${index}`, { kind: 'ledger', partition: `p${index % 7}` }),
    );
    await database().writeEntries(small, VERSION);
    const first = await database().readEntries('ledger', 'p0', { limit: 200, after: '000006' });
    expect(first).toHaveLength(200);
    expect(first[0]?.key).toBe('000007');
  });
}

async function collected<T>(pages: AsyncIterable<T[]>): Promise<T[]> {
  const rows: T[] = [];
  for await (const page of pages) rows.push(...page);
  return rows;
}

function row(parts: Partial<PlacedCell> = {}): PlacedCell {
  return {
    ...{ minuteMs: START_MS, adId: 'ad-1', campaignId: 'campaign-1', country: 'DE', deviceType: 'mobile' },
    ...{ clicks: 1, bucket: DAY, shard: 0 },
    ...parts,
  };
}

const BUCKETS = { day: DAY, month: '2026-02', year: '2026' } as const;

/** A row as the table keeps it. */
function placed(table: TotalsTable, parts: Partial<PlacedCell>): PlacedCell {
  return row({ ...row(), ...parts, bucket: BUCKETS[table.bucket], ...cellColumns(table, row(parts)) });
}

/** A row without its place, '' in the columns that the table has not. */
function cellOf(one: PlacedCell, table: TotalsTable): Cell {
  const { minuteMs, clicks } = one;
  return { minuteMs, ...cellColumns(table, one), clicks };
}

function cellColumns(table: TotalsTable, one: Cell): Omit<Cell, 'minuteMs' | 'clicks'> {
  const kept = (column: 'adId' | 'campaignId' | 'country' | 'deviceType'): string =>
    table.owner === column || table.columns.includes(column) ? one[column] : '';
  return {
    ...{ adId: kept('adId'), campaignId: kept('campaignId') },
    ...{ country: kept('country'), deviceType: kept('deviceType') },
  };
}

function textOf(cell: Cell): string {
  const { minuteMs, adId, campaignId, country, deviceType, clicks } = cell;
  return JSON.stringify([minuteMs, adId, campaignId, country, deviceType, clicks]);
}
