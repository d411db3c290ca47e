// The totals in memory: billable clicks by (minute, ad, campaign, country, device). A cell holds the absolute
// number, so that writing it to a store again changes nothing. Cells of the horizon stay here, because a late
// click may change them; older ones are only in the store.
import { grown, grownCapacity } from './columns.js';
import type { DecodedBatch } from './decoded-batch.js';
import { hashBytes } from './hash128.js';
import { BUCKET_MS, DEVICE_TYPES } from './method.js';
import type { CellColumns } from './ports.js';
import { SlotTable } from './slot-table.js';

const NONE = -1;
/** Below so many ads in memory it isn't worth looking for unused ones. */
const COMPACT_ADS_MIN = 4096;
const CELL = { dirty: 1, written: 2, free: 4 } as const;

const utf8 = new TextDecoder();

export class Totals {
  private readonly table = new SlotTable();
  private capacity = 1024;
  private used = 0;
  private freeCell = NONE;
  /** Minutes since the epoch; next free cell of a free one. */
  private minute = new Float64Array(this.capacity);
  private ad = new Int32Array(this.capacity);
  /** country << 8 | device */
  private place = new Uint32Array(this.capacity);
  private clicks = new Int32Array(this.capacity);
  /** Partition of the click that changed it last: its watermark says whether the minute is closed. */
  private partition = new Uint16Array(this.capacity);
  private state = new Uint8Array(this.capacity);
  private dirty: number[] = [];
  private readonly ads = new Ads();

  get bytes(): number {
    return this.table.bytes + this.used * (8 + 4 + 4 + 4 + 2 + 1) + this.ads.bytes;
  }

  /** How many cells await the next commit. */
  get dirtyCount(): number {
    return this.dirty.length;
  }

  /** The cell of record `i`. */
  cellOf(batch: DecodedBatch, i: number): number {
    const ad = this.ads.indexOf(batch, i);
    const minute = Math.floor(batch.eventTimeMs[i]! / BUCKET_MS);
    const place = (batch.country[i]! << 8) | batch.device[i]!;
    const { table } = this;
    const hash = cellHash(minute, ad, place);
    let slot = table.seek(table.first(hash), hash);
    for (let cell = table.rowAt(slot); cell !== NONE; cell = table.rowAt(slot)) {
      if (this.minute[cell] === minute && this.ad[cell] === ad && this.place[cell] === place) return cell;
      slot = table.seek(table.next(slot), hash);
    }
    const cell = this.add(minute, ad, place);
    this.partition[cell] = batch.partition[i]!;
    table.insertAt(slot, hash, cell);
    return cell;
  }

  /** Adds `clicks` (1 or -1) to a cell; `partition` is that of the click. */
  count(cell: number, clicks: number, partition: number): void {
    this.clicks[cell]! += clicks;
    this.partition[cell] = partition;
    if ((this.state[cell]! & CELL.dirty) === 0) {
      this.state[cell]! |= CELL.dirty;
      this.dirty.push(cell);
    }
  }

  /** Text of a cell's dimensions. */
  describe(cell: number): { adId: string; campaignId: string } {
    return this.ads.textOf(this.ad[cell]!);
  }

  /**
   * Takes the changed cells that are due, by the end of their minute and the partition of the click that changed
   * them last. The others stay for a later commit.
   */
  take(isDue: (minuteEndMs: number, partition: number) => boolean): CellColumns {
    const due: number[] = [];
    const open: number[] = [];
    for (const cell of this.dirty) {
      const minuteEndMs = (this.minute[cell]! + 1) * BUCKET_MS;
      if (!isDue(minuteEndMs, this.partition[cell]!)) open.push(cell);
      else if (this.clicks[cell] === 0 && (this.state[cell]! & CELL.written) === 0)
        this.state[cell]! &= ~CELL.dirty;
      else due.push(cell);
    }
    this.dirty = open;
    const columns = {
      count: due.length,
      minuteMs: new Float64Array(due.length),
      dimension: new Int32Array(due.length),
      clicks: new Int32Array(due.length),
      rewrite: new Uint8Array(due.length),
    };
    const dimensions: [string, string, string, string][] = [];
    const indexes = new Map<number, number>();
    for (let i = 0; i < due.length; i++) {
      const cell = due[i]!;
      const key = this.ad[cell]! * 16_777_216 + this.place[cell]!;
      let dimension = indexes.get(key);
      if (dimension === undefined) {
        dimension = dimensions.length;
        indexes.set(key, dimension);
        const { adId, campaignId } = this.ads.textOf(this.ad[cell]!);
        const place = this.place[cell]!;
        const country = String.fromCharCode(place >>> 16, (place >>> 8) & 255);
        dimensions.push([adId, campaignId, country, DEVICE_TYPES[place & 255]!]);
      }
      columns.minuteMs[i] = this.minute[cell]! * BUCKET_MS;
      columns.dimension[i] = dimension;
      columns.clicks[i] = this.clicks[cell]!;
      columns.rewrite[i] = (this.state[cell]! & CELL.written) >> 1;
      this.state[cell] = CELL.written;
    }
    return { ...columns, dimensions };
  }

  /**
   * After memory was rebuilt: cells of minutes from `fromMs` on that end after `closedMs` may differ from what the
   * store has, which was written or not as their partitions stood then. They await a commit again.
   */
  reopen(fromMs: number, closedMs: number): void {
    this.dirty = [];
    for (let cell = 0; cell < this.used; cell++) {
      if (this.state[cell]! & CELL.free) continue;
      this.state[cell] = CELL.written;
      const minuteMs = this.minute[cell]! * BUCKET_MS;
      if (minuteMs < fromMs || minuteMs + BUCKET_MS <= closedMs) continue;
      this.state[cell]! |= CELL.dirty;
      this.dirty.push(cell);
    }
  }

