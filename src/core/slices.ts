// Memory by event time: what belongs to the same few minutes lies in one slice, with tables of its own. Clicks
// come nearly in order of event time, so that the tables in use are small enough for the processor's cache; and
// forgetting is dropping whole slices, without looking up a single click.
//
// A slice is as wide as the rules reach (a double-click period, a bot window) and never less than a minute: what
// a click has a say in is in its own slice, the one before and the one after.
import { BUCKET_MS, type Method } from './method.js';
import { SlotTable } from './slot-table.js';

/** A new slice has room for a little more than the last one holds: growing costs more than that. */
const ALIKE = 1.05;

export class Slice {
  /** Those beside it, where there are clicks. */
  previous: Slice | undefined;
  next: Slice | undefined;
  /** Every click, by its id. */
  readonly ids: SlotTable;
  /** The newest click of each user and ad. */
  readonly pairs: SlotTable;
  /** A click of each IP address. */
  readonly addresses: SlotTable;
  /** The cells of its minutes. */
  readonly cells: SlotTable;

  /** `alike`: a slice that is expected to become about as large. */
  constructor(
    readonly index: number,
    alike: Slice | undefined,
  ) {
    const like = (table: SlotTable | undefined): SlotTable => new SlotTable((table?.size ?? 0) * ALIKE);
    this.ids = like(alike?.ids);
    this.pairs = like(alike?.pairs);
    this.addresses = like(alike?.addresses);
    this.cells = like(alike?.cells);
  }

  get bytes(): number {
    return this.ids.bytes + this.pairs.bytes + this.addresses.bytes + this.cells.bytes;
  }
}

export class Slices {
  /** Width, ms: whole minutes. */
  readonly widthMs: number;
  private readonly byIndex = new Map<number, Slice>();
  /** The last two that were asked for: clicks jump between neighbours. */
  private last: Slice | undefined;
  private other: Slice | undefined;

  constructor({ doubleClickMs, botWindowMs }: Method) {
    this.widthMs = Math.ceil(Math.max(doubleClickMs, botWindowMs, BUCKET_MS) / BUCKET_MS) * BUCKET_MS;
  }

  get bytes(): number {
    let bytes = 0;
    for (const slice of this.byIndex.values()) bytes += slice.bytes;
    return bytes;
  }

  all(): Iterable<Slice> {
    return this.byIndex.values();
  }

  /** The slice of an event time, made if there is none. */
  of(timeMs: number): Slice {
    const index = Math.floor(timeMs / this.widthMs);
    if (this.last?.index === index) return this.last;
    const slice = this.other?.index === index ? this.other : (this.byIndex.get(index) ?? this.add(index));
    this.other = this.last;
    this.last = slice;
    return slice;
  }

  private add(index: number): Slice {
    // By what the last two hold (the last one is not full yet), and no more: a log can't blow memory up by this.
    const before = this.last?.previous;
    const slice = new Slice(index, before && before.ids.size > this.last!.ids.size ? before : this.last);
    this.byIndex.set(index, slice);
    slice.previous = this.byIndex.get(index - 1);
    slice.next = this.byIndex.get(index + 1);
    if (slice.previous) slice.previous.next = slice;
    if (slice.next) slice.next.previous = slice;
    return slice;
  }

  /** The slice that begins at `startMs`, if there are clicks in it. */
  startingAt(startMs: number): Slice | undefined {
    return this.byIndex.get(startMs / this.widthMs);
  }

  /** Takes out the slices before `floorMs`, the start of a slice. */
  dropBefore(floorMs: number): Slice[] {
    const dropped = [...this.byIndex.values()].filter(({ index }) => index * this.widthMs < floorMs);
    for (const slice of dropped) {
      this.byIndex.delete(slice.index);
      if (slice.next) slice.next.previous = undefined;
    }
    this.last = undefined;
    this.other = undefined;
    return dropped;
  }
}
