// The ads table in PostgreSQL: ads and campaigns in a schema of their own.
import type pg from 'pg';
import type { Ad, AdsFilter, AdsTable, CampaignPrice, Upserted } from '../../ads/ad.js';
import { upsertedOf } from '../../ads/ad-book.js';
import { UserError } from '../../errors.js';
import { ADS_ADDRESS, type Address, parseAddress } from './address.js';
import { ADS_MIGRATIONS } from './ads-migrations.js';
import { Connections } from './connections.js';
import { hasTables, migrate, requireServerVersion } from './schema.js';
import { isPassing, sqlStateOf } from './server-errors.js';
import { DURABLE, inTransaction, rowsOf } from './session.js';

const PAGE = 5_000;
/** Rows of a statement of an import. */
const UPSERT_ROWS = 20_000;
const UNDEFINED_TABLE = '42P01';

const SELECT = `SELECT ad_id, campaign_id, advertiser_id, target_url, price_per_click, currency, active
  FROM ads JOIN campaigns USING (campaign_id)`;

const PUT_CAMPAIGNS = `
  INSERT INTO campaigns AS c (campaign_id, advertiser_id, price_per_click, currency)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ORDER BY 1
  ON CONFLICT (campaign_id) DO UPDATE SET advertiser_id = excluded.advertiser_id,
    price_per_click = coalesce(excluded.price_per_click, c.price_per_click),
    currency = coalesce(excluded.currency, c.currency)`;
const PUT_ADS = `
  INSERT INTO ads (ad_id, campaign_id, target_url, active)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) ORDER BY 1
  ON CONFLICT (ad_id) DO UPDATE SET campaign_id = excluded.campaign_id, target_url = excluded.target_url,
    active = excluded.active`;

export interface PostgresAdsOptions {
  /** To import and change ads: makes the tables where there are none. */
  write?: boolean;
  /** The server is given up on after so long: for redirects, which others wait for. */
  answerWaitMs?: number;
}

/**
 * Opens the table at a URL. A server that is gone for the moment is no error unless it is to be written: the methods
 * then say so. UserError: it can't be used, and why.
 */
export async function openPostgresAds(url: string, options: PostgresAdsOptions = {}): Promise<AdsTable> {
  const { write = false, answerWaitMs } = options;
  const address = parseAddress(url, ADS_ADDRESS);
  const waits =
    answerWaitMs === undefined ? {} : { connectionTimeoutMillis: answerWaitMs, query_timeout: answerWaitMs };
  const connections = new Connections(
    { ...address, config: { ...address.config, ...waits } },
    { patient: false },
  );
  try {
    await connections.atOnce(async (client) => {
      await requireServerVersion(client, address);
      await requireNoStore(client, address);
      if (write) await migrate(client, address, ADS_MIGRATIONS);
      else await hasTables(client, address, ADS_MIGRATIONS);
    });
  } catch (error) {
    const isGone = error instanceof UserError && isPassing(error.cause);
    if (write || !isGone) {
      await connections.close();
      throw error;
    }
  }
  return new PostgresAds(connections);
}

/** A store has versions of its own: what they say of its tables means nothing here. */
async function requireNoStore(client: pg.ClientBase, { name, schema }: Address): Promise<void> {
  const [[store] = []] = await rowsOf(client, 'SELECT to_regclass($1) IS NOT NULL', [`${schema}.writer`]);
  if (store !== true) return;
  throw new UserError(`${name}: the schema ${schema} holds a store`, {
    hint: 'Ads need a schema of their own: leave ?schema= out, or give another one.',
  });
}

class PostgresAds implements AdsTable {
  readonly description: string;

  constructor(private readonly connections: Connections) {
    this.description = connections.address.name;
  }

  async get(adIds: readonly string[]): Promise<Ad[]> {
    return (await this.rows(`${SELECT} WHERE ad_id = ANY($1)`, [adIds])).map(adOf);
  }

  async *list(filter: AdsFilter = {}): AsyncGenerator<Ad[]> {
    const { adIds = [], campaignIds = [], advertiserIds = [], active } = filter;
    const wanted = `($2::text[] = '{}' OR ad_id = ANY($2)) AND ($3::text[] = '{}' OR campaign_id = ANY($3))
      AND ($4::text[] = '{}' OR advertiser_id = ANY($4)) AND ($5::boolean IS NULL OR active = $5)`;
    for (let after = ''; ; ) {
      const rows = await this.rows(
        `${SELECT} WHERE ad_id > $1 COLLATE "C" AND ${wanted} ORDER BY ad_id LIMIT ${PAGE}`,
        [after, adIds, campaignIds, advertiserIds, active ?? null],
      );
      if (rows.length > 0) yield rows.map(adOf);
      if (rows.length < PAGE) return;
      after = String(rows.at(-1)![0]);
    }
  }

