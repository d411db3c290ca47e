// A database of rows in memory, for tests: several connections to one server, as slow, unordered and mortal as a test
// wants them. What is written may be cut off in its middle, and may arrive again much later.
import type {
  Entry,
  Head,
  PartitionKey,
  PlacedCell,
  RowDatabase,
  TotalsTable,
} from '../../src/adapters/journaled/database.js';
import { TOTALS_TABLES } from '../../src/adapters/journaled/database.js';
import type { Cell } from '../../src/core/ports/commit.js';

interface Versioned<T> {
  version: number;
  /** undefined: it is deleted. */
  value: T | undefined;
}

/** What happens to a connection. Each is called for every operation, and for every single row that is written. */
export interface Fate {
  /** Before something is done; throws where the connection, or the process with it, dies. */
  step?(what: string): Promise<void> | void;
  /** The order in which the rows of one call are written. */
  ordered?<T>(rows: readonly T[]): readonly T[];
  /** Told how a row was written: to write it again, later. */
  written?(again: () => void): void;
}

const PAGE_ROWS = 100;

/** Everything that connections share. */
export class MemoryServer {
  head: Head | undefined;
  /** The head whose swap was answered last, or that was read: a glance may still see this one. */
  private settled: Head | undefined;
  private glances = 0;
  private readonly totals = new Map<string, Map<string, Versioned<Cell>>>();
  private readonly entries = new Map<string, Map<string, Versioned<Uint8Array>>>();

  /** Another server that holds the same. */
  copy(): MemoryServer {
    const copy = new MemoryServer();
    copy.head = this.head;
    copy.settled = this.settled;
    for (const [name, rows] of this.totals) copy.totals.set(name, new Map(rows));
    for (const [name, rows] of this.entries) copy.entries.set(name, new Map(rows));
    return copy;
  }

  /** A connection, to which happens what `fate` says. */
  connect(fate: Fate = {}, tables: readonly TotalsTable[] = TOTALS_TABLES): RowDatabase {
    const step = async (what: string): Promise<void> => {
      // A server is never so quick that nobody else gets a turn.
      await new Promise((resolve) => setImmediate(resolve));
      await fate.step?.(what);
    };
    const writeRows = async <T>(rows: readonly T[], what: string, put: (row: T) => void): Promise<void> => {
      await step(what);
      for (const row of fate.ordered?.(rows) ?? rows) {
        if (fate.step) await fate.step(`${what}: a row`);
        put(row);
        fate.written?.(() => put(row));
      }
    };
    return {
      name: 'memory://test',
      tables,
      readHead: async () => {
        await step('readHead');
        this.settled = this.head;
        return this.head;
      },
      glanceAtHead: async () => {
        await step('glanceAtHead');
        // Now this copy is asked, now that one.
        return this.glances++ % 2 === 0 ? this.settled : this.head;
      },
      swapHead: async (expected, next) => {
        await step('swapHead');
        if ((this.head?.revision ?? 0) !== expected) return false;
        this.head = next;
        await step('swapHead answered');
        if ((this.settled?.revision ?? 0) < next.revision) this.settled = next;
        return true;
      },
      writeTotals: (table, rows, version) =>
        writeRows(rows, `writeTotals ${table.name}`, (row) => this.putTotal(table, row, version)),
      readTotals: (table, partition, period) =>
        paged(step, `readTotals ${table.name}`, () => this.totalsOf(table, { partition, ...period })),
      clicksOf: async (table, rows) => {
        await step('clicksOf');
        return rows.map((row) => this.partition(table, row).get(cellKey(row))?.value?.clicks ?? 0);
      },
      scanTotals: (table, period) => paged(step, 'scanTotals', () => this.totalsOf(table, period)),
      writeEntries: (entries, version) =>
        writeRows(entries, 'writeEntries', (entry) => this.putEntry(entry, version)),
      readEntries: async (kind, partition, { after, through, descending, limit }) => {
        await step('readEntries');
        const found = [...(this.entries.get(JSON.stringify([kind, partition])) ?? [])]
          .flatMap(([key, { value }]) => (value === undefined ? [] : [{ key, value }]))
          .filter(({ key }) => after === undefined || byBytes(key, after) > 0)
          .filter(({ key }) => through === undefined || byBytes(key, through) <= 0)
          .sort((a, b) => byBytes(a.key, b.key));
        return (descending ? found.reverse() : found).slice(0, limit);
      },
      close: async () => undefined,
    };
  }