  /** Forgets cells of minutes before `floorMs`. Changed ones stay until they are written. */
  forgetBefore(floorMs: number): void {
    const floor = floorMs / BUCKET_MS;
    for (let cell = 0; cell < this.used; cell++) {
      if ((this.state[cell]! & (CELL.free | CELL.dirty)) === 0 && this.minute[cell]! < floor)
        this.remove(cell);
    }
    if (this.ads.count > COMPACT_ADS_MIN) this.compactAds();
  }

  private remove(cell: number): void {
    const { table } = this;
    const hash = cellHash(this.minute[cell]!, this.ad[cell]!, this.place[cell]!);
    table.remove(hash, cell);
    this.state[cell] = CELL.free;
    this.minute[cell] = this.freeCell;
    this.freeCell = cell;
  }

  private compactAds(): void {
    const inUse = new Uint8Array(this.ads.count);
    let live = 0;
    for (let cell = 0; cell < this.used; cell++) {
      if (this.state[cell]! & CELL.free || inUse[this.ad[cell]!]) continue;
      inUse[this.ad[cell]!] = 1;
      live++;
    }
    if (live * 2 < this.ads.count) this.ads.forget(inUse);
  }

  private add(minute: number, ad: number, place: number): number {
    let cell = this.freeCell;
    if (cell === NONE) {
      if (this.used === this.capacity) this.grow();
      cell = this.used++;
    } else {
      this.freeCell = this.minute[cell]!;
    }
    this.minute[cell] = minute;
    this.ad[cell] = ad;
    this.place[cell] = place;
    this.clicks[cell] = 0;
    this.state[cell] = 0;
    return cell;
  }

  private grow(): void {
    this.capacity = grownCapacity(this.capacity);
    this.minute = grown(this.minute, this.capacity);
    this.ad = grown(this.ad, this.capacity);
    this.place = grown(this.place, this.capacity);
    this.clicks = grown(this.clicks, this.capacity);
    this.partition = grown(this.partition, this.capacity);
    this.state = grown(this.state, this.capacity);
  }
}

function cellHash(minute: number, ad: number, place: number): number {
  let h = Math.imul(minute | 0, 0x9e3779b1 | 0);
  h = Math.imul((h ^ (h >>> 15)) + ad, 0x85ebca6b | 0);
  h = Math.imul((h ^ (h >>> 13)) + place, 0xc2b2ae35 | 0);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The pairs (ad_id, campaign_id) that cells refer to, by number. Numbers of forgotten pairs are used again. */
class Ads {
  private readonly table = new SlotTable();
  private readonly text: { adId: string; campaignId: string }[] = [];
  private readonly key: Uint8Array[] = [];
  private readonly adLength: number[] = [];
  private free: number[] = [];

  get count(): number {
    return this.text.length;
  }

  get bytes(): number {
    // Two strings, a key and their headers: an estimate, for people.
    return this.table.bytes + this.text.length * 250;
  }

  textOf(ad: number): { adId: string; campaignId: string } {
    return this.text[ad]!;
  }

  indexOf(batch: DecodedBatch, i: number): number {
    const { table } = this;
    const hash = batch.adHash[i]!;
    let slot = table.seek(table.first(hash), hash);
    for (let ad = table.rowAt(slot); ad !== NONE; ad = table.rowAt(slot)) {
      if (this.isPair(ad, batch, i)) return ad;
      slot = table.seek(table.next(slot), hash);
    }
    const ad = this.free.pop() ?? this.text.length;
    const adBytes = batch.bytes.subarray(batch.adStart[i]!, batch.adStart[i]! + batch.adLength[i]!);
    const start = batch.campaignStart[i]!;
    const campaignBytes = batch.bytes.subarray(start, start + batch.campaignLength[i]!);
    const key = new Uint8Array(adBytes.length + campaignBytes.length);
    key.set(adBytes);
    key.set(campaignBytes, adBytes.length);
    this.key[ad] = key;
    this.adLength[ad] = adBytes.length;
    this.text[ad] = { adId: utf8.decode(adBytes), campaignId: utf8.decode(campaignBytes) };
    table.insertAt(slot, hash, ad);
    return ad;
  }

  private isPair(ad: number, batch: DecodedBatch, i: number): boolean {
    const key = this.key[ad]!;
    const adLength = batch.adLength[i]!;
    if (this.adLength[ad] !== adLength || key.length !== adLength + batch.campaignLength[i]!) return false;
    const { bytes } = batch;
    const adStart = batch.adStart[i]!;
    for (let k = 0; k < adLength; k++) if (key[k] !== bytes[adStart + k]) return false;
    const start = batch.campaignStart[i]! - adLength;
    for (let k = adLength; k < key.length; k++) if (key[k] !== bytes[start + k]) return false;
    return true;
  }

  /** Forgets the pairs that are not `inUse`. */
  forget(inUse: Uint8Array): void {
    const { table } = this;
    const alreadyFree = new Set(this.free);
    for (let ad = 0; ad < this.text.length; ad++) {
      if (inUse[ad] || alreadyFree.has(ad)) continue;
      const key = this.key[ad]!;
      const adLength = this.adLength[ad]!;
      const hash = hashBytes(key, adLength, key.length - adLength, hashBytes(key, 0, adLength) | 0);
      table.remove(hash, ad);
      this.free.push(ad);
      this.key[ad] = new Uint8Array(0);
      this.text[ad] = { adId: '', campaignId: '' };
    }
  }
}
