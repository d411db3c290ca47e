// What is kept for each partition, and for all of them together. Of each: its position, its greatest event time (and with it the watermark), and a
// book for every minute of event time with the ledger's changes and the first offset that memory needs of it.
import { BUCKET_MS, type Method, VERDICTS } from './method.js';
import { type LedgerChange, NO_EVENT_TIME, type PartitionPosition } from './ports/commit.js';

interface MinuteBook {
  minute: number;
  /** Changes since the last commit, by index in VERDICTS. */
  counts: Int32Array;
  changed: boolean;
  /** First record of this minute that memory holds, and the greatest event time before it; Infinity: none. */
  firstOffset: number;
  maxEventTimeBeforeMs: number;
}

const NO_MINUTE = NO_EVENT_TIME;
/** A power of two. */
const RECENT = 32;

export class PartitionBook {
  /** Next offset to judge. */
  position = 0;
  maxEventTimeMs = -Infinity;
  /** Records of all partitions, and their greatest event time, when this one had its last record. */
  lastRecordAt = 0;
  lastRecordMaxEventTimeMs = -Infinity;
  private readonly minutes = new Map<number, MinuteBook>();
  private readonly changedBooks: MinuteBook[] = [];
  /** By the minute's last bits, for clicks that jump between the last few. */
  private readonly recent: (MinuteBook | undefined)[] = new Array(RECENT).fill(undefined);

  constructor(readonly partition: number) {}

  watermarkMs(method: Method): number {
    return this.maxEventTimeMs - method.watermarkDelayMs;
  }

  /** Event times that this partition may still bring without being too late are at or after this. */
  horizonMs(method: Method): number {
    return this.watermarkMs(method) - method.allowedLatenessMs - BUCKET_MS;
  }

  private book(minute: number): MinuteBook {
    const recent = this.recent[minute & (RECENT - 1)];
    if (recent?.minute === minute) return recent;
    let book = this.minutes.get(minute);
    if (!book) {
      book = {
        minute,
        counts: new Int32Array(VERDICTS.length),
        changed: false,
        firstOffset: Infinity,
        maxEventTimeBeforeMs: -Infinity,
      };
      this.minutes.set(minute, book);
    }
    this.recent[minute & (RECENT - 1)] = book;
    return book;
  }

  /** Adds `count` records to the ledger; `eventTimeMs` undefined: without a usable event time. */
  enter(eventTimeMs: number | undefined, verdict: number, count: number): void {
    const book = this.book(eventTimeMs === undefined ? NO_MINUTE : Math.floor(eventTimeMs / BUCKET_MS));
    book.counts[verdict]! += count;
    if (book.changed) return;
    book.changed = true;
    this.changedBooks.push(book);
  }

  /** Notes that memory holds the record at `offset`. Call before its event time moves the watermark. */
  hold(eventTimeMs: number, offset: number): void {
    const book = this.book(Math.floor(eventTimeMs / BUCKET_MS));
    if (book.firstOffset !== Infinity) return;
    book.firstOffset = offset;
    book.maxEventTimeBeforeMs = this.maxEventTimeMs;
  }

  takeLedger(into: LedgerChange[]): void {
    for (const book of this.changedBooks) {
      book.changed = false;
      if (book.counts.every((count) => count === 0)) continue;
      const counts = Object.fromEntries(VERDICTS.map((verdict, index) => [verdict, book.counts[index]!]));
      const minuteMs = book.minute === NO_MINUTE ? NO_EVENT_TIME : book.minute * BUCKET_MS;
      into.push({ partition: this.partition, minuteMs, counts: counts as LedgerChange['counts'] });
      book.counts.fill(0);
    }
    this.changedBooks.length = 0;
  }

  /** Forgets the books of minutes before `floorMs`; those with changes stay until they are taken. */
  forgetBefore(floorMs: number): void {
    const floor = floorMs / BUCKET_MS;
    for (const [minute, book] of this.minutes) {
      if (minute >= floor) continue;
      book.firstOffset = Infinity;
      if (!book.changed) this.minutes.delete(minute);
    }
    this.recent.fill(undefined);
  }

  /** The position, and the offset from which memory can be rebuilt. */
  positions(): PartitionPosition {
    let rewindOffset = this.position;
    let rewindMaxEventTimeMs = this.maxEventTimeMs;
    for (const book of this.minutes.values()) {
      if (book.firstOffset >= rewindOffset) continue;
      rewindOffset = book.firstOffset;
      rewindMaxEventTimeMs = book.maxEventTimeBeforeMs;
    }
    const { partition, position, maxEventTimeMs } = this;
    return { partition, position, maxEventTimeMs, rewindOffset, rewindMaxEventTimeMs };
  }
}

/** A partition without records is only quiet when the others' event time went on by so much. */
const QUIET_MS = 3_600_000;

/** The books of all partitions. */
export class PartitionBooks {
  /** Records of all partitions, and their greatest event time. */
  recordsSeen = 0;
  maxEventTimeMs = -Infinity;
  private readonly books: PartitionBook[] = [];
  /** By number, with holes: looked up for every record, for which a Map would be too slow. */
  private readonly byPartition: (PartitionBook | undefined)[] = [];

  constructor(
    private readonly method: Method,
    partitionCount: number,
  ) {
    for (let partition = 0; partition < partitionCount; partition++) this.of(partition);
  }

  of(partition: number): PartitionBook {
    let book = this.byPartition[partition];
    if (!book) {
      book = new PartitionBook(partition); // (One that is added later is not quiet from the beginning.)
      book.lastRecordAt = this.recordsSeen;
      book.lastRecordMaxEventTimeMs = this.maxEventTimeMs;
      this.byPartition[partition] = book;
      this.books.push(book);
    }
    return book;
  }

  all(): readonly PartitionBook[] {
    return this.books;
  }

  /** Watermarks by partition, epoch ms. */
  watermarks(): number[] {
    return this.byPartition.map((book) => book?.watermarkMs(this.method) ?? -Infinity);
  }

  /** Event times that may still come without being too late are at or after this, but for those of quiet partitions. */
  horizonMs(quietAfterRecords: number): number {
    let horizonMs = Infinity;
    for (const book of this.books) {
      const isQuiet =
        this.recordsSeen - book.lastRecordAt > quietAfterRecords &&
        this.maxEventTimeMs - book.lastRecordMaxEventTimeMs > QUIET_MS;
      if (!isQuiet) horizonMs = Math.min(horizonMs, book.horizonMs(this.method));
    }
    return horizonMs;
  }

  takeLedger(): LedgerChange[] {
    const changes: LedgerChange[] = [];
    for (const book of this.books) book.takeLedger(changes);
    return changes;
  }

  /** Notes that a countable record of `book` is held: moves its watermark. */
  hold(book: PartitionBook, eventTimeMs: number, offset: number): void {
    book.hold(eventTimeMs, offset);
    if (eventTimeMs > book.maxEventTimeMs) {
      book.maxEventTimeMs = eventTimeMs;
      if (eventTimeMs > this.maxEventTimeMs) this.maxEventTimeMs = eventTimeMs;
    }
    book.lastRecordMaxEventTimeMs = this.maxEventTimeMs;
  }
}
