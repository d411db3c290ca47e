// The pairs (ad_id, campaign_id) that cells refer to, by number: their bytes one behind the other, to be compared
// with those of a record, and their text, to be written. Numbers of forgotten pairs are used again.
import { grownCapacity, resized } from './columns.js';
import type { DecodedBatch } from './decoded-batch.js';
import { hashBytes } from './hash128.js';
import { SlotTable } from './slot-table.js';

const NONE = -1;
/** Below so many pairs it isn't worth looking for unused ones. */
const FORGET_MIN = 4096;

interface Text {
  adId: string;
  campaignId: string;
}

const utf8 = new TextDecoder();

export class Ads {
  private table = new SlotTable();
  private text: Text[] = [];
  private bytes = new Uint8Array(4096);
  private bytesUsed = 0;
  /** Where the pair's bytes are: those of the ad, then those of the campaign. */
  private start = new Int32Array(256);
  private adLength = new Uint8Array(256);
  private campaignLength = new Uint8Array(256);
  private free: number[] = [];
  /** The pair of each of the decoder's numbers, in the present numbering; NONE: not met yet. */
  private byNumber = new Int32Array(0);
  private numbering = NONE;
  /** How many there may be before unused ones are looked for. */
  private forgetAt = FORGET_MIN;

  get count(): number {
    return this.text.length;
  }

  /** Bytes of memory: two strings and their headers are an estimate, for people. */
  get memoryBytes(): number {
    const { table, bytes, text, byNumber } = this;
    return table.bytes + bytes.length + byNumber.byteLength + text.length * (120 + 6) + 2 * this.bytesUsed;
  }

  textOf(ad: number): Text {
    return this.text[ad]!;
  }

  /** The number of record `i`'s pair, by its decoder's number of it if that was met before. */
  indexOf(batch: DecodedBatch, i: number): number {
    if (batch.numbering !== this.numbering) {
      this.numbering = batch.numbering;
      this.byNumber.fill(NONE);
    }
    const number = batch.adNumber[i]!;
    if (number >= this.byNumber.length) this.growNumbers(number);
    const known = this.byNumber[number]!;
    if (known !== NONE) return known;
    const ad = this.find(batch, i);
    this.byNumber[number] = ad;
    return ad;
  }

  /** The number of record `i`'s pair, by its text. */
  find(batch: DecodedBatch, i: number): number {
    const { table } = this;
    const hash = batch.adHash[i]!;
    let slot = table.seek(table.first(hash), hash);
    for (let ad = table.rowAt(slot); ad !== NONE; ad = table.rowAt(slot)) {
      if (this.isPair(ad, batch, i)) return ad;
      slot = table.seek(table.next(slot), hash);
    }
    const ad = this.add(batch, i);
    table.insertAt(slot, hash, ad);
    return ad;
  }

  private isPair(ad: number, batch: DecodedBatch, i: number): boolean {
    const { bytes } = this;
    const adLength = batch.adLength[i]!;
    const campaignLength = batch.campaignLength[i]!;
    if (this.adLength[ad] !== adLength || this.campaignLength[ad] !== campaignLength) return false;
    const start = this.start[ad]!;
    const adStart = batch.adStart[i]!;
    const campaignStart = batch.campaignStart[i]!;
    for (let k = 0; k < adLength; k++) if (bytes[start + k] !== batch.bytes[adStart + k]) return false;
    for (let k = 0; k < campaignLength; k++) {
      if (bytes[start + adLength + k] !== batch.bytes[campaignStart + k]) return false;
    }
    return true;
  }

  private add(batch: DecodedBatch, i: number): number {
    const ad = this.free.pop() ?? this.text.length;
    if (ad === this.start.length) this.growColumns();
    const adBytes = batch.bytes.subarray(batch.adStart[i]!, batch.adStart[i]! + batch.adLength[i]!);
    const campaignStart = batch.campaignStart[i]!;
    const campaignBytes = batch.bytes.subarray(campaignStart, campaignStart + batch.campaignLength[i]!);
    this.put(ad, adBytes, campaignBytes);
    this.text[ad] = { adId: utf8.decode(adBytes), campaignId: utf8.decode(campaignBytes) };
    return ad;
  }

  private put(ad: number, adBytes: Uint8Array, campaignBytes: Uint8Array): void {
    const end = this.bytesUsed + adBytes.length + campaignBytes.length;
    if (end > this.bytes.length) this.bytes = resized(this.bytes, grownCapacity(end));
    this.bytes.set(adBytes, this.bytesUsed);
    this.bytes.set(campaignBytes, this.bytesUsed + adBytes.length);
    this.start[ad] = this.bytesUsed;
    this.adLength[ad] = adBytes.length;
    this.campaignLength[ad] = campaignBytes.length;
    this.bytesUsed = end;
  }

  private growNumbers(number: number): void {
    const before = this.byNumber;
    this.byNumber = new Int32Array(grownCapacity(number + 1)).fill(NONE, before.length);
    this.byNumber.set(before);
  }

  private growColumns(): void {
    const capacity = grownCapacity(this.start.length);
    this.start = resized(this.start, capacity);
    this.adLength = resized(this.adLength, capacity);
    this.campaignLength = resized(this.campaignLength, capacity);
  }

  /** Whether there are so many that unused ones should be looked for: then call `keep`. */
  get shouldForget(): boolean {
    return this.text.length - this.free.length > this.forgetAt;
  }

  /** Forgets the pairs that are not `inUse`. */
  keep(inUse: Uint8Array): void {
    const before = this.bytes;
    let kept = 0;
    this.table = new SlotTable();
    this.bytes = new Uint8Array(4096);
    this.bytesUsed = 0;
    this.free = [];
    this.byNumber.fill(NONE);
    for (let ad = 0; ad < this.text.length; ad++) {
      if (!inUse[ad]) {
        this.free.push(ad);
        this.text[ad] = { adId: '', campaignId: '' };
        continue;
      }
      kept++;
      const middle = this.start[ad]! + this.adLength[ad]!;
      this.put(
        ad,
        before.subarray(this.start[ad]!, middle),
        before.subarray(middle, middle + this.campaignLength[ad]!),
      );
      const hash = this.hashOf(ad);
      this.table.insertAt(this.freeSlot(hash), hash, ad);
    }
    this.forgetAt = Math.max(FORGET_MIN, 2 * kept);
  }

  private hashOf(ad: number): number {
    const { bytes } = this;
    const start = this.start[ad]!;
    const adLength = this.adLength[ad]!;
    const adHash = hashBytes(bytes, start, adLength) | 0;
    return hashBytes(bytes, start + adLength, this.campaignLength[ad]!, adHash);
  }

  private freeSlot(hash: number): number {
    const { table } = this;
    let slot = table.seek(table.first(hash), hash);
    while (table.rowAt(slot) !== NONE) slot = table.seek(table.next(slot), hash);
    return slot;
  }
}
