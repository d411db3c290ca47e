// Ads and campaigns in memory, as the tables of every kind behave: a campaign outlives its ads, since its clicks of
// yesterday still have an owner and a price.
import type { Ad, AdsFilter, CampaignPrice, Upserted } from './ad.js';

interface Campaign {
  advertiserId: string;
  pricePerClick: string | undefined;
  currency: string | undefined;
}

type OwnFields = Pick<Ad, 'campaignId' | 'targetUrl' | 'active'>;

export class AdBook {
  private readonly campaigns = new Map<string, Campaign>();
  private readonly ads = new Map<string, OwnFields>();

  get size(): number {
    return this.ads.size;
  }

  get(adId: string): Ad | undefined {
    const ad = this.ads.get(adId);
    return ad === undefined ? undefined : { adId, ...ad, ...this.campaigns.get(ad.campaignId)! };
  }

  /** All of them, by id. */
  list(): Ad[] {
    return [...this.ads.keys()].sort().map((adId) => this.get(adId)!);
  }

  /** Puts ads over those that are there. A price that is not said stays. */
  put(ads: readonly Ad[]): void {
    for (const { adId, campaignId, targetUrl, active, ...campaign } of ads) {
      this.putCampaign(campaignId, campaign);
      this.ads.set(adId, { campaignId, targetUrl, active });
    }
  }

  putCampaign(campaignId: string, { advertiserId, pricePerClick, currency }: Campaign): void {
    const priced = pricePerClick === undefined ? this.campaigns.get(campaignId) : { pricePerClick, currency };
    this.campaigns.set(campaignId, {
      advertiserId,
      pricePerClick: priced?.pricePerClick,
      currency: priced?.currency,
    });
  }

  campaignsOf(advertiserId: string): string[] {
    const own = [...this.campaigns].filter(([, campaign]) => campaign.advertiserId === advertiserId);
    return own.map(([campaignId]) => campaignId).sort();
  }

  advertiserOf(campaignId: string): string | undefined {
    return this.campaigns.get(campaignId)?.advertiserId;
  }

  /** All campaigns, by id. */
  allCampaigns(): (Campaign & { campaignId: string })[] {
    return [...this.campaigns.keys()].sort().map((campaignId) => ({
      campaignId,
      ...this.campaigns.get(campaignId)!,
    }));
  }

  prices(): CampaignPrice[] {
    return this.allCampaigns().flatMap(({ campaignId, pricePerClick, currency }) =>
      pricePerClick === undefined || currency === undefined ? [] : [{ campaignId, pricePerClick, currency }],
    );
  }
}

/** What became of the asked ads, from what the table held before and after. */
export function upsertedOf(before: readonly Ad[], after: readonly Ad[]): Upserted {
  const old = new Map(before.map((ad) => [ad.adId, ad]));
  const written = after.filter((ad) => !isSame(old.get(ad.adId), ad)).map(({ adId }) => adId);
  return {
    added: written.filter((adId) => !old.has(adId)).length,
    unchanged: after.length - written.length,
    written,
  };
}

function isSame(a: Ad | undefined, b: Ad): boolean {
  return (
    a !== undefined &&
    a.campaignId === b.campaignId &&
    a.advertiserId === b.advertiserId &&
    a.targetUrl === b.targetUrl &&
    a.pricePerClick === b.pricePerClick &&
    a.currency === b.currency &&
    a.active === b.active
  );
}

/** Whether the filter lets the ad through. */
export function isWanted(ad: Ad, filter: AdsFilter): boolean {
  const { adIds = [], campaignIds = [], advertiserIds = [], active } = filter;
  return (
    (adIds.length === 0 || adIds.includes(ad.adId)) &&
    (campaignIds.length === 0 || campaignIds.includes(ad.campaignId)) &&
    (advertiserIds.length === 0 || advertiserIds.includes(ad.advertiserId)) &&
    (active === undefined || active === ad.active)
  );
}
