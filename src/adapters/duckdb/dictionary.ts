// Numbers for texts: cells refer to their ad and campaign, and to their country and device, by small numbers
// that never change once given. The last ads used are remembered (a bounded number); others are looked up in
// the store, all of a commit at once.
import type { CellColumns } from '../../core/ports/commit.js';
import { invariant } from '../../errors.js';
import { appendColumns } from './columns.js';
import { type DuckDBConnection, INTEGER, USMALLINT, VARCHAR } from './node-api.js';
import { numberOf, rowsOf } from './sql.js';

/** Ads in each of the two generations that are remembered. */
const REMEMBERED_ADS_MAX = 150_000;
/** Numbers of places are 16 bits wide; there are 26 * 26 countries and five device types. */
const PLACES_MAX = 65_535;

/** An ad in a campaign. An ad is nearly always in one, so the others hang on a chain. */
interface Ad {
  campaignId: string;
  number: number;
  next: Ad | undefined;
}

export interface DimensionNumbers {
  /** By index in the commit's dimensions. */
  ad: Int32Array;
  place: Uint16Array;
}

export class Dictionary {
  private young = new Map<string, Ad>();
  private old = new Map<string, Ad>();
  private remembered = 0;
  private places = new Map<string, Map<string, number>>();
  private lastAd = 0;
  private lastPlace = 0;
  private loaded = false;

  constructor(private readonly connection: DuckDBConnection) {}

  /** Forgets what a transaction that failed, or another hand, may have made untrue. */
  forget(): void {
    this.young.clear();
    this.old.clear();
    this.places.clear();
    this.remembered = 0;
    this.loaded = false;
  }

  /** Numbers of these dimensions. New ones are put into `new_ads` and `new_places` for the transaction to insert. */
  async numbersOf(dimensions: CellColumns['dimensions']): Promise<DimensionNumbers> {
    if (!this.loaded) await this.load();
    this.forgetUnused();
    const ad = new Int32Array(dimensions.length);
    const place = new Uint16Array(dimensions.length);
    const missing: { adId: string; ad: Ad }[] = [];
    const newPlaces: [number[], string[], string[]] = [[], [], []];
    for (let i = 0; i < dimensions.length; i++) {
      const [adId, campaignId, country, deviceType] = dimensions[i];
      let known = this.find(adId, campaignId);
      if (!known) {
        // Until it is looked up, its number says where in `missing` it stands.
        known = this.remember(adId, { campaignId, number: -1 - missing.length, next: undefined });
        missing.push({ adId, ad: known });
      }
      ad[i] = known.number;
      place[i] = this.places.get(country)?.get(deviceType) ?? this.addPlace(country, deviceType, newPlaces);
    }
    if (missing.length > 0) {
      await this.lookUp(missing);
      for (let i = 0; i < ad.length; i++) if (ad[i] < 0) ad[i] = missing[-1 - ad[i]].ad.number;
    }
    await appendColumns(this.connection, 'new_places', [USMALLINT, VARCHAR, VARCHAR], newPlaces);
    return { ad, place };
  }

  /** Only between commits: within one, an ad must not be forgotten before it has its number. */
  private forgetUnused(): void {
    if (this.remembered < REMEMBERED_ADS_MAX) return;
    this.old = this.young;
    this.young = new Map();
    this.remembered = 0;
  }

  private async load(): Promise<void> {
    this.lastAd = await numberOf(this.connection, 'SELECT max(ad) FROM ads');
    this.lastPlace = await numberOf(this.connection, 'SELECT max(place) FROM places');
    for (const [place, country, deviceType] of await rowsOf(this.connection, 'FROM places'))
      this.setPlace(String(country), String(deviceType), Number(place));
    this.loaded = true;
  }

  private setPlace(country: string, deviceType: string, place: number): void {
    let devices = this.places.get(country);
    if (!devices) {
      devices = new Map();
      this.places.set(country, devices);
    }
    devices.set(deviceType, place);
  }

  private addPlace(country: string, deviceType: string, added: [number[], string[], string[]]): number {
    invariant(this.lastPlace < PLACES_MAX, 'more countries and devices than there are');
    const place = ++this.lastPlace;
    this.setPlace(country, deviceType, place);
    added[0].push(place);
    added[1].push(country);
    added[2].push(deviceType);
    return place;
  }

  private find(adId: string, campaignId: string): Ad | undefined {
    let ad = this.young.get(adId);
    while (ad && ad.campaignId !== campaignId) ad = ad.next;
    if (ad) return ad;
    ad = this.old.get(adId);
    while (ad && ad.campaignId !== campaignId) ad = ad.next;
    return ad && this.remember(adId, ad);
  }

  private remember(adId: string, ad: Ad): Ad {
    ad.next = this.young.get(adId);
    this.young.set(adId, ad);
    this.remembered++;
    return ad;
  }

  /** Gives every missing ad its number: the one in the store, or a new one. */
  private async lookUp(missing: readonly { adId: string; ad: Ad }[]): Promise<void> {
    const { connection } = this;
    if (this.lastAd > 0) {
      await appendColumns(
        connection,
        'wanted_ads',
        [INTEGER, VARCHAR, VARCHAR],
        [
          missing.map((_, index) => index),
          missing.map(({ adId }) => adId),
          missing.map(({ ad }) => ad.campaignId),
        ],
      );
      const join = 'SELECT wanted, ad FROM wanted_ads JOIN ads USING (ad_id, campaign_id)';
      for (const [wanted, ad] of await rowsOf(connection, join))
        missing[Number(wanted)].ad.number = Number(ad);
      await connection.run('TRUNCATE wanted_ads');
    }
    const added = missing.filter(({ ad }) => ad.number < 0);
    for (const { ad } of added) ad.number = ++this.lastAd;
    await appendColumns(
      connection,
      'new_ads',
      [INTEGER, VARCHAR, VARCHAR],
      [added.map(({ ad }) => ad.number), added.map(({ adId }) => adId), added.map(({ ad }) => ad.campaignId)],
    );
  }
}
