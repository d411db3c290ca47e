// Who visits in the tour: people who click, some of them twice; two bots; crawlers and browsers that fetch ahead; an app
// that posts its clicks, repeats some and sends some hours late; and some who try what they may not. How many of each is
// known, so that every verdict can be checked.
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { clickUrl } from '../ingest/click-url.js';
import type { SampleAd } from './sample-ads.js';

const AT_ONCE = 24;
const BOTS = 2;
/** More than the method's 30 in a minute, from one address, by ever new users. */
const BOT_CLICKS = 40;
const POSTED_AT_ONCE = 50;
const LATE_MS = 2 * 3_600_000;
const BROWSERS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1',
];
const CRAWLER = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
const COUNTRIES = ['DE', 'FR', 'US', 'GB', 'JP', 'BR', 'IN', 'ES'];

/** Verdicts as they must come out, and requests that never became a click. */
export interface Expected {
  billable: number;
  double_click: number;
  bot: number;
  duplicate: number;
  too_late: number;
  invalid_traffic: number;
  refused: number;
}

export interface VisitOptions {
  ingestUrl: string;
  ads: readonly SampleAd[];
  /** People. */
  count: number;
  signingKey: string;
  apiKey: string;
  signal: AbortSignal;
  /** Told after each answer. */
  onAnswer: () => void;
}

export interface Visits {
  expected: Expected;
  /** Clicks that were answered with a redirect or accepted. */
  accepted: number;
  /** Milliseconds from request to redirect, ascending. */
  latencies: number[];
  tookMs: number;
  /** Answers that were none of those that must come. */
  unexpected: string[];
}

interface Visit {
  ad: SampleAd;
  user?: string;
  ip: string;
  headers?: Record<string, string>;
  signed?: boolean;
  /** Status that must come. */
  status: number;
}

/** Visits, and what must become of it. */
export async function visit(options: VisitOptions): Promise<Visits> {
  const startedMs = performance.now();
  const visitors = new Visitors(options);
  try {
    await visitors.everybody();
  } finally {
    visitors.close();
  }
  const latencies = visitors.latencies.sort((a, b) => a - b);
  const { expected, accepted, unexpected } = visitors;
  return { expected, accepted, latencies, unexpected, tookMs: performance.now() - startedMs };
}

class Visitors {
  readonly expected: Expected = {
    ...{ billable: 0, double_click: 0, bot: 0, duplicate: 0, too_late: 0, invalid_traffic: 0, refused: 0 },
  };
  readonly latencies: number[] = [];
  readonly unexpected: string[] = [];
  accepted = 0;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  private addresses = 0;

  constructor(private readonly options: VisitOptions) {}

  close(): void {
    this.agent.destroy();
  }

  async everybody(): Promise<void> {
    const { count } = this.options;
    await this.all(this.bots(), AT_ONCE);
    await this.all(this.people(count), AT_ONCE);
    await this.app(Math.ceil(count * 0.05));
    await this.all(this.intruders(), AT_ONCE);
  }

  private *bots(): Generator<Visit[]> {
    for (let bot = 0; bot < BOTS; bot++) {
      const ip = this.newAddress();
      for (let i = 0; i < BOT_CLICKS; i++) {
        this.expected.bot++;
        yield [{ ad: this.ad(i), ip, status: 302 }];
      }
    }
  }

  private *people(count: number): Generator<Visit[]> {
    for (let i = 0; i < count; i++) {
      const one: Visit = { ad: this.ad(i), ip: this.newAddress(), user: randomUUID(), status: 302 };
      if (i % 25 === 7) {
        this.expected.invalid_traffic++;
        yield [{ ...one, headers: { 'user-agent': CRAWLER } }];
      } else if (i % 50 === 9) {
        this.expected.invalid_traffic++;
        yield [{ ...one, headers: { 'sec-purpose': 'prefetch;prerender' } }];
      } else if (i % 20 === 3) {
        this.expected.billable++;
        this.expected.double_click++;
        yield [one, one];
      } else {
        this.expected.billable++;
        yield [one];
      }
    }
  }

