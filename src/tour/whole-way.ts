// The whole way with everything real: ads into PostgreSQL, clicks over HTTP through the redirect into Kafka, the stream,
// the lake and the dashboard beside each other, and in the end every verdict, every total and every amount checked.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { clickAgg, type Environment, Running } from './processes.js';
import { type SampleAd, sampleAds } from './sample-ads.js';
import { type Visits, visit } from './visitors.js';

const POLL_MS = 200;
/** With its load ended, everything is counted within this time, on a slow machine too. */
const COUNTED_MS = 180_000;
const PARTITIONS = 6;

/** Where the servers are. */
export interface Servers {
  brokers: string;
  /** Of PostgreSQL. */
  postgres: string;
  redis: string;
}

export interface TourOptions {
  servers: Servers;
  /** For the data directory and the lake. */
  directory: string;
  /** Makes topic, schemas and ids this tour's own. */
  name: string;
  /** People that click. */
  visitors: number;
  signal: AbortSignal;
  /** What is done now, and what was found. */
  say: (line: string) => void;
  /** Called when everything was counted, while it all still runs: with the dashboard's address and a token for it. */
  look?: (dashboard: { url: string; token: string }) => Promise<void>;
}

/** Something that was looked at. */
export interface Check {
  what: string;
  found: string;
  ok: boolean;
}

/** Goes all the way. What is not as it must be is a check that is not ok. */
export async function wholeWay(options: TourOptions): Promise<Check[]> {
  const way = new Way(options);
  try {
    return await way.go();
  } finally {
    await way.discard();
  }
}

interface Ledger {
  records: number;
  [verdict: string]: number;
}

class Way {
  private readonly checks: Check[] = [];
  private readonly running: Running[] = [];
  private readonly ads: SampleAd[];
  private readonly environment: Environment;
  private readonly signingKey = randomUUID();
  private readonly apiKey = randomUUID();

  constructor(private readonly options: TourOptions) {
    const { servers, directory, name } = options;
    this.ads = sampleAds(`${name}-`);
    const schema = (what: string): string => {
      const url = new URL(servers.postgres);
      url.searchParams.set('schema', `${name}_${what}`);
      return url.href;
    };
    this.environment = {
      CLICK_AGG_DATA_DIR: directory,
      CLICK_AGG_BROKERS: servers.brokers,
      CLICK_AGG_TOPIC: `${name}-clicks`,
      CLICK_AGG_REDIS: servers.redis,
      CLICK_AGG_LIVE_CHANNEL: `${name}:live`,
      CLICK_AGG_STORE: schema('store'),
      CLICK_AGG_ADS: schema('ads'),
      CLICK_AGG_SIGNING_KEY: this.signingKey,
      CLICK_AGG_API_KEY: this.apiKey,
      CLICK_AGG_TOKEN_KEY: `${randomUUID()}${randomUUID()}`,
    };
  }

  async go(): Promise<Check[]> {
    const { say } = this.options;
    say('topics, and ads with targets and prices');
    await clickAgg(['topics', 'create', '--partitions', String(PARTITIONS)], this.environment);
    await this.importAds();

    say('ingest, run, lake and dashboard');
    const ingest = this.start(
      'ingest',
      '--port',
      '0',
      '--trust-proxy',
      '127.0.0.1',
      '--country-header',
      'CF-IPCountry',
    );
    const { name } = this.options;
    // Of the processes of a group one reads: each of these has to.
    const run = this.start('run', '--open-minutes', '--group', name);
    const lake = this.start('lake', '--flush-interval', '2s', '--group', name);
    const dashboard = this.start('dashboard', '--port', '0');
    const url = await dashboard.url;
    const admin = (await this.command('ads', 'token', '--admin')).trim();
    const ingestUrl = await ingest.url;

    say(`${this.options.visitors} visitors of ${ingestUrl}`);
    const visits = await this.whileRunning(this.visits(ingestUrl, { url, token: admin }));
    await this.whileRunning(this.counted({ url, token: admin }, visits));
    this.options.signal.throwIfAborted();
    await this.advertisers(url);
    await this.options.look?.({ url, token: admin });

    say('everything ends; the lake is recounted in SQL');
    for (const one of [ingest, run, lake]) await one.stop();
    // What the lake had not read yet when it was stopped.
    await this.command('lake', '--until-end', '--group', name);
    await this.reconciled({ url, token: admin }, visits);
    await dashboard.stop();
    return this.checks;
  }

  async discard(): Promise<void> {
    for (const one of this.running) await one.discard();
  }

  private start(...args: string[]): Running {
    const one = new Running(args, this.environment);
    this.running.push(one);
    return one;
  }

  private command(...args: string[]): Promise<string> {
    return clickAgg(args, this.environment);
  }

