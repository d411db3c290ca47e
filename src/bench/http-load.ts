// Load over HTTP by autocannon: browsers that follow click links and come back with other ones. autocannon counts
// latency in whole ms; here it is taken from each answer.
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { USER_COOKIE } from '../ingest/user-cookie.js';

/**
 * A connection goes round through so many links, other ones than the next connection. autocannon makes all requests of
 * all connections before it begins, in the time that is measured: with thousands each it is busy for seconds first.
 */
const LINKS_EACH = 16;
const ADS = 1000;
/** One browser in so many comes for the first time, and is given a cookie; the others bring theirs. */
const NEW_EACH = 4;
/** Into so many parts a second is divided where a rate is asked for. */
const SHARES = 16;
const SECOND_MS = 1000;
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

interface Link {
  path: string;
  headers?: { cookie: string };
}

function linksOf(connection: number): Link[] {
  const user = `c11c4a99-0000-4000-8000-${connection.toString(16).padStart(12, '0')}`;
  return Array.from({ length: LINKS_EACH }, (_, i) => {
    const link = connection * LINKS_EACH + i;
    const path = `/c/ad-${(link * 7919) % ADS}?i=impression-${link}`;
    return i % NEW_EACH === 0 ? { path } : { path, headers: { cookie: `${USER_COOKIE}=${user}` } };
  });
}

/** Clicks until the time is over. */
export async function clickOver(options: HttpLoadOptions): Promise<HttpLoadResult> {
  const latencyUs = createHistogram();
  const answers: Record<string, number> = {};
  const loads = options.rate === undefined ? [options] : spread({ ...options, rate: options.rate });
  let connection = 0;
  const heard = await Promise.all(
    loads.map(async (one, i) => {
      await sleep((SECOND_MS * i) / loads.length);
      return await clickBy(one, {
        nextConnection: () => connection++,
        answered(status, ms) {
          answers[status] = (answers[status] ?? 0) + 1;
          latencyUs.record(Math.max(1, Math.round(ms * 1000)));
        },
      });
    }),
  );
  const ms = (percent: number): number => latencyUs.percentile(percent) / 1000;
  return {
    answers,
    errors: heard.reduce((sum, { errors }) => sum + errors, 0),
    perSecond: heard.reduce((sum, { perSecond }) => sum + perSecond, 0),
    latencyMs: { p50: ms(50), p99: ms(99), p999: ms(99.9), max: latencyUs.max / 1000 },
  };
}

/**
 * autocannon sends a second's requests at its beginning, as fast as they are answered, and then waits: 5,000/s would be
 * a burst of all connections each second. So several loads share connections and rate, and begin one after the other.
 */
function spread(options: HttpLoadOptions & { rate: number }): HttpLoadOptions[] {
  const { connections, rate } = options;
  const loads = Math.min(SHARES, connections);
  const shareOf = (whole: number, i: number): number =>
    Math.floor((whole * (i + 1)) / loads) - Math.floor((whole * i) / loads);
  return Array.from({ length: loads }, (_, i) => ({
    ...options,
    ...{ connections: shareOf(connections, i), rate: shareOf(rate, i) },
  }));
}

interface LoadEar {
  /** Each connection has links of its own. */
  nextConnection(): number;
  answered(status: number, ms: number): void;
}

async function clickBy(
  { url, connections, seconds, rate }: HttpLoadOptions,
  { nextConnection, answered }: LoadEar,
): Promise<{ errors: number; perSecond: number }> {
  let count = 0;
  const { errors, duration } = await new Promise<autocannon.Result>((resolve, reject) => {
    const load = autocannon(
      {
        ...{ url, connections, duration: seconds, ...(rate === undefined ? {} : { overallRate: rate }) },
        headers: { 'user-agent': BROWSER, referer: 'https://news.example/article/17' },
        setupClient: (client) => client.setRequests(linksOf(nextConnection())),
      },
      (error: unknown, result) => (error ? reject(error) : resolve(result)),
    );
    load.on('response', (_client, status, _bytes, ms) => {
      count++;
      answered(status, ms);
    });
  });
  return { errors, perSecond: count / duration };
}