  /** Kinds and partitions of entries that are there. */
  entryPartitions(kind: string): string[] {
    return [...this.entries].flatMap(([name, rows]) => {
      const [of, partition] = JSON.parse(name) as [string, string];
      return of === kind && [...rows.values()].some(({ value }) => value !== undefined) ? [partition] : [];
    });
  }

  /** A row of a table as if somebody had written it by hand. */
  spoil(table: TotalsTable, row: PlacedCell): void {
    const rows = this.partition(table, row);
    rows.set(cellKey(row), { version: rows.get(cellKey(row))?.version ?? 1, value: cellOf(row) });
  }

  private partition(table: TotalsTable, row: PlacedCell): Map<string, Versioned<Cell>> {
    const name = partitionName(table, { owner: row[table.owner], bucket: row.bucket, shard: row.shard });
    return known(this.totals, name);
  }

  private putTotal(table: TotalsTable, row: PlacedCell, version: number): void {
    const value = row.clicks === 0 ? undefined : cellOf(row);
    putNewest(this.partition(table, row), cellKey(row), { version, value });
  }

  private putEntry({ kind, partition, key, value }: Entry, version: number): void {
    const copy = value === undefined ? undefined : Uint8Array.from(value);
    putNewest(known(this.entries, JSON.stringify([kind, partition])), key, { version, value: copy });
  }

  private totalsOf(
    table: TotalsTable,
    { partition, fromMs, toMs }: { partition?: PartitionKey; fromMs: number; toMs: number },
  ): Cell[] {
    const wanted = partition
      ? [this.totals.get(partitionName(table, partition)) ?? new Map<string, Versioned<Cell>>()]
      : [...this.totals].flatMap(([name, rows]) => (name.startsWith(`["${table.name}"`) ? [rows] : []));
    return wanted
      .flatMap((rows) => [...rows.values()].flatMap(({ value }) => value ?? []))
      .filter(({ minuteMs }) => minuteMs >= fromMs && minuteMs < toMs)
      .sort((a, b) => a.minuteMs - b.minuteMs);
  }
}

async function* paged(
  step: (what: string) => Promise<void>,
  what: string,
  find: () => Cell[],
): AsyncGenerator<Cell[]> {
  await step(what);
  const rows = find();
  for (let at = 0; at < rows.length; at += PAGE_ROWS) {
    if (at > 0) await step(`${what}: another page`);
    yield rows.slice(at, at + PAGE_ROWS);
  }
}

function known<T>(all: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const rows = all.get(name) ?? new Map<string, T>();
  all.set(name, rows);
  return rows;
}

function putNewest<T>(rows: Map<string, Versioned<T>>, key: string, row: Versioned<T>): void {
  const before = rows.get(key);
  if (!before || before.version <= row.version) rows.set(key, row);
}

function partitionName({ name }: TotalsTable, { owner, bucket, shard }: PartitionKey): string {
  return JSON.stringify([name, owner, bucket, shard]);
}

function cellKey({ minuteMs, adId, campaignId, country, deviceType }: Cell): string {
  return JSON.stringify([minuteMs, adId, campaignId, country, deviceType]);
}

function cellOf({ minuteMs, adId, campaignId, country, deviceType, clicks }: Cell): Cell {
  return { minuteMs, adId, campaignId, country, deviceType, clicks };
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
