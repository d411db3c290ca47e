// The ledger as entries: a partition and day of event time is a partition of the database, a minute an entry with absolute
// counts. The sums of all of it stand in the head.
import { VERDICTS, type Verdict } from '../../core/method.js';
import type { LedgerChange } from '../../core/ports/commit.js';
import { NO_EVENT_TIME } from '../../core/ports/commit.js';
import type { LedgerCounts } from '../../core/ports/store.js';
import { LEDGER_COLUMNS } from '../../core/stored-rows.js';
import type { Entry, RowDatabase } from './database.js';
import { dayOf, daysWithin, withDays } from './days.js';
import type { HeadState } from './head.js';
import { allEntries, keyOf } from './long-values.js';

/** Rows that the writer remembers; the partitions and days that were changed least lately go first. */
const ROWS_MAX = 200_000;
/** Days of partitions that are read at a time. */
const READS_MAX = 16;

type Counts = Record<Verdict, number>;

/** One row: the minute is NO_EVENT_TIME or a start of one, epoch ms. */
export interface LedgerRow {
  partition: number;
  minuteMs: number;
  counts: Counts;
}

/** The ledger's rows as the writer changes them. */
export class LedgerBook {
  /** By partition of the database, the one that was changed last is last. */
  private readonly known = new Map<string, Map<number, Counts>>();
  private rows = 0;

  constructor(private readonly database: RowDatabase) {}

  forget(): void {
    this.known.clear();
    this.rows = 0;
  }

  /** What differences make of the rows and of the head's sums. */
  async changed(
    changes: readonly LedgerChange[],
    state: HeadState,
  ): Promise<{ entries: Entry[]; head: Pick<HeadState, 'ledger' | 'ledgerDays'> }> {
    const touched = new Map<string, { name: string; row: LedgerRow }>();
    for (const { partition, minuteMs, counts } of changes) {
      const name = partitionName(partition, minuteMs);
      const day = await this.day(name);
      const after = sum(day.get(minuteMs) ?? NOTHING, counts);
      day.set(minuteMs, after);
      touched.set(`${partition} ${minuteMs}`, { name, row: { partition, minuteMs, counts: after } });
    }
    this.rows = [...this.known.values()].reduce((rows, day) => rows + day.size, 0);
    this.shrink();
    return {
      entries: [...touched.values()].map(({ name, row }) => entryOf(name, row)),
      head: { ledger: withSums(state.ledger, changes), ledgerDays: withLedgerDays(state, changes) },
    };
  }

  private async day(name: string): Promise<Map<number, Counts>> {
    const known = this.known.get(name);
    const day =
      known ?? new Map((await readDay(this.database, name)).map((row) => [row.minuteMs, row.counts]));
    if (known) this.known.delete(name);
    this.known.set(name, day);
    return day;
  }

  private shrink(): void {
    for (const [name, { size }] of this.known) {
      if (this.rows <= ROWS_MAX) return;
      this.known.delete(name);
      this.rows -= size;
    }
  }
}

/** The head's sums after some differences. */
export function withSums(ledger: HeadState['ledger'], changes: readonly LedgerChange[]): HeadState['ledger'] {
  const sums = new Map(ledger.map(({ partition, counts }) => [partition, counts]));
  for (const { partition, counts } of changes)
    sums.set(partition, sum(sums.get(partition) ?? NOTHING, counts));
  return [...sums]
    .map(([partition, counts]) => ({ partition, counts }))
    .sort((a, b) => a.partition - b.partition);
}

/** The head's days after some differences. */
export function withLedgerDays(
  { ledgerDays }: HeadState,
  changes: readonly LedgerChange[],
): HeadState['ledgerDays'] {
  const days = new Set(
    changes.flatMap(({ minuteMs }) => (minuteMs === NO_EVENT_TIME ? [] : dayOf(minuteMs))),
  );
  return withDays(ledgerDays, days);
}

/** A row as its entry; a row of nothing is deleted. */
export function ledgerEntry(row: LedgerRow): Entry {
  return entryOf(partitionName(row.partition, row.minuteMs), row);
}

function entryOf(partition: string, { minuteMs, counts }: LedgerRow): Entry {
  const numbers = LEDGER_COLUMNS.map((verdict) => counts[verdict]);
  const value = numbers.every((count) => count === 0) ? undefined : Buffer.from(JSON.stringify(numbers));
  return { kind: 'ledger', partition, key: minuteMs === NO_EVENT_TIME ? 'none' : keyOf(minuteMs), value };
}

/** Rows with an event time in `[fromMs, toMs)`, of every partition; without a period all rows, those without a time too. */
export async function* ledgerRows(
  database: RowDatabase,
  state: HeadState,
  period?: { fromMs: number; toMs: number },
): AsyncGenerator<LedgerRow> {
  const within = period ? daysWithin(state.ledgerDays, period) : state.ledgerDays;
  const names = function* (): Generator<string> {
    for (const { partition } of state.ledger) {
      if (!period) yield partitionName(partition, NO_EVENT_TIME);
      for (const [first, last] of within)
        for (let day = first; day <= last; day++) yield dayName(partition, day);
    }
  };
  for (const some of inGroups(names(), READS_MAX)) {
    for (const rows of await Promise.all(some.map((name) => readDay(database, name)))) {
      for (const row of rows)
        if (!period || (row.minuteMs >= period.fromMs && row.minuteMs < period.toMs)) yield row;
    }
  }
}

async function readDay(database: RowDatabase, name: string): Promise<LedgerRow[]> {
  const [partition] = name.split('.');
  const rows: LedgerRow[] = [];
  for await (const { key, value } of allEntries(database, { kind: 'ledger', partition: name })) {
    const numbers = JSON.parse(Buffer.from(value).toString()) as number[];
    const counts = LEDGER_COLUMNS.map((verdict, index) => [verdict, numbers[index]]);
    rows.push({
      partition: Number(partition),
      minuteMs: key === 'none' ? NO_EVENT_TIME : Number(key),
      counts: Object.fromEntries(counts) as Counts,
    });
  }
  return rows;
}

/** Things in arrays of at most `size`. */
export function* inGroups<T>(things: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = [];
  for (const thing of things) {
    if (group.push(thing) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Counts and their sum. */
export function countsOf(all: Iterable<Counts>): LedgerCounts {
  let total = NOTHING;
  for (const counts of all) total = sum(total, counts);
  return { records: VERDICTS.reduce((records, verdict) => records + total[verdict], 0), ...total };
}

const NOTHING = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Counts;

function sum(a: Counts, b: Counts): Counts {
  return Object.fromEntries(VERDICTS.map((verdict) => [verdict, a[verdict] + b[verdict]])) as Counts;
}

function partitionName(partition: number, minuteMs: number): string {
  return minuteMs === NO_EVENT_TIME ? `${partition}.none` : dayName(partition, dayOf(minuteMs));
}

function dayName(partition: number, day: number): string {
  return `${partition}.${day}`;
}
