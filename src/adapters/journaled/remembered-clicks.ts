// What the writer remembers of the rows that it wrote, so that it seldom reads one to change it. Rows are remembered by
// table and time: of an hour that began under this writer it knows all rows, and need not look for one that is missing.
import type { PlacedCell, RowDatabase, TotalsTable } from './database.js';

/** Rows that are remembered in all; the times that were asked for least lately go first. */
const ROWS_MAX = 300_000;

interface Span {
  /** Start of its minute, hour or day, epoch ms. */
  ms: number;
  /** No row of this time is in the database that is not in here. */
  whole: boolean;
  clicks: Map<string, number>;
}

export class RememberedClicks {
  /** By table and time, the one that was used last is last. */
  private spans = new Map<string, Span>();
  private rows = 0;
  /** Spans that begin at or after this time, and are not remembered, have no row yet. */
  private freshFromMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly database: RowDatabase,
    private readonly rowsMax = ROWS_MAX,
  ) {}

  /** Forgets everything. */
  forget(): void {
    this.spans.clear();
    this.rows = 0;
    this.freshFromMs = Number.POSITIVE_INFINITY;
  }

  /** Told before the first write, and after each `forget`: the store holds no row of a minute at or after this time. */
  emptyFrom(ms: number): void {
    if (this.freshFromMs === Number.POSITIVE_INFINITY) this.freshFromMs = ms;
  }

  /** The clicks of these rows as they are; those that are not remembered are read. */
  async clicksOf(table: TotalsTable, rows: readonly PlacedCell[]): Promise<number[]> {
    const clicks: number[] = new Array(rows.length);
    const missing: number[] = [];
    rows.forEach((row, index) => {
      const span = this.span(table, row.minuteMs);
      const known = span.clicks.get(textOf(row)) ?? (span.whole ? 0 : undefined);
      if (known === undefined) missing.push(index);
      else clicks[index] = known;
    });
    if (missing.length === 0) return clicks;
    const found = await this.database.clicksOf(
      table,
      missing.map((index) => rows[index]!),
    );
    missing.forEach((index, number) => {
      clicks[index] = found[number]!;
    });
    return clicks;
  }

  /** Remembers what is about to be written. */
  put(table: TotalsTable, row: PlacedCell, clicks: number): void {
    const span = this.span(table, row.minuteMs);
    const before = span.clicks.size;
    span.clicks.set(textOf(row), clicks);
    this.rows += span.clicks.size - before;
    if (this.rows > this.rowsMax) this.shrink();
  }

  private span(table: TotalsTable, ms: number): Span {
    const name = `${table.name} ${ms}`;
    const known = this.spans.get(name);
    const span = known ?? { ms, whole: ms >= this.freshFromMs, clicks: new Map<string, number>() };
    if (known) this.spans.delete(name);
    this.spans.set(name, span);
    return span;
  }

  private shrink(): void {
    for (const [name, { ms, clicks }] of this.spans) {
      if (this.rows <= this.rowsMax * 0.75) return;
      this.spans.delete(name);
      this.rows -= clicks.size;
      this.freshFromMs = Math.max(this.freshFromMs, ms + 1);
    }
  }
}

function textOf({ adId, campaignId, country, deviceType }: PlacedCell): string {
  return JSON.stringify([adId, campaignId, country, deviceType]);
}
