// The totals in memory: billable clicks by (minute, ad, campaign, country, device). A cell holds the absolute
// number, so that writing it to a store again changes nothing. Cells of the horizon stay here, because a late
// click may change them; older ones are only in the store.
import { Ads } from './ads.js';
import { descending, grownCapacity, IndexList, resized } from './columns.js';
import type { DecodedBatch } from './decoded-batch.js';
import { BUCKET_MS, DEVICE_TYPES } from './method.js';
import type { CellColumns } from './ports/commit.js';
import type { Slice } from './slices.js';
import { SlotTable } from './slot-table.js';

const NONE = -1;
/** `forgotten`: no click is left that could change it; it is freed once it is written. */
const CELL = { dirty: 1, written: 2, forgotten: 4, free: 8 } as const;

export class Totals {
  private capacity = 1024;
  private used = 0;
  private freeCell = NONE;
  /**
   * Four words a cell, so that looking one up touches memory once: minutes since the epoch (event times end at
   * 2^32 minutes), number of the ad, country << 8 | device, clicks. Of a free one the first is the next free one.
   */
  private words = new Uint32Array(4 * this.capacity);
  /** Partition of the click that changed it last: its watermark says whether the minute is closed. */
  private partition = new Uint16Array(this.capacity);
  private state = new Uint8Array(this.capacity);
  private dirty = new IndexList();
  /** What `take` sorts the dirty ones into. */
  private open = new IndexList();
  private readonly due = new IndexList();
  private readonly ads = new Ads();

  get bytes(): number {
    return this.used * (4 * 4 + 2 + 1) + this.ads.memoryBytes;
  }

  /** How many cells await the next commit. */
  get dirtyCount(): number {
    return this.dirty.count;
  }

  /** The cell of record `i`, in its slice. */
  cellOf({ cells }: Slice, batch: DecodedBatch, i: number): number {
    const ad = this.ads.indexOf(batch, i);
    const minute = Math.floor(batch.eventTimeMs[i]! / BUCKET_MS);
    const place = (batch.country[i]! << 8) | batch.device[i]!;
    const { words } = this;
    const hash = cellHash(minute, ad, place);
    let slot = cells.seek(cells.first(hash), hash);
    for (let cell = cells.rowAt(slot); cell !== NONE; cell = cells.rowAt(slot)) {
      const at = 4 * cell;
      if (words[at] === minute && words[at + 1] === ad && words[at + 2] === place) return cell;
      slot = cells.seek(cells.next(slot), hash);
    }
    const cell = this.add(minute, ad, place);
    this.partition[cell] = batch.partition[i]!;
    cells.insertAt(slot, hash, cell);
    return cell;
  }

  /** Adds `clicks` (1 or -1) to a cell; `partition` is that of the click. */
  count(cell: number, clicks: number, partition: number): void {
    this.words[4 * cell + 3]! += clicks;
    this.partition[cell] = partition;
    if ((this.state[cell]! & CELL.dirty) === 0) {
      this.state[cell]! |= CELL.dirty;
      this.dirty.push(cell);
    }
  }

  /** Text of a cell's dimensions. */
  describe(cell: number): { adId: string; campaignId: string } {
    return this.ads.textOf(this.words[4 * cell + 1]!);
  }

  /**
   * Takes the changed cells that are due, by the end of their minute and the partition of the click that changed
   * them last. The others stay for a later commit.
   */
  take(isDue: (minuteEndMs: number, partition: number) => boolean): CellColumns {
    const { dirty, open, due } = this;
    for (let n = 0; n < dirty.count; n++) {
      const cell = dirty.at(n);
      const minuteEndMs = (this.words[4 * cell]! + 1) * BUCKET_MS;
      if (!isDue(minuteEndMs, this.partition[cell]!)) open.push(cell);
      else if (this.words[4 * cell + 3] !== 0 || this.state[cell]! & CELL.written) due.push(cell);
      else this.settle(cell, 0);
    }
    this.dirty = open;
    this.open = dirty;
    dirty.clear();
    const columns = {
      count: due.count,
      minuteMs: new Float64Array(due.count),
      dimension: new Int32Array(due.count),
      clicks: new Int32Array(due.count),
      rewrite: new Uint8Array(due.count),
    };
    const dimensions = new Dimensions(this.ads);
    const { words } = this;
    for (let i = 0; i < due.count; i++) {
      const cell = due.at(i);
      const at = 4 * cell;
      columns.minuteMs[i] = words[at]! * BUCKET_MS;
      columns.dimension[i] = dimensions.indexOf(words[at + 1]!, words[at + 2]!);
      columns.clicks[i] = words[at + 3]!;
      columns.rewrite[i] = (this.state[cell]! & CELL.written) >> 1;
      this.settle(cell, CELL.written);
    }
    due.clear();
    return { ...columns, dimensions: dimensions.list };
  }