  async upsert(ads: readonly Ad[]): Promise<Upserted> {
    return await this.connections.atOnce((client) =>
      inTransaction(client, 'write', async () => {
        await client.query(DURABLE);
        // One at a time: what it says it changed is what it changed.
        await client.query('LOCK TABLE campaigns, ads IN SHARE ROW EXCLUSIVE MODE');
        const adIds = [...new Set(ads.map(({ adId }) => adId))];
        const before = await adsOf(client, adIds);
        for (let from = 0; from < ads.length; from += UPSERT_ROWS) {
          await put(client, ads.slice(from, from + UPSERT_ROWS));
        }
        return upsertedOf(before, await adsOf(client, adIds));
      }),
    );
  }

  async campaignsOf(advertiserId: string): Promise<string[]> {
    const text = 'SELECT campaign_id FROM campaigns WHERE advertiser_id = $1 ORDER BY campaign_id';
    return (await this.rows(text, [advertiserId])).map(([campaignId]) => String(campaignId));
  }

  async advertiserOf(campaignId: string): Promise<string | undefined> {
    const text = 'SELECT advertiser_id FROM campaigns WHERE campaign_id = $1';
    const [row] = await this.rows(text, [campaignId]);
    return row === undefined ? undefined : String(row[0]);
  }

  async prices(): Promise<CampaignPrice[]> {
    const rows = await this.rows(
      `SELECT campaign_id, price_per_click, currency FROM campaigns WHERE price_per_click IS NOT NULL
       ORDER BY campaign_id`,
    );
    return rows.map(([campaignId, price, currency]) => ({
      campaignId: String(campaignId),
      pricePerClick: String(price),
      currency: String(currency),
    }));
  }

  close(): Promise<void> {
    return this.connections.close();
  }

  /** Of one statement, without the round trips of a transaction. Tables that nobody has made yet are empty. */
  private async rows(text: string, values: readonly unknown[] = []): Promise<unknown[][]> {
    try {
      return await this.connections.atOnce((client) => rowsOf(client, text, values));
    } catch (error) {
      const cause = error instanceof UserError ? error.cause : error;
      if (sqlStateOf(cause) === UNDEFINED_TABLE) return [];
      throw error;
    }
  }
}

async function adsOf(client: pg.ClientBase, adIds: readonly string[]): Promise<Ad[]> {
  return (await rowsOf(client, `${SELECT} WHERE ad_id = ANY($1)`, [adIds])).map(adOf);
}

async function put(client: pg.ClientBase, ads: readonly Ad[]): Promise<void> {
  // A statement may meet a row once; of an ad or a campaign that stands twice the last counts.
  const rows = [...new Map(ads.map((ad) => [ad.adId, ad])).values()];
  const campaigns = new Map<string, Ad>();
  for (const ad of ads) {
    const known = campaigns.get(ad.campaignId);
    const { pricePerClick, currency } = ad.pricePerClick === undefined && known ? known : ad;
    campaigns.set(ad.campaignId, { ...ad, pricePerClick, currency });
  }
  const owners = [...campaigns.values()];
  await client.query(PUT_CAMPAIGNS, [
    owners.map(({ campaignId }) => campaignId),
    owners.map(({ advertiserId }) => advertiserId),
    owners.map(({ pricePerClick }) => pricePerClick ?? null),
    owners.map(({ currency }) => currency ?? null),
  ]);
  await client.query(PUT_ADS, [
    rows.map(({ adId }) => adId),
    rows.map(({ campaignId }) => campaignId),
    rows.map(({ targetUrl }) => targetUrl),
    rows.map(({ active }) => active),
  ]);
}

function adOf([adId, campaignId, advertiserId, targetUrl, price, currency, active]: unknown[]): Ad {
  return {
    adId: String(adId),
    campaignId: String(campaignId),
    advertiserId: String(advertiserId),
    targetUrl: String(targetUrl),
    pricePerClick: price === null ? undefined : String(price),
    currency: currency === null ? undefined : String(currency),
    active: active === true,
  };
}
