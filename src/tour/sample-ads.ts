// The ads of the tour: a few advertisers with campaigns, prices and pages, as a person would import them.

const ADVERTISERS = ['acme', 'globex', 'initech'] as const;
const CAMPAIGNS = 9;
const ADS_PER_CAMPAIGN = 5;

export interface SampleAd {
  ad_id: string;
  campaign_id: string;
  advertiser_id: string;
  target_url: string;
  price_per_click: string;
  currency: string;
  active: boolean;
}

/** The ads, with ids that begin with `prefix`, so that tours on the same servers don't meet. */
export function sampleAds(prefix: string): SampleAd[] {
  return Array.from({ length: CAMPAIGNS * ADS_PER_CAMPAIGN }, (_, i) => {
    const campaign = i % CAMPAIGNS;
    return {
      ad_id: `${prefix}ad-${i + 1}`,
      campaign_id: `${prefix}c-${campaign + 1}`,
      advertiser_id: `${prefix}${ADVERTISERS[campaign % ADVERTISERS.length]}`,
      target_url: `https://www.example.com/${ADVERTISERS[campaign % ADVERTISERS.length]}/offer-${i + 1}`,
      price_per_click: `0.${String(5 + 5 * campaign).padStart(2, '0')}`,
      currency: 'EUR',
      active: true,
    };
  });
}