  /** Who has no business here: links without a signature, ads that don't exist. */
  private *intruders(): Generator<Visit[]> {
    const ad = this.ad(0);
    this.expected.refused += 2;
    yield [{ ad, ip: this.newAddress(), signed: false, status: 403 }];
    yield [{ ad: { ...ad, ad_id: `${ad.ad_id}-none` }, ip: this.newAddress(), status: 404 }];
  }

  /** Each list one behind the other, many lists at once. */
  private async all(visits: Iterable<readonly Visit[]>, atOnce: number): Promise<void> {
    const iterator = visits[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (let next = iterator.next(); !next.done; next = iterator.next()) {
        for (const one of next.value) await this.click(one);
        this.options.signal.throwIfAborted();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  private async click({ ad, user, ip, headers, signed = true, status }: Visit): Promise<void> {
    const { ingestUrl, signingKey, onAnswer } = this.options;
    const signing = { keys: [signingKey], expiresAtMs: Date.now() + 3_600_000 };
    const link = { adId: ad.ad_id, campaignId: ad.campaign_id, impressionId: randomUUID() };
    const url = clickUrl(ingestUrl, link, signed ? signing : undefined);
    const startedMs = performance.now();
    const answer = await this.ask('GET', url, {
      'user-agent': BROWSERS[this.addresses % BROWSERS.length]!,
      'x-forwarded-for': ip,
      'cf-ipcountry': COUNTRIES[this.addresses % COUNTRIES.length]!,
      ...(user === undefined ? {} : { cookie: `ca_uid=${user}` }),
      ...headers,
    });
    if (answer.status === 302) {
      this.latencies.push(performance.now() - startedMs);
      this.accepted++;
    }
    const leads = answer.status !== 302 || answer.location === ad.target_url;
    if (answer.status !== status || !leads) {
      this.unexpected.push(`${answer.status} ${answer.location ?? ''} for ${ad.ad_id}`);
    }
    onAnswer();
  }

  private async app(count: number): Promise<void> {
    const clicks = Array.from({ length: count }, (_, i) => this.appClick(i, Date.now()));
    const again = clicks.filter((_, i) => i % 3 === 0);
    const late = Array.from({ length: count }, (_, i) => this.appClick(i, Date.now() - LATE_MS));
    const broken = { ...this.appClick(0, Date.now()), country: 'Atlantis' };
    this.expected.billable += clicks.length;
    this.expected.duplicate += again.length;
    this.expected.too_late += late.length;
    this.expected.refused++;
    await this.post(clicks, 200);
    await this.post(again, 200);
    await this.post(late, 200);
    await this.post([broken], 400);
  }

  private appClick(i: number, eventMs: number): Record<string, string> {
    return {
      click_id: randomUUID(),
      event_time: new Date(eventMs).toISOString(),
      ad_id: this.ad(i).ad_id,
      user_id: randomUUID(),
      ip_address: this.newAddress(),
      country: COUNTRIES[i % COUNTRIES.length]!,
      device_type: 'mobile',
    };
  }

  private async post(clicks: readonly object[], status: number): Promise<void> {
    const { ingestUrl, apiKey, onAnswer } = this.options;
    for (let from = 0; from < clicks.length; from += POSTED_AT_ONCE) {
      const some = clicks.slice(from, from + POSTED_AT_ONCE);
      const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
      const answer = await this.ask('POST', `${ingestUrl}/v1/clicks`, headers, JSON.stringify(some));
      if (answer.status === 200) this.accepted += some.length;
      if (answer.status !== status) this.unexpected.push(`${answer.status} for a POST: ${answer.body}`);
      onAnswer();
    }
  }

  private ask(
    method: string,
    url: string,
    headers: Record<string, string>,
    body = '',
  ): Promise<{ status: number; location: string | undefined; body: string }> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { method, headers, agent: this.agent }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        answer.on('end', () => {
          const { statusCode = 0, headers: told } = answer;
          resolve({ status: statusCode, location: told.location, body: Buffer.concat(chunks).toString() });
        });
      });
      asked.on('error', reject).end(body);
    });
  }

  private ad(i: number): SampleAd {
    return this.options.ads[i % this.options.ads.length]!;
  }

  /** Nobody else's. */
  private newAddress(): string {
    const n = this.addresses++;
    return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  }
}
