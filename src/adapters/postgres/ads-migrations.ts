// The tables of ads and campaigns. They have a schema of their own, with its own version: the ads outlive any store.
import type { Migration } from './migrations.js';

const TABLES = `
  CREATE TABLE campaigns (
    campaign_id text COLLATE "C" PRIMARY KEY, advertiser_id text COLLATE "C" NOT NULL,
    price_per_click text, currency text, CHECK ((price_per_click IS NULL) = (currency IS NULL))
  );
  CREATE INDEX campaigns_by_advertiser ON campaigns (advertiser_id, campaign_id);
  COMMENT ON COLUMN campaigns.price_per_click IS 'A decimal as it was written: it stands on invoices.';
  CREATE TABLE ads (
    ad_id text COLLATE "C" PRIMARY KEY, campaign_id text COLLATE "C" NOT NULL REFERENCES campaigns,
    target_url text NOT NULL CHECK (target_url ~ '^https?://'), active boolean NOT NULL
  );
  CREATE INDEX ads_by_campaign ON ads (campaign_id);
`;

/** Every step, in order; as for MIGRATIONS, a released one never changes. */
export const ADS_MIGRATIONS: readonly Migration[] = [{ version: 1, about: 'ads and campaigns', sql: TABLES }];
