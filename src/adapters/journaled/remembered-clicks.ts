// What the writer remembers of the rows that it wrote, so that it seldom reads one to change it. Rows are remembered by
// table and time: of an hour that began under this writer it knows all rows, and need not look for one that is missing.
import type { PlacedCell, RowDatabase, TotalsTable } from './database.js';

/**
 * Rows that are remembered in all, about 100 bytes each; the times that were asked for least lately go first. Today's rows by
 * day are changed by every commit: 100,000 ads have some hundred thousand of them.
 */
const ROWS_MAX = 1_000_000;
/** So much is kept when others go. */
const KEPT_SHARE = 0.75;

interface Span {
  table: TotalsTable;
  /** Start of its minute, hour or day, epoch ms. */
  ms: number;
  /** No row of this time is in the database that is not in here. */
  whole: boolean;
  usedLast: number;
  /** By the number of the row's texts. */
  clicks: Map<number, number>;
}

export class RememberedClicks {
  private spans = new Map<TotalsTable, Map<number, Span>>();
  private rows = 0;
  private uses = 0;
  /** Numbers of texts: those of an hour's rows are those of its day's. */
  private names = new Map<string, number>();
  private numbers = 0;
  /** The store held no row of a minute at or after this time when the first one was written. */
  private emptyFromMs = Number.POSITIVE_INFINITY;
  /** By table: rows of earlier times were written and forgotten. */
  private forgottenToMs = new Map<TotalsTable, number>();

  constructor(
    private readonly database: RowDatabase,
    private readonly rowsMax = ROWS_MAX,
  ) {}

  /** Forgets everything. */
  forget(): void {
    this.spans.clear();
    this.names.clear();
    this.rows = 0;
    this.emptyFromMs = Number.POSITIVE_INFINITY;
    this.forgottenToMs.clear();
  }

  /** Told before the first write, and after each `forget`: the store holds no row of a minute at or after this time. */
  emptyFrom(ms: number): void {
    if (this.emptyFromMs === Number.POSITIVE_INFINITY) this.emptyFromMs = ms;
  }

  /** The clicks of these rows as they are; those that are not remembered are read. */
  async clicksOf(table: TotalsTable, rows: readonly PlacedCell[]): Promise<number[]> {
    const clicks: number[] = new Array(rows.length);
    const missing: number[] = [];
    rows.forEach((row, index) => {
      const span = this.span(table, row.minuteMs);
      const number = this.names.get(textOf(row));
      const known =
        (number === undefined ? undefined : span.clicks.get(number)) ?? (span.whole ? 0 : undefined);
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
    span.clicks.set(this.numberOf(row), clicks);
    this.rows += span.clicks.size - before;
    if (this.rows > this.rowsMax) this.shrink();
  }

  private span(table: TotalsTable, ms: number): Span {
    let spans = this.spans.get(table);
    if (!spans) {
      spans = new Map();
      this.spans.set(table, spans);
    }
    let span = spans.get(ms);
    if (!span) {
      const whole = ms >= this.emptyFromMs && ms >= (this.forgottenToMs.get(table) ?? 0);
      span = { table, ms, whole, usedLast: 0, clicks: new Map() };
      spans.set(ms, span);
    }
    span.usedLast = ++this.uses;
    return span;
  }

  private numberOf(row: PlacedCell): number {
    const text = textOf(row);
    let number = this.names.get(text);
    if (number === undefined) {
      number = this.numbers++;
      this.names.set(text, number);
    }
    return number;
  }

  private shrink(): void {
    const all = [...this.spans.values()].flatMap((spans) => [...spans.values()]);
    all.sort((a, b) => a.usedLast - b.usedLast);
    for (const { table, ms, clicks } of all) {
      if (this.rows <= this.rowsMax * KEPT_SHARE) break;
      this.spans.get(table)!.delete(ms);
      this.rows -= clicks.size;
      this.forgottenToMs.set(table, Math.max(this.forgottenToMs.get(table) ?? 0, ms + 1));
    }
    const used = new Set<number>();
    for (const spans of this.spans.values())
      for (const { clicks } of spans.values()) for (const number of clicks.keys()) used.add(number);
    for (const [text, number] of this.names) if (!used.has(number)) this.names.delete(text);
  }
}

/** Texts with the lengths of all but the last: no two rows have the same. */
function textOf({ adId, campaignId, country, deviceType }: PlacedCell): string {
  return `${adId.length} ${campaignId.length} ${country.length} ${adId}${campaignId}${country}${deviceType}`;
}