  /** Fails at once if a program ends that shouldn't. */
  private whileRunning<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, ...this.running.map((one) => one.endsTooEarly())]);
  }

  private check(what: string, ok: boolean, found: string): void {
    this.checks.push({ what, found, ok });
    this.options.say(`${ok ? '✓' : '✗'} ${what}: ${found}`);
  }

  private async importAds(): Promise<void> {
    const input = this.ads.map((ad) => JSON.stringify(ad)).join('\n');
    const answer = await clickAgg(['ads', 'import', '-', '--json'], this.environment, { input });
    const { added } = JSON.parse(answer) as { added: number };
    this.check('ads imported', added === this.ads.length, `${added} into PostgreSQL, and told to Redis`);
  }

  private async visits(ingestUrl: string, dashboard: Dashboard): Promise<Visits> {
    const { ads, signingKey, apiKey } = this;
    const { visitors: count, signal } = this.options;
    let firstMs: number | undefined;
    const onAnswer = (): void => {
      firstMs ??= performance.now();
    };
    const load = visit({ ingestUrl, ads, count, signingKey, apiKey, signal, onAnswer });
    const seenMs = this.firstSeen(dashboard);
    const visits = await load;
    const { latencies, accepted, tookMs, unexpected, expected } = visits;
    const at = (share: number): string =>
      (latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0).toFixed(1);
    this.check(
      'everyone was sent to the right page',
      unexpected.length === 0,
      unexpected[0] ??
        `${latencies.length} redirects, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${expected.refused} refused`,
    );
    const rate = Math.round(accepted / (tookMs / 1000));
    this.options.say(`${accepted} clicks in ${(tookMs / 1000).toFixed(1)} s, ${rate} a second`);
    const lagMs = (await seenMs) - (firstMs ?? 0);
    this.check('clicks on the dashboard', true, `the first ones after ${(lagMs / 1000).toFixed(1)} s`);
    return visits;
  }

  /** When a chart has the first clicks. */
  private async firstSeen(dashboard: Dashboard): Promise<number> {
    while (!this.options.signal.aborted) {
      const answer = await this.ask<{ total: number }>(dashboard, '/v1/series?last=60m');
      if (answer !== undefined && answer.total > 0) return performance.now();
      await sleep(POLL_MS);
    }
    return performance.now();
  }

  private async counted(dashboard: Dashboard, { accepted, expected }: Visits): Promise<void> {
    const { refused: _, ...verdicts } = expected;
    const wanted: Ledger = { records: accepted, invalid: 0, ...verdicts };
    const untilMs = Date.now() + COUNTED_MS;
    let ledger: Ledger = { records: 0 };
    while (ledger.records < accepted && Date.now() < untilMs && !this.options.signal.aborted) {
      await sleep(POLL_MS);
      const answer = await this.ask<{ ledger: Ledger }>(dashboard, '/v1/ledger');
      ledger = answer?.ledger ?? ledger;
    }
    for (const [verdict, count] of Object.entries(wanted)) {
      const what = verdict === 'records' ? 'every click is counted' : `verdict ${verdict}`;
      this.check(what, ledger[verdict] === count, `${ledger[verdict]} of ${count}`);
    }
  }

  /** Each sees its own campaigns and no others. */
  private async advertisers(url: string): Promise<void> {
    for (const advertiser of [...new Set(this.ads.map(({ advertiser_id }) => advertiser_id))].slice(0, 2)) {
      const token = (await this.command('ads', 'token', '--advertiser', advertiser)).trim();
      const answer = await this.ask<{ rows: { campaign_id: string }[] }>(
        { url, token },
        '/v1/totals?group_by=campaign_id',
      );
      const seen = (answer?.rows ?? []).map(({ campaign_id }) => campaign_id).sort();
      const own = this.ads
        .filter((ad) => ad.advertiser_id === advertiser)
        .map(({ campaign_id }) => campaign_id);
      const ok = JSON.stringify(seen) === JSON.stringify([...new Set(own)].sort());
      this.check(
        `${advertiser} sees its own campaigns`,
        ok,
        `${seen.length} of ${new Set(own).size}, no others`,
      );
    }
  }

  private async reconciled(dashboard: Dashboard, { expected }: Visits): Promise<void> {
    const output = await clickAgg(['reconcile', '--prices', 'ads', '--json'], this.environment, {
      mayDiffer: true,
    });
    const report = JSON.parse(output) as Reconciled;
    const found = `${report.cells} totals compared, ${report.differences.length} differ`;
    this.check('stream and recount agree', report.agree, found);
    const wrong = report.billing.filter((line) => !this.isPriced(line));
    const clicks = report.billing.reduce((sum, line) => sum + line.clicks, 0);
    const sums = report.billing_totals.map(({ amount, currency }) => `${amount} ${currency}`).join(', ');
    this.check(
      'every campaign is billed at its price',
      wrong.length === 0 && clicks === expected.billable,
      `${report.billing.length} lines, ${clicks} clicks, ${sums}`,
    );
    const kept = await this.ask<{ report: { agree: boolean } | null }>(dashboard, '/v1/reconciliation');
    this.check('the dashboard has the report', kept?.report?.agree === true, 'with its billing lines');
  }

  private isPriced({ campaign_id, price_per_click }: BillingLine): boolean {
    return this.ads.some((ad) => ad.campaign_id === campaign_id && ad.price_per_click === price_per_click);
  }

  /** An answer of the dashboard's server; undefined while it has none. */
  private async ask<T>({ url, token }: Dashboard, path: string): Promise<T | undefined> {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}${path}`, { headers, signal: this.options.signal });
    return answer.ok ? ((await answer.json()) as T) : undefined;
  }
}

interface Dashboard {
  url: string;
  token: string;
}

interface BillingLine {
  campaign_id: string;
  clicks: number;
  price_per_click: string;
}

interface Reconciled {
  agree: boolean;
  cells: number;
  differences: unknown[];
  billing: BillingLine[];
  billing_totals: { amount: string; currency: string }[];
}
