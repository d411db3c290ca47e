// An ingest server of the test's own, with a real log and a real table of ads behind it.
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logSource } from '../../src/adapters/embedded/log-source.js';
import { networksOf } from '../../src/ingest/networks.js';
import { type IngestionSpec, openIngestion } from '../../src/ingest/open-ingestion.js';
import { refusalLog } from '../../src/ingest/refusal-log.js';
import { type IngestLimits, startIngestServer } from '../../src/ingest/server.js';
import type { IngestTally } from '../../src/ingest/tally.js';
import { openClickLog } from '../../src/spool/open-click-log.js';
import { openAdsTable, openTargets } from '../../src/stores/open-ads.js';
import { visible } from '../../src/ui/escape.js';
import { readAll } from '../contract/source-contract.js';

/** `ad-1` of `camp-1` is active, `ad-2` isn't; `ad é/?#` has a name that URLs must spell out. */
const ADS = [
  { adId: 'ad-1', campaignId: 'camp-1', targetUrl: 'https://shop.example/landing?x=1#top', active: true },
  { adId: 'ad-2', campaignId: 'camp-1', targetUrl: 'https://shop.example/2', active: false },
  { adId: 'ad é/?#', campaignId: 'camp "2"', targetUrl: 'http://bücher.example/ü', active: true },
];
const OWNER = { advertiserId: 'adv-1', pricePerClick: '0.10', currency: 'EUR' };

/** A phone, as most clicks are from one. */
export const PHONE =
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json<T>(): T;
}

export interface Serving {
  url: string;
  tally: IngestTally;
  /** Refusals, as they were logged, and warnings. */
  lines: string[];
  /** Any request, with headers that fetch would not send. */
  ask(path: string, options?: AskOptions): Promise<Answer>;
  post(clicks: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** The records in the log, as texts, oldest first of each partition. */
  records(): Promise<{ key: string | undefined; value: string }[]>;
  /** The same as clicks. */
  clicks(): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export interface AskOptions {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

export interface ServingOptions {
  spec?: Partial<Omit<IngestionSpec, 'log' | 'targets' | 'warn'>>;
  limits?: Partial<IngestLimits>;
  trustProxy?: readonly string[];
  /** Another table than the file. */
  ads?: string;
}

const LIMITS: IngestLimits = {
  ...{
    bodyBytes: 1_048_576,
    headerBytes: 16_384,
    urlBytes: 4096,
    connections: 1000,
    requests: 0,
    windowMs: 60_000,
  },
};

/** Starts one on a free port. */
export async function startServing(options: ServingOptions = {}): Promise<Serving> {
  const directory = await mkdtemp(join(tmpdir(), 'click-agg-ingest-'));
  const lines: string[] = [];
  const warn = (line: string): number => lines.push(line);
  const table = await openAdsTable({ dataDir: directory, ads: 'file' }, { write: true });
  await table.upsert(ADS.map((ad) => ({ ...ad, ...OWNER })));
  await table.close();
  const place = { dataDir: directory, ads: options.ads ?? 'file', redis: undefined, adsTtlMs: 60_000 };
  const targets = await openTargets(place, warn);
  const logDir = join(directory, 'log');
  const log = await openClickLog({
    ...{ kafka: undefined, logDir, partitions: 3, spoolDir: join(directory, 'spool'), spoolLimitBytes: 1e9 },
    ...{ sync: 'always', warn },
  });
  const ingestion = await openIngestion({
    ...{
      log,
      targets,
      warn,
      seen: undefined,
      signingKeys: [],
      apiKeys: [],
      batchLimit: 100,
      clockSkewMs: 300_000,
    },
    ...{ countryHeader: undefined, geoipFile: undefined, datacenterFiles: [], pseudonymKey: undefined },
    ...options.spec,
  });
  const server = await startIngestServer({
    ...{ host: '127.0.0.1', port: 0, ingestion, onAnswer: undefined },
    trustedProxies: options.trustProxy && networksOf(options.trustProxy, 'test'),
    limits: { ...LIMITS, ...options.limits },
    refusals: refusalLog({ info: warn, visible }),
    live: async () => ({ ok: true, checks: {} }),
    ready: async () => ({ ok: false, checks: { log: 'the spool is full' } }),
  });
  const ask = (path: string, asked?: AskOptions): Promise<Answer> => askServer(server.url, path, asked);
  const records = async () =>
    (await readAll(await logSource(logDir))).map(({ key, value }) => ({ key, value }));
  return {
    ...{ url: server.url, tally: ingestion.tally, lines, ask, records },
    post: (clicks, headers = {}) =>
      ask('/v1/clicks', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof clicks === 'string' ? clicks : JSON.stringify(clicks),
      }),
    clicks: async () => (await records()).map(({ value }) => JSON.parse(value) as Record<string, unknown>),
    async close() {
      await server.close();
      await log.close();
      await targets.close();
      await rm(directory, { recursive: true });
    },
  };
}

function askServer(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: AskOptions = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    // The path as it is, which a URL would normalise.
    const request = httpRequest({ ...{ hostname, port, method, path, headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        const { statusCode: status = 0, headers: answered } = response;
        resolve({ status, headers: answered, text, json: () => JSON.parse(text) });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