  /** The cell awaits no commit any more. */
  private settle(cell: number, state: number): void {
    if (this.state[cell]! & CELL.forgotten) this.free(cell);
    else this.state[cell] = state;
  }

  /**
   * After memory was rebuilt: cells of minutes from `fromMs` on that end after `closedMs` may differ from what the
   * store has, which was written or not as their partitions stood then. They await a commit again.
   */
  reopen(fromMs: number, closedMs: number): void {
    this.dirty.clear();
    for (let cell = 0; cell < this.used; cell++) {
      if (this.state[cell]! & CELL.free) continue;
      const minuteMs = this.words[4 * cell]! * BUCKET_MS;
      if (minuteMs < fromMs || minuteMs + BUCKET_MS <= closedMs) {
        this.settle(cell, CELL.written);
        continue;
      }
      this.state[cell] = (this.state[cell]! & CELL.forgotten) | CELL.written | CELL.dirty;
      this.dirty.push(cell);
    }
  }

  /** Forgets the cells of a slice that was dropped. Changed ones stay until they are written. */
  forget({ cells }: Slice): void {
    // From the last to the first, so that new cells will be written one behind the other.
    for (const cell of descending(cells.rows(), this.used)) {
      if (this.state[cell]! & CELL.dirty) this.state[cell]! |= CELL.forgotten;
      else this.free(cell);
    }
    if (this.ads.shouldForget) this.forgetAds();
  }

  private free(cell: number): void {
    this.state[cell] = CELL.free;
    this.words[4 * cell] = this.freeCell;
    this.freeCell = cell;
  }

  private forgetAds(): void {
    const inUse = new Uint8Array(this.ads.count);
    for (let cell = 0; cell < this.used; cell++) {
      if ((this.state[cell]! & CELL.free) === 0) inUse[this.words[4 * cell + 1]!] = 1;
    }
    this.ads.keep(inUse);
  }

  private add(minute: number, ad: number, place: number): number {
    let cell = this.freeCell;
    if (cell === NONE) {
      if (this.used === this.capacity) this.grow();
      cell = this.used++;
    } else {
      this.freeCell = this.words[4 * cell]! | 0;
    }
    const at = 4 * cell;
    this.words[at] = minute;
    this.words[at + 1] = ad;
    this.words[at + 2] = place;
    this.words[at + 3] = 0;
    this.state[cell] = 0;
    return cell;
  }

  private grow(): void {
    this.capacity = grownCapacity(this.capacity);
    this.words = resized(this.words, 4 * this.capacity);
    this.partition = resized(this.partition, this.capacity);
    this.state = resized(this.state, this.capacity);
  }
}

/** The combinations of ad, campaign, country and device of one commit, each once. */
class Dimensions {
  readonly list: CellColumns['dimensions'][number][] = [];
  private readonly table = new SlotTable();
  private readonly ad: number[] = [];
  private readonly place: number[] = [];

  constructor(private readonly ads: Ads) {}

  indexOf(ad: number, place: number): number {
    const { table } = this;
    const hash = cellHash(0, ad, place);
    let slot = table.seek(table.first(hash), hash);
    for (let index = table.rowAt(slot); index !== NONE; index = table.rowAt(slot)) {
      if (this.ad[index] === ad && this.place[index] === place) return index;
      slot = table.seek(table.next(slot), hash);
    }
    const index = this.list.length;
    const { adId, campaignId } = this.ads.textOf(ad);
    const country = String.fromCharCode(place >>> 16, (place >>> 8) & 255);
    this.list.push([adId, campaignId, country, DEVICE_TYPES[place & 255]!]);
    this.ad.push(ad);
    this.place.push(place);
    table.insertAt(slot, hash, index);
    return index;
  }
}

function cellHash(minute: number, ad: number, place: number): number {
  let h = Math.imul(minute | 0, 0x9e3779b1 | 0);
  h = Math.imul((h ^ (h >>> 15)) + ad, 0x85ebca6b | 0);
  h = Math.imul((h ^ (h >>> 13)) + place, 0xc2b2ae35 | 0);
  return (h ^ (h >>> 16)) >>> 0;
}
