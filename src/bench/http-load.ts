// Load over HTTP by autocannon: browsers that follow click links and come back with other ones. autocannon counts
// latency in whole ms; here it is taken from each answer.
import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';

/**
 * A connection goes round through so many links, other ones than the next connection. autocannon makes all requests of
 * all connections before it begins, in the time that is measured: with thousands each it is busy for seconds first.
 */
const LINKS_EACH = 16;
const ADS = 1000;
const BROWSER =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

export interface HttpLoadOptions {
  url: string;
  connections: number;
  seconds: number;
  /** Requests a second, when answers come in time; undefined: as many as are answered. */
  rate: number | undefined;
}

export interface HttpLoadResult {
  /** Answers by status. */
  answers: Record<string, number>;
  errors: number;
  perSecond: number;
  latencyMs: { p50: number; p99: number; p999: number; max: number };
}

/** The ads that the links lead to, as `ads import` takes them. */
export function adsOfLoad(): string {
  return Array.from({ length: ADS }, (_, i) =>
    JSON.stringify({
      ...{ ad_id: `ad-${i}`, campaign_id: `campaign-${i % 50}`, advertiser_id: `advertiser-${i % 10}` },
      target_url: `https://shop.example/landing/${i}?utm_source=ads`,
      price_per_click: '0.10',
    }),
  ).join('\n');
}

function linksOf(connection: number): { path: string }[] {
  return Array.from({ length: LINKS_EACH }, (_, i) => {
    const link = connection * LINKS_EACH + i;
    return { path: `/c/ad-${(link * 7919) % ADS}?i=impression-${link}` };
  });
}

/** Clicks until the time is over. */
export async function clickOver({
  url,
  connections,
  seconds,
  rate,
}: HttpLoadOptions): Promise<HttpLoadResult> {
  const latencyUs = createHistogram();
  const answers: Record<string, number> = {};
  let connection = 0;
  const { errors, duration } = await new Promise<autocannon.Result>((resolve, reject) => {
    const load = autocannon(
      {
        ...{ url, connections, duration: seconds, ...(rate === undefined ? {} : { overallRate: rate }) },
        headers: { 'user-agent': BROWSER, referer: 'https://news.example/article/17' },
        setupClient: (client) => client.setRequests(linksOf(connection++)),
      },
      (error: unknown, result) => (error ? reject(error) : resolve(result)),
    );
    load.on('response', (_client, status, _bytes, ms) => {
      answers[status] = (answers[status] ?? 0) + 1;
      latencyUs.record(Math.max(1, Math.round(ms * 1000)));
    });
  });
  const ms = (percent: number): number => latencyUs.percentile(percent) / 1000;
  const total = Object.values(answers).reduce((sum, count) => sum + count, 0);
  return {
    answers,
    errors,
    perSecond: total / duration,
    latencyMs: { p50: ms(50), p99: ms(99), p999: ms(99.9), max: latencyUs.max / 1000 },
  };
}
