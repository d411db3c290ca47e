// An ad as the redirect and the invoice need it, and the table of all ads. A campaign belongs to one advertiser and has
// one price; its ads share both, so that no invoice line has to choose between prices, and no viewer between owners.

export interface Ad {
  readonly adId: string;
  readonly campaignId: string;
  readonly advertiserId: string;
  /** Where a click leads: http or https, as `parseTarget` takes it. */
  readonly targetUrl: string;
  /** The campaign's price, a decimal as it was written; undefined: it has none, and `upsert` leaves it as it is. */
  readonly pricePerClick: string | undefined;
  readonly currency: string | undefined;
  /** Clicks on an ad that isn't lead nowhere. */
  readonly active: boolean;
}

/** What a redirect needs to know of an ad: nothing of its campaign's, so that it changes only with the ad. */
export type Target = Pick<Ad, 'adId' | 'campaignId' | 'targetUrl' | 'active'>;

/** The part of an ad that is its target. */
export function toTarget({ adId, campaignId, targetUrl, active }: Target): Target {
  return { adId, campaignId, targetUrl, active };
}

/** Which ads; empty lists mean all. */
export interface AdsFilter {
  adIds?: readonly string[];
  campaignIds?: readonly string[];
  advertiserIds?: readonly string[];
  active?: boolean | undefined;
}

/** A campaign's price. */
export interface CampaignPrice {
  readonly campaignId: string;
  readonly pricePerClick: string;
  readonly currency: string;
}

/** What an upsert found. An ad has changed if anything of it or of its campaign has. */
export interface Upserted {
  added: number;
  unchanged: number;
  /** Ids of those that were added or changed. */
  written: string[];
}

/**
 * Where ads are kept: a file in the data directory, or PostgreSQL.
 *
 * Guarantee: `upsert` is one transaction and durable when it returns; a reader sees all of it or nothing.
 * Every method throws a UserError where the table can't be reached.
 */
export interface AdsTable {
  /** For people, without a password. */
  readonly description: string;
  /** Those that exist, in no special order. */
  get(adIds: readonly string[]): Promise<Ad[]>;
  /** By ad id, page after page: a table may hold a million. */
  list(filter?: AdsFilter): AsyncIterable<Ad[]>;
  /** Adds ads, or changes them. A campaign's advertiser, price and currency change for all of its ads. */
  upsert(ads: readonly Ad[]): Promise<Upserted>;
  /** Campaign ids of an advertiser, in order; of one that has none: an empty list. */
  campaignsOf(advertiserId: string): Promise<string[]>;
  advertiserOf(campaignId: string): Promise<string | undefined>;
  /** Prices of the campaigns that have one, by campaign id. */
  prices(): Promise<CampaignPrice[]>;
  close(): Promise<void>;
}

/** Where `openAdsTable` and `openTargets` look. */
export interface AdsPlace {
  dataDir: string;
  /** `file`: ads.json in the data directory; or `postgres://…`. */
  ads: string;
}
